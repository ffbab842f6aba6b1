"""What the child processes of models run: the worker, with every loader there is."""

from typing import NoReturn

from modules.backends.registry import BACKENDS
from modules.engine import media_worker, worker


def run() -> NoReturn:
    worker.run(BACKENDS.loader_for)


def run_media() -> NoReturn:
    media_worker.run(BACKENDS.media_loader_for, lambda name: BACKENDS.media_engine(name).fetch_words)
