"""Peaks and clusters judged by Gaussian random field theory, without shuffling."""
