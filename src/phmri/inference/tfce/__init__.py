"""Threshold-free cluster enhancement by the exact integral, on volumes and graphs."""
