"""What was with another model than the one that is loaded says so, and offers to load it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from modules.models.options import LoadOptions
from modules.ui.model.notice import ModelNotice, NoticeParts, notice_parts
from modules.ui.page.page import Page
from tests.ui.open_page import Seen, open_page


@dataclass(slots=True)
class Scene:
    page: Page
    parts: NoticeParts
    notice: ModelNotice

    async def show(self, model: str) -> tuple[str, bool, Any]:
        """The sentence, whether there is a button, and what it would load."""
        seen = Seen()
        seen.show(await self.notice.shown(model))
        is_seen = seen.properties[self.parts.note]["visible"]
        note = str(seen.values[self.parts.note]) if is_seen else ""
        return note, bool(seen.properties[self.parts.load]["visible"]), seen.values[self.parts.model]


def scene_of(page: Page) -> Scene:
    with gr.Blocks():
        parts = notice_parts("notice")
    return Scene(page, parts, ModelNotice(page, parts, "This chat"))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.gguf").touch()
    async with open_page(tmp_path) as page:
        yield scene_of(page)


async def test_another_model_on_disk_is_offered_and_not_loaded(scene: Scene) -> None:
    note, has_button, model = await scene.show("a.gguf")
    assert note == "This chat was with **a\\.gguf**; **scripted** is loaded."
    assert (has_button, model) == (True, "a.gguf")
    assert scene.page.runtime.models.state.name == "scripted"


async def test_the_loaded_model_and_none_are_nothing_to_tell(scene: Scene) -> None:
    for model in ("scripted", ""):
        assert await scene.show(model) == ("", False, "")


async def test_a_model_that_is_gone_is_told_and_not_offered(scene: Scene) -> None:
    note, has_button, _ = await scene.show("gone.gguf")
    assert "not on this machine any more" in note
    assert not has_button


async def test_button_loads_the_model(scene: Scene) -> None:
    await scene.notice.load("a.gguf")
    assert scene.page.runtime.models.state.name == "a.gguf"
    assert await scene.show("a.gguf") == ("", False, "")
    assert (await scene.show("scripted"))[1:] == (True, "scripted")


async def test_nothing_is_told_while_no_model_is_loaded(scene: Scene) -> None:
    await scene.page.runtime.models.unload()
    assert await scene.show("a.gguf") == ("", False, "")
    await scene.page.runtime.models.load("scripted", LoadOptions())


async def test_visitors_may_load_nothing(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.gguf").touch()
    async with open_page(tmp_path, multi_user=True) as page:
        scene = scene_of(page)
        assert await scene.show("a.gguf") == ("", False, "")
        await scene.notice.load("a.gguf")
        assert page.runtime.models.state.name == "scripted"
