"""Makes the stage g2p slow or deadly, in the client and in all its workers: Python imports this file at every start.

The product has no hook for it, so the class is patched on import. The environment chooses what happens:

    POISON_LOG     a file that gets a line `<pid> <word>` each time a poison takes effect
    POISON_SLOW_S  additional seconds for each item, except the sample that is tried before a run

So do words in an item's text: `xkill` kills the process, `xnull` reads address 0, `xhang` never returns from C,
`xmemory` raises a `MemoryError`.
"""

import ctypes
import importlib.abc
import importlib.util
import os
import signal
import sys
import time


def _memory():
    raise MemoryError


_POISONS = {
    "xkill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "xnull": lambda: ctypes.string_at(0),
    "xhang": lambda: ctypes.CDLL(None).sleep(3600),
    "xmemory": _memory,
}


def _patch(module):
    process = module.G2p.process

    def poisoned(stage, items):
        for item in items:
            if not item.id.startswith("sample/"):
                time.sleep(float(os.environ.get("POISON_SLOW_S", "0")))
            for word, poison in _POISONS.items():
                if "POISON_LOG" in os.environ and word in item.text:
                    with open(os.environ["POISON_LOG"], "a") as log:  # noqa: PTH123 (imported at every start)
                        log.write(f"{os.getpid()} {word}\n")
                    poison()
        return process(stage, items)

    module.G2p.process = poisoned


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "stages.g2p":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_patch(module):
            execute(module)
            _patch(module)

        spec.loader.exec_module = execute_and_patch
        return spec


sys.meta_path.insert(0, _Finder())
