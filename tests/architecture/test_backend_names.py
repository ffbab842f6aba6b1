"""What belongs to one backend is named in its own folder and in the registry, so that another one changes nothing else.

Docstrings and comments may name any, as sources of a format or a formula do; docstrings of routes are texts for people.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Final

import pytest

from tests.architecture.source_tree import ROOT, Source, program_sources

FOLDERS: Final = {
    "llama.?cpp|gguf": "modules/backends/llamacpp/",
    "scripted": "modules/backends/scripted/",
    "onnx": "modules/backends/onnx/",
    "exllama": "modules/backends/exllamav3/",
    # sentence-transformers is an owner of models on the hub, and a format of folders.
    "(?<!sentence.)(?<!sentence)transformers": "modules/backends/transformers/",
}
REGISTRY: Final = "modules/backends/registry.py"
ALLOWED: Final = {
    "modules/chatmodels/remote/dialects.py": "knows a kind of server elsewhere by how it lists its models",
    "modules/models/downloads/plan.py": "tells formats of files on the hub apart, of which a loader reads only some",
    "modules/backends/hub/tokenizer.py": "says with which library a file that is missing is written",
    "modules/backends/media.py": "sets a variable of a library that keeps the children of several engines offline",
    "modules/backends/diffusers/folder.py": "names the libraries whose classes a pipeline may be made of",
    "modules/backends/stable_diffusion_cpp/files.py": "reads image models in the same container, with the one parser of it",
    "modules/models/downloads/hub_name.py": "reads addresses on the hub, which may end in the name of a file",
}

Finding = tuple[str, int, str]


def names_of_backends(sources: Iterable[Source]) -> list[Finding]:
    """Path, line and text of each name of a backend that stands outside its own folder."""
    return [
        (source.path, line, text[:60])
        for source in sources
        if (patterns := _patterns_in(source))
        for line, text in texts_of(source)
        for pattern in patterns
        if re.search(pattern, text, re.IGNORECASE)
    ]


def _patterns_in(source: Source) -> list[str]:
    """What is looked for in the file, of which most have nothing at all."""
    foreign = [pattern for pattern, folder in FOLDERS.items() if not source.path.startswith(folder)]
    return [
        pattern for pattern in foreign if source.path != REGISTRY and re.search(pattern, source.text, re.IGNORECASE)
    ]


def texts_of(source: Source) -> Iterator[tuple[int, str]]:
    """Identifiers and strings, but for docstrings that only readers of the code see."""
    tree = source.tree
    docstrings = set(_docstrings_of(tree))
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Constant(value=str() as text) if (line, text) not in docstrings:
                yield line, text
            case ast.Constant(value=bytes() as data):
                yield line, data.decode("latin-1")
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str() as name):
                yield line, name
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield line, name
            case ast.ImportFrom(module=str() as name):
                yield line, name
            case ast.alias(name=name, asname=other):
                yield line, f"{name} {other or ''}"


def _docstrings_of(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if any(map(_is_route, node.decorator_list)):
                pass
            case (
                ast.Module(body=[ast.Expr(ast.Constant(str() as text) as first), *_])
                | ast.ClassDef(body=[ast.Expr(ast.Constant(str() as text) as first), *_])
                | ast.FunctionDef(body=[ast.Expr(ast.Constant(str() as text) as first), *_])
                | ast.AsyncFunctionDef(body=[ast.Expr(ast.Constant(str() as text) as first), *_])
            ):
                yield first.lineno, text


def _is_route(decorator: ast.expr) -> bool:
    match decorator:
        case ast.Call(func=ast.Attribute(attr="get" | "post" | "put" | "patch" | "delete" | "websocket")):
            return True
    return False


def assets() -> list[Source]:
    """Scripts and styles of the page, each as one string."""
    paths = [path for ending in ("js", "css", "html") for path in (ROOT / "modules").glob(f"**/*.{ending}")]
    return [Source(path.relative_to(ROOT).as_posix(), repr(path.read_text("utf-8"))) for path in paths]


def test_backends_are_named_in_their_own_folder_only() -> None:
    found = names_of_backends(program_sources())
    assert [each for each in found if each[0] not in ALLOWED] == []
    # What needs no exception any more has none.
    assert {path for path, _, _ in found} >= ALLOWED.keys()


def test_the_page_names_no_backend() -> None:
    sources = assets()
    assert sources
    text = "\n".join(source.text for source in sources)
    assert re.findall("|".join(FOLDERS), text, re.IGNORECASE) == []


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("x = 'Put a GGUF file there.'", True),
        ("x = f'{y} of llama.cpp'", True),
        ("from modules.backends.llamacpp.spec import Spec", True),
        ("import onnxruntime", True),
        ("def gguf_files(): ...", True),
        ("def f(scripted): ...", True),
        ("class LlamaCppThing: ...", True),
        ("if name == 'Transformers': ...", True),
        ("@router.get('/x')\nasync def f():\n    '''Lists GGUF files.'''", True),
        ("'''As llama.cpp does.'''\n# GGUF\nx = 1", False),
        ("class A:\n    '''As in GGUF.'''\n    def f(self):\n        '''As in GGUF.'''", False),
        ("x = 'sentence-transformers/all-mpnet-base-v2'", False),
        ("x = 'transformed'", False),
    ],
)
def test_a_name_elsewhere_is_found(text: str, is_found: bool) -> None:
    assert bool(names_of_backends([Source("modules/models/x.py", text)])) is is_found


def test_a_backend_names_itself_and_no_other() -> None:
    text = "x = 'GGUF'"
    assert names_of_backends([Source("modules/backends/llamacpp/x.py", text), Source(REGISTRY, text)]) == []
    assert names_of_backends([Source("modules/backends/onnx/x.py", text)]) == [
        ("modules/backends/onnx/x.py", 1, "GGUF")
    ]
