"""Tests on several processes at once: each has a core to itself, with all that it starts, so none disturbs another. The
tests of the page are let out: a browser, a server and a model on one core are slower than anybody's."""

import os
from typing import Final

from typing_extensions import override
from xdist.scheduler import LoadFileScheduling

# What costs much to start, and is shared by all tests of a folder.
_KEPT_TOGETHER: Final = ("tests/browser",)
_WORKER: Final = "PYTEST_XDIST_WORKER"


class ByFile(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Tests of one file run in one process, and so do those of a folder that share what is costly."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        for folder in _KEPT_TOGETHER:
            if nodeid.startswith(f"{folder}/"):
                return folder
        return str(super()._split_scope(nodeid))


def take_own_core() -> None:
    """Bind this process, if it is one of several that test, to its part of the cores."""
    if _WORKER not in os.environ or not hasattr(os, "sched_setaffinity"):
        return
    number, count = int(os.environ[_WORKER].removeprefix("gw")), int(os.environ[f"{_WORKER}_COUNT"])
    if own := sorted(_all_cores())[number::count]:
        os.sched_setaffinity(0, own)


def take_all_cores() -> None:
    """As `take_own_core`, to all of them: for what runs many programs at once, and measures nothing. Who has been
    started stays bound as he was."""
    if _WORKER in os.environ and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, _all_cores())


def _all_cores() -> set[int]:
    """Those of the process that has started the workers, which is never bound."""
    return os.sched_getaffinity(os.getppid())
