"""Dask: starting a cluster, joining one, and handing out work."""
