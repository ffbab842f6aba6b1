"""What can be checked of how the code is written: sizes, state, closed streams, and what the tools say."""

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.architecture.source_tree import ROOT, Source, all_sources, program_sources

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
VAGUE_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "misc"})
MUTATORS = frozenset(
    {
        "add",
        "append",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "remove",
        "setdefault",
        "update",
    }
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_of(source: Source) -> Iterator[Function]:
    yield from (node for node in ast.walk(source.tree) if isinstance(node, Function))


def global_statements(source: Source) -> list[str]:
    return [f"{source.path}:{node.lineno}" for node in ast.walk(source.tree) if isinstance(node, ast.Global)]


def changed_module_state(source: Source) -> list[str]:
    """Names of the module that its functions change, and functions that remember their results for ever."""
    tree = source.tree
    names = set(_module_names(tree))
    changes = [
        f"{source.path} changes {name} in {function.name}"
        for function in ast.walk(tree)
        if isinstance(function, Function)
        for name in _changed_names(function) & names - _local_names(function)
    ]
    caches = [
        f"{source.path}:{node.lineno} caches for the life of the program"
        for node in tree.body
        if isinstance(node, Function)
        and any(_last_name(each) in {"cache", "lru_cache"} for each in node.decorator_list)
    ]
    return changes + caches


def unclosed_streams(source: Source) -> list[str]:
    """`async for` over something that nobody closes when the loop is left early."""
    return [
        f"{source.path}:{loop.iter.lineno}"
        for function in functions_of(source)
        for loop in ast.walk(function)
        if isinstance(loop, ast.AsyncFor | ast.comprehension) and getattr(loop, "is_async", True)
        if not (isinstance(loop.iter, ast.Name) and loop.iter.id in _closed_names(function))
    ]


def _module_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def _local_names(function: Function) -> set[str]:
    stores = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return stores | {argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg)}


def _changed_names(function: Function) -> set[str]:
    return {name for node in ast.walk(function) if (name := _changed_name(node))}


def _changed_name(node: ast.AST) -> str | None:
    match node:
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return name
        case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if method in MUTATORS:
            return name
    return None


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Call(func=function):
            return _last_name(function)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def _closed_names(function: Function) -> set[str]:
    """Bound by or given to `async with aclosing(…)`, closed in a finally, or bytes of a pipe, which need no closing."""
    names = set()
    for node in ast.walk(function):
        match node:
            case ast.withitem(context_expr=ast.Call(func=called, args=[given]), optional_vars=bound):
                names |= (
                    {_last_name(each) for each in (given, bound) if each} if _last_name(called) == "aclosing" else set()
                )
            case ast.Try(finalbody=body):
                names |= {name for part in body for each in ast.walk(part) if (name := _name_closed_by(each))}
            case ast.arg(arg=name, annotation=ast.expr() as kind) if _last_name(kind) == "StreamReader":
                names.add(name)
    return names


def _name_closed_by(node: ast.AST) -> str | None:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="aclose")):
            return name
    return None


def test_files_are_short() -> None:
    lengths = {source.path: source.text.count("\n") for source in all_sources()}
    assert {path: length for path, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_functions_are_short() -> None:
    lengths = {
        f"{source.path}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for source in all_sources()
        for function in functions_of(source)
    }
    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}


def test_names_say_something() -> None:
    stems = {source.path: source.path.removesuffix(".py").split("/") for source in all_sources()}
    vague = {path for path, parts in stems.items() if VAGUE_NAMES & set(parts)}
    # What all endpoint folders of the API import; they never import each other.
    assert {path for path in vague if not path.startswith(("extensions/openai/common/", "tests/api/common/"))} == set()


def test_every_file_says_what_it_is() -> None:
    assert [source.path for source in all_sources() if source.text.strip() and not ast.get_docstring(source.tree)] == []


def test_no_module_holds_state() -> None:
    sources = program_sources()
    # Files without the word are not read again for it.
    assert [found for source in sources if "global " in source.text for found in global_statements(source)] == []
    assert [found for source in sources for found in changed_module_state(source)] == []


def test_every_stream_is_closed() -> None:
    assert [found for source in program_sources() for found in unclosed_streams(source)] == []


@pytest.mark.parametrize(
    "text",
    [
        "_seen = {}\ndef f(key):\n    _seen[key] = 1",
        "SEEN: list[int] = []\nasync def f():\n    SEEN.append(1)",
        "import types\nstate = types.SimpleNamespace()\nclass C:\n    def f(self):\n        state.x = 1",
        "from functools import lru_cache\n@lru_cache(maxsize=4)\ndef f(x):\n    return x",
        "import functools\n@functools.cache\ndef f(x):\n    return x",
    ],
)
def test_module_state_is_found(text: str) -> None:
    assert len(changed_module_state(Source("modules/x.py", text))) == 1


def test_local_names_are_no_module_state() -> None:
    text = "names = ('a',)\ndef f(more):\n    names = []\n    names.append(1)\n    more.append(1)\n    return names"
    assert changed_module_state(Source("modules/x.py", text)) == []
    assert global_statements(Source("modules/x.py", "def f():\n    global x\n    x = 1")) == ["modules/x.py:2"]


@pytest.mark.parametrize(
    ("loop", "is_closed"),
    [
        ("async for x in source(): pass", False),
        ("async for x in stream: pass", False),
        ("return [x async for x in stream]", False),
        ("async with aclosing(source()) as s:\n        async for x in s: pass", True),
        ("async with contextlib.aclosing(stream):\n        async for x in stream: pass", True),
        ("async with aclosing(other) as s:\n        async for x in stream: pass", False),
        ("try:\n        async for x in stream: pass\n    finally:\n        await stream.aclose()", True),
    ],
)
def test_unclosed_streams_are_found(loop: str, is_closed: bool) -> None:
    source = Source("modules/x.py", f"async def f(stream):\n    {loop}")
    assert (unclosed_streams(source) == []) is is_closed


@pytest.mark.parametrize(
    "command", [("ruff", "format", "--check", "."), ("ruff", "check", "."), ("mypy",)], ids=["format", "lint", "types"]
)
@pytest.mark.timeout(600)
def test_the_tools_agree(command: tuple[str, ...]) -> None:
    run = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
