"""What a worker does before all else: Dask loads it by name (`distributed.worker.preload`)."""

import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Worker


def dask_setup(worker: "Worker") -> None:
    """Lets temporary files lie in the worker's own folder: Dask removes it, also after a worker that was killed."""
    tempfile.tempdir = worker.local_directory
