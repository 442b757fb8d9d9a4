"""Prepares a worker process. Dask loads this module by name (`distributed.worker.preload`)."""

import tempfile
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Worker

_held: list[Any] = []
"""Keeps a reference to the temporary folder, which is removed when it has none."""


def dask_setup(worker: "Worker") -> None:
    """Puts temporary files into a folder that is removed when the process ends, or by the next worker if it is killed.

    The worker's own folder won't do: Dask removes it while the process still needs its temporary files.
    """
    from distributed.diskutils import WorkSpace

    folder = WorkSpace(str(Path(worker.local_directory).parent)).new_work_dir(prefix="temporary-")
    _held.append(folder)
    Finalize(None, folder.release, exitpriority=0)  # a forked process ends without what `atexit` holds
    tempfile.tempdir = folder.dir_path
