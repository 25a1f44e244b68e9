"""Clusters, components of edges, peaks, and how many of a cluster are true."""
