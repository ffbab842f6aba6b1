"""A file imports only from layers below its own, or from its own folder; docs/ARCHITECTURE.md shows the same layers."""

import re
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.architecture.source_tree import (
    LAYERS,
    ROOMS,
    ROOT,
    Source,
    all_sources,
    file_of,
    imports_of,
    is_in,
    place_of,
    program_sources,
)

HEAVY = ("llama_cpp", "torch", "transformers", "gradio", "fastapi", "numpy")


def wrong_imports(sources: Sequence[Source]) -> list[str]:
    """Imports that go up or sideways, and files that have no layer."""
    paths = frozenset(source.path for source in sources)
    complaints = []
    for source in sources:
        here = place_of(source.path)
        if here is None:
            if source.text.strip():
                complaints.append(f"{source.path} has no layer")
            continue
        for line, name in imports_of(source):
            target = file_of(name, paths)
            there = place_of(target) if target else None
            if there and there.unit != here.unit and there.layer >= here.layer:
                complaints.append(
                    f"{source.path}:{line} imports {name} from layer {there.layer}, its own is {here.layer}"
                )
    return complaints


def guests(sources: Sequence[Source]) -> list[str]:
    """Heavy libraries outside their rooms."""
    return [
        f"{source.path}:{line} imports {name}"
        for source in sources
        for line, name in imports_of(source)
        if (rooms := ROOMS.get(name.split(".")[0])) and not is_in(source.path, rooms)
    ]


def test_imports_go_down_only() -> None:
    assert wrong_imports(program_sources()) == []


def test_heavy_libraries_stay_in_their_rooms() -> None:
    assert guests(program_sources()) == []


@pytest.mark.parametrize(
    ("path", "statement", "complaint"),
    [
        ("modules/engine/stepper.py", "from modules.chat.service import ChatService", "layer 9, its own is 2"),
        ("modules/engine/stepper.py", "import modules.models.pool", "layer 7, its own is 2"),
        ("modules/errors.py", "from modules.engine import streams", "layer 2, its own is 0"),
        ("modules/process/child.py", "from modules.engine import wire", "layer 2, its own is 1"),
        ("modules/prompt/tokens.py", "from modules.reply import split", "layer 6, its own is 6"),
        ("modules/chat/work.py", "def f():\n    from modules.runtime import Runtime", "layer 11, its own is 9"),
        ("modules/runtime.py", "import server", "layer 14, its own is 11"),
        ("extensions/other/script.py", "from extensions.openai.app import create_app", "layer 13, its own is 13"),
        ("modules/stray.py", "x = 1", "has no layer"),
    ],
)
def test_a_wrong_import_is_found(path: str, statement: str, complaint: str) -> None:
    others = [source for source in program_sources() if source.path != path]
    assert any(complaint in found for found in wrong_imports([*others, Source(path, statement)]))


def test_right_imports_are_not_complained_about() -> None:
    lines = "from modules.prompt import fit\nimport json\nfrom modules.chat import work\nfrom modules.engine.types import Chunk"
    others = [source for source in program_sources() if source.path != "modules/chat/new.py"]
    assert wrong_imports([*others, Source("modules/chat/new.py", lines)]) == []


def test_a_heavy_library_outside_its_room_is_found() -> None:
    for statement in ("import llama_cpp", "from llama_cpp.llama_cpp import llama_decode", "import fastapi as f"):
        assert len(guests([Source("modules/chat/service.py", statement)])) >= 1
    assert guests([Source("modules/backends/llamacpp/library.py", "import llama_cpp")]) == []


def test_runtime_and_installer_load_nothing_heavy() -> None:
    program = f"import sys, modules.runtime; print(sorted(set({HEAVY}) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_installer_needs_the_standard_library_only() -> None:
    allowed = sys.stdlib_module_names | {"installer"}
    sources = [
        source for source in all_sources() if is_in(source.path, ["installer/"]) or source.path == "one_click.py"
    ]
    assert sources
    assert [
        f"{source.path}:{line} imports {name}"
        for source in sources
        for line, name in imports_of(source)
        if name.split(".")[0] not in allowed
    ] == []


def test_the_page_shows_the_same_layers() -> None:
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", page, re.MULTILINE)
    shown = {int(layer): set(re.findall(r"`([^`]+)`", units)) for layer, units in rows}
    assert shown == {layer: set(units) for layer, units in enumerate(LAYERS)}
