"""Hands over to the program that the set-up was for, with its arguments exactly as given."""

from collections.abc import Sequence
from typing import NoReturn

from installer.llama_builds import library_path
from installer.paths import Layout
from installer.programs import become, environment


def server(layout: Layout, flags: Sequence[str]) -> NoReturn:
    """Go on as server.py, in the folder where the user stands, so that relative paths mean what they say."""
    become([layout.python, layout.server, *flags], environment(library_path(layout.environment)))


def benchmark(layout: Layout, flags: Sequence[str]) -> NoReturn:
    """Go on as the benchmark, in the folder where the user stands."""
    variables = {"PYTHONPATH": str(layout.root), **library_path(layout.environment)}
    become([layout.python, "-m", "modules.benchmark", *flags], environment(variables))


# Each of them holds models of its own, so there are no more than memory bears.
_ON_ALL_CORES = ("-n", "logical", "--maxprocesses", "4")
_SLOWEST_SHOWN = "--durations=40"


def tests(layout: Layout, arguments: Sequence[str]) -> NoReturn:
    """Go on as pytest in the project's folder; the tests find their models by TEST_MODELS_DIR. The last run's results
    and durations are kept in `layout.test_report`. Of what is said twice, `arguments` count."""
    variables = {"TEST_MODELS_DIR": str(layout.test_models.resolve()), **library_path(layout.environment)}
    kept = (_SLOWEST_SHOWN, f"--junitxml={layout.test_report}")
    become(
        [layout.python, "-m", "pytest", *_ON_ALL_CORES, *kept, *arguments], environment(variables), folder=layout.root
    )
