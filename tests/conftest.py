"""What all tests share: how properties are searched, and where model files are."""

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.model_files import model_path
from tests.workers import ByFile, take_own_core

# Time limits belong to pytest; the same examples every time, so that a red build means a change.
settings.register_profile("project", deadline=None, derandomize=True, database=None)
settings.load_profile("project")

take_own_core()

# Servers are started by the dozen; none shall compile the program anew, whatever the machine's usual way is.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: Any, log: Any) -> ByFile:
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of the page, which one process runs, come first: the other files share out what time is left."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/browser/"))


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules are never collected: no collection of garbage looks at them again."""
    gc.freeze()


@pytest.fixture(scope="session")
def model_file() -> Callable[[str], Path]:
    """Paths of the tests' models by file name; one that is missing is a failure that says what to run."""
    return model_path


@pytest.fixture(scope="module", autouse=True)
def environment_stays() -> Iterator[None]:
    """A loader sets variables for its own process, as for "no downloads": in tests that load in theirs, the processes that
    later tests start would inherit them."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
