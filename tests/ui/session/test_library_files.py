"""Pages of the settings for files: what a browser may ask of them, and that nothing is overwritten or lost."""

from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from modules.ui.page.page import Page
from modules.ui.session.library_files import build_grammars, build_lorebooks, build_presets
from tests.ui.open_page import open_page

pytestmark = pytest.mark.asyncio


class Files:
    """The functions of a page of the settings, as its script calls them."""

    def __init__(self, page: Page, build: Any) -> None:
        with gr.Blocks() as blocks:
            build(page)
        (html,) = (each for each in blocks.blocks.values() if isinstance(each, gr.HTML))
        self._html = html

    async def ask(self, name: str, sent: object = None) -> dict[str, Any]:
        answer: dict[str, Any] = await getattr(self._html, name)(sent)
        return answer

    async def names(self) -> list[str]:
        return list((await self.ask("files"))["names"])


async def test_a_preset_is_made_renamed_deleted_and_comes_back(tmp_path: Path) -> None:
    async with open_page(tmp_path) as page:
        files = Files(page, build_presets)
        text = "# mine\ntemperature: 0.9\n"
        assert await files.ask("save", {"name": "Warm", "text": text}) == {"names": ["Warm"], "can_save": True}
        assert "already" in (await files.ask("save", {"name": "Warm", "text": ""}))["error"]
        assert (
            "temperature"
            in (await files.ask("save", {"name": "Warm", "before": "Warm", "text": "temperature: hot"}))["error"]
        )
        assert (await files.ask("read", "Warm"))["text"] == text
        page.saved_settings.remember({"preset": "Warm"})
        await files.ask("save", {"name": "Warmer", "before": "Warm", "text": text})
        assert (await files.names(), page.settings.preset) == (["Warmer"], "Warmer")
        assert (await files.ask("remove", "Warmer"))["removed"] == text
        assert await files.names() == []


async def test_a_grammar_that_is_none_is_refused_by_its_line(tmp_path: Path) -> None:
    async with open_page(tmp_path) as page:
        files = Files(page, build_grammars)
        assert "Line 2" in (await files.ask("save", {"name": "x", "text": 'root ::= "a"\nb ::= ('}))["error"]
        assert await files.names() == []
        await files.ask("save", {"name": "x", "text": 'root ::= "a"'})
        assert await files.names() == ["x"]


async def test_entries_of_a_lorebook_keep_what_the_form_does_not_show(tmp_path: Path) -> None:
    (tmp_path / "lorebooks").mkdir()
    own = '{"entries": {"0": {"key": ["Ulm"], "content": "Old.", "depth": 7}, "1": {"key": ["Bonn"], "content": "Gone."}}}'
    (tmp_path / "lorebooks" / "World.json").write_text(own, encoding="utf-8")
    async with open_page(tmp_path) as page:
        files = Files(page, build_lorebooks)
        rows = (await files.ask("read", "World"))["rows"]
        rows[0][3] = "New."
        await files.ask("save", {"name": "World", "before": "World", "rows": rows[:1]})
        book = page.runtime.library.lorebooks.read("World")
        assert [entry["depth"] for entry in book.raw["entries"].values()] == [7]  # type: ignore[attr-defined]
        assert [entry.content for entry in book.entries] == ["New."]
        assert "entry" in (await files.ask("save", {"name": "Empty", "rows": []}))["error"]


@pytest.mark.parametrize("sent", [None, 3, {"name": 3}, {"name": "../x", "text": "temperature: 1"}, {"name": ""}])
async def test_what_is_no_file_is_refused(tmp_path: Path, sent: object) -> None:
    async with open_page(tmp_path) as page:
        assert (await Files(page, build_presets).ask("save", sent))["error"]


async def test_visitors_change_nothing(tmp_path: Path) -> None:
    async with open_page(tmp_path, multi_user=True) as page:
        files = Files(page, build_presets)
        assert "multi-user" in (await files.ask("save", {"name": "x", "text": "temperature: 1"}))["error"]
        assert (await files.ask("files"))["can_save"] is False
