"""Starts or joins a Dask cluster, and hands out work to it."""
