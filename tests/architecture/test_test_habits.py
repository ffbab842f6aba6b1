"""What can be checked of how the tests are written: they compare no seconds and spin in no loop, so that a busy machine
makes them slower, and nothing else."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source_tree import Source, all_sources

WALL_CLOCKS = frozenset({"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "time"})
# Their subject is a ratio: CPU time that is spent in a given time.
ALLOWED = frozenset({"tests/library/test_histories_speed.py"})


def compared_seconds(tree: ast.AST) -> Iterator[int]:
    """Lines of assertions about how much time has passed. What only ends a wait names a deadline."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            yield from (node.lineno for part in ast.walk(node.test) if _is_elapsed(part))


def spinning_loops(tree: ast.AST) -> Iterator[int]:
    """Lines of loops that ask again and again, and wait for nothing in between."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.While)
            and all(isinstance(each, ast.Pass) for each in node.body)
            and not any(isinstance(part, ast.Await | ast.NamedExpr) for part in ast.walk(node.test))
        ):
            yield node.lineno


def _is_elapsed(node: ast.AST) -> bool:
    match node:
        case ast.BinOp(op=ast.Sub(), left=ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name))):
            return name in WALL_CLOCKS
    return False


def test_no_test_compares_seconds() -> None:
    found = [f"{source.path}:{line}" for source in _tests() for line in compared_seconds(source.tree)]
    assert [place for place in found if place.partition(":")[0] not in ALLOWED] == []


def test_no_test_spins() -> None:
    assert [f"{source.path}:{line}" for source in _tests() for line in spinning_loops(source.tree)] == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("assert time.monotonic() - started < 2", 1),
        ("assert 1 > perf_counter() - started", 1),
        ("assert time.monotonic() < deadline", 0),
        ("assert len(waits) - 1 < 2", 0),
    ],
)
def test_compared_seconds_are_found(text: str, count: int) -> None:
    assert len(list(compared_seconds(ast.parse(text)))) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("while not file.exists():\n    pass", 1),
        ("while not file.exists():\n    time.sleep(0.01)", 0),
        ("async def f():\n    while not (await anext(stream)).text:\n        pass", 0),
    ],
)
def test_spinning_loops_are_found(text: str, count: int) -> None:
    assert len(list(spinning_loops(ast.parse(text)))) == count


def _tests() -> Iterator[Source]:
    return (source for source in all_sources() if source.path.startswith("tests/"))
