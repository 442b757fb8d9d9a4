"""What a worker does before all else: Dask loads it by name (`distributed.worker.preload`)."""

import tempfile
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Worker

_held: list[Any] = []
"""The folder of temporary files: it is removed when nothing holds it."""


def dask_setup(worker: "Worker") -> None:
    """Lets temporary files lie in a folder that is removed as the process ends, or by the next worker if it is killed.

    The worker's own folder goes while there is still something in the process that would miss its files.
    """
    from distributed.diskutils import WorkSpace

    folder = WorkSpace(str(Path(worker.local_directory).parent)).new_work_dir(prefix="temporary-")
    _held.append(folder)
    Finalize(None, folder.release, exitpriority=0)  # a forked process ends without what `atexit` holds
    tempfile.tempdir = folder.dir_path
