"""Tests on several processes at once: each has a core to itself, with all that it starts, so none disturbs another."""

import os
from typing import Final

from typing_extensions import override
from xdist.scheduler import LoadFileScheduling

# What costs much to start, and is shared by all tests of a folder.
_KEPT_TOGETHER: Final = ("tests/browser",)


class ByFile(LoadFileScheduling):  # type: ignore[misc]  # xdist's own types are incomplete
    """Tests of one file run in one process, and so do those of a folder that share what is costly."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        for folder in _KEPT_TOGETHER:
            if nodeid.startswith(f"{folder}/"):
                return folder
        return str(super()._split_scope(nodeid))


def take_own_core() -> None:
    """Bind this process, if it is one of several that test, to its part of the cores."""
    name, count = os.environ.get("PYTEST_XDIST_WORKER"), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if name is None or not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    own = cores[int(name.removeprefix("gw")) :: count]
    if own:
        os.sched_setaffinity(0, own)


def take_all_cores() -> None:
    """For what runs many programs at once, and measures nothing; children that are started from now on have them."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
