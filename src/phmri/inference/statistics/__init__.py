"""t, F, v and G of every outcome under any shuffling, tile by tile."""
