"""How much of the program one has to import to read one endpoint: layers above the models need interfaces only."""

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import pytest

from tests.architecture.source_tree import Source, file_of, program_sources

LIMIT: Final = 150
ROUTES: Final = tuple(
    f"extensions/openai/{name}/routes.py" for name in ("chat", "completions", "responses", "messages")
)


def closure_of(path: str, sources: Sequence[Source]) -> set[str]:
    """`path` and all files of the program that importing it runs, but for empty ones."""
    texts = {source.path: source for source in sources}
    paths = frozenset(texts)
    found, waiting = {path}, [path]
    while waiting:
        new = {
            target for name in run_imports(texts[waiting.pop()].tree.body) if (target := file_of(name, paths))
        } - found
        found |= new
        waiting += new
    return {each for each in found if texts[each].text.strip()}


def run_imports(statements: Iterable[ast.AST]) -> Iterator[str]:
    """Dotted names of imports, wherever they stand, except those for type checkers only."""
    for statement in statements:
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            yield from run_imports(statement.orelse)
        elif isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            yield statement.module
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)
        else:
            yield from run_imports(ast.iter_child_nodes(statement))


@pytest.mark.parametrize("path", ROUTES)
def test_endpoints_import_little(path: str) -> None:
    closure = closure_of(path, program_sources())
    assert len(closure) <= LIMIT
    # No prompt, no engine, no backend: those are behind ChatModel.
    behind = ("modules/backends/kv/", "modules/models/", "modules/prompt/builder", "modules/engine/process")
    assert [each for each in sorted(closure) if each.startswith(behind)] == []


def test_closure_follows_imports_that_run() -> None:
    sources = [
        Source("modules/a.py", "from modules import b\nif TYPE_CHECKING:\n    from modules import d\n"),
        Source("modules/b.py", "def f():\n    try:\n        pass\n    except ImportError:\n        import modules.c\n"),
        Source("modules/c.py", "import modules.a\n"),
        Source("modules/d.py", "x = 1\n"),
        Source("modules/__init__.py", ""),
    ]
    assert closure_of("modules/a.py", sources) == {"modules/a.py", "modules/b.py", "modules/c.py"}
