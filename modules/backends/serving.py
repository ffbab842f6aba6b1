"""What the model process runs: the worker, with every loader there is."""

from typing import NoReturn

from modules.backends.registry import BACKENDS
from modules.engine import worker


def run() -> NoReturn:
    worker.run(BACKENDS.loader_for)
