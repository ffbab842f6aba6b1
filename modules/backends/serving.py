"""What the model process runs: the worker, with every loader there is."""

from typing import NoReturn

from modules.backends.registry import loader_for
from modules.engine import worker


def run() -> NoReturn:
    worker.run(loader_for)
