"""The page is not built with a Gradio that lacks what guards it, and nothing else touches Gradio's private names."""

import asyncio
import re
from pathlib import Path
from typing import Any, Final

import gradio as gr
import pytest

from modules.ui.app import build_blocks
from modules.ui.shell.blocks import PageBlocks
from modules.ui.shell.internals import takes_foreign_files
from modules.ui.shell.surface import ATTRIBUTES, NAMES, TESTED, UntestedGradio, check
from tests.architecture.source_tree import ROOT, program_sources
from tests.ui.open_page import open_page

_SHELL: Final = "modules/ui/shell/"
# Modules of Gradio's that its documentation names.
_PUBLIC: Final = r"gradio\.(components|themes)\b"
_PRIVATE: Final = re.compile(
    rf"from (?!{_PUBLIC})gradio\.[\w.]+ import|import gradio\.|from gradio import"
    r"|\bgr\.(context|utils|blocks|routes|queueing|processing_utils|networking|tunneling|state_holder)\b"
    r"|GRADIO_CACHE|GRADIO_TEMP|GRADIO_ANALYTICS|\bevent\._data\b|\.constructor_args\b|\.has_launched\b"
)


pytestmark = pytest.mark.asyncio


async def test_gradio_that_is_installed_is_the_tested_one() -> None:
    await check()
    requirements = (ROOT / "requirements" / "base.txt").read_text(encoding="utf-8")
    assert f"gradio=={TESTED}\n" in requirements
    assert all(each.reason for each in (*NAMES, *ATTRIBUTES))


@pytest.mark.parametrize("name", ["preprocess_data", "call_function", "get_config_file"])
async def test_method_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delattr(gr.Blocks, name)
    with pytest.raises(UntestedGradio, match=rf"tested with Gradio {TESTED}.*Blocks\.{name}.*pip install gradio=="):
        await check()


async def test_method_with_another_signature_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def preprocess_data(self: Any, state: Any, block_fn: Any, inputs: Any) -> None:
        """Takes the same in another order."""

    monkeypatch.setattr(gr.Blocks, "preprocess_data", preprocess_data)
    with pytest.raises(UntestedGradio, match=r"Blocks\.preprocess_data"):
        await check()


async def test_flag_that_guards_files_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    launch = gr.Blocks.__init__

    def renamed(self: Any, *args: Any, **options: Any) -> None:
        launch(self, *args, **options)
        del self.has_launched

    monkeypatch.setattr(gr.Blocks, "__init__", renamed)
    with pytest.raises(UntestedGradio, match=r"Blocks\.has_launched"):
        await check()


async def test_event_that_names_a_foreign_file_tells_whether_files_are_guarded(tmp_path: Path) -> None:
    async with open_page(tmp_path) as page:
        blocks = await asyncio.to_thread(lambda: asyncio.run(_built(page)))
        assert await takes_foreign_files(blocks)
        blocks.begin_use()
        assert not await takes_foreign_files(blocks)


async def _built(page: Any) -> PageBlocks:
    return build_blocks(page)


async def test_private_names_of_gradio_occur_in_the_shell_only() -> None:
    sources = [each for each in program_sources() if each.path.startswith("modules/ui/")]
    found = {each.path: hit[0] for each in sources if (hit := _PRIVATE.search(each.text)) is not None}
    assert {path for path in found if path.startswith(_SHELL)}
    assert {path: name for path, name in found.items() if not path.startswith(_SHELL)} == {}
