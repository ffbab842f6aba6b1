"""Gradio's scripts in one file: complete, each knowing the others, and with the changes that the page relies on."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
from gradio.routes import BUILD_PATH_LIB

from modules.ui.shell.scripts import CHANGES, ScriptBundle

_ASSETS: Final = Path(str(BUILD_PATH_LIB))
_NAMES: Final = (Path(__file__).parents[3] / "modules/ui/assets/gradio_scripts.txt").read_text(encoding="utf-8").split()
_SOURCES: Final = {name: (_ASSETS / name).read_bytes() for name in _NAMES if (_ASSETS / name).is_file()}


def test_modules_know_each_other_by_name() -> None:
    bundle = ScriptBundle(_SOURCES, ()).content.decode()
    assert not re.search(r"""(?:\bfrom|\bimport|\bimport\()["`]\./[\w.-]+\.js["`]""", bundle)
    assert "import.meta" not in bundle
    assert all(f"gradio/{name}" in bundle for name in _NAMES if name.startswith("Index-"))


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.reason[:30])
def test_changes_are_found_in_the_tested_gradio(change: Any) -> None:
    (source,) = (text for name, text in _SOURCES.items() if name.startswith(change.module))
    assert source.decode().count(change.before) == 1
    assert change.after in ScriptBundle(_SOURCES, ()).content.decode()


def test_kinds_of_components_that_are_not_in_the_bundle_wait_until_they_are_shown() -> None:
    bundle = ScriptBundle(_SOURCES, ()).content.decode()
    waiting = set(re.findall(r"component:\(\)=>gradioLater\(\(\)=>\w+\(\(\)=>import\(`gradio/([\w.-]+)`", bundle))
    assert len(waiting) > 10
    assert not waiting & _SOURCES.keys()
    at_once = set(re.findall(r"component:\(\)=>v\(\(\)=>import\(`gradio/([\w.-]+)`", bundle))
    assert at_once <= _SOURCES.keys()


def test_what_the_page_has_is_not_fetched_ahead() -> None:
    listed = 'd=(m.f||(m.f=["./a.js","./b.js","./a.css","./b.css"])));'
    source = listed + "p(()=>import(`./b.js`),__vite__mapDeps([0,1,2,3]),import.meta.url);p(x,__vite__mapDeps([0,2]))"
    made = ScriptBundle({"a.js": source.encode()}, {"a.css"}).content.decode()
    assert made == listed + 'p(()=>import(`gradio/b.js`),__vite__mapDeps([1,3]),(gradioAssets+"a.js"));p(x,[])'


def test_page_without_its_first_module_begins_as_gradio_does() -> None:
    assert ScriptBundle({"a.js": b""}, ()).start("b.js") is None
