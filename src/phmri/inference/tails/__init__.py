"""p-values beyond the shufflings made, and how sure those are that were."""
