"""Which processes the tests have started."""

import psutil


def child_processes() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}
