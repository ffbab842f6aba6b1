"""Instruction templates on the page: files, and which one a model is used with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from modules.library.library import Library
from modules.messages import Role, text_message
from modules.paths import UserData
from modules.prompt.templates.choice import DIALOGUE
from modules.requests import ChatRequest
from modules.settings.values import Settings
from modules.ui.page.page import Page
from modules.ui.parameters.template import Templates, template_in_use
from tests.scripted import scripted_card
from tests.ui.open_page import Seen, open_page

SHOUT = "{% for message in messages %}{{ message.content | upper }}{% endfor %}"


class Tab:
    def __init__(self, page: Page) -> None:
        with gr.Blocks():
            self.templates = Templates(page)
        self.page = page
        self.seen = Seen()

    async def keep(self, name: str, source: str) -> None:
        templates = self.templates
        self.seen.show(await templates.menu.keep({templates.menu.name: name, templates.source: source}))

    async def prompt(self) -> str:
        request = ChatRequest(model=None, messages=(text_message(Role.USER, "hello"),))
        return await self.page.runtime.chat.render(request)


@asynccontextmanager
async def a_tab(folder: Path, **settings: Any) -> AsyncIterator[Tab]:
    async with open_page(folder, **settings) as page:
        yield Tab(page)


async def test_a_template_is_saved_used_and_left(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        own = await tab.prompt()
        await tab.keep("Shout", SHOUT)
        assert (tmp_path / "instruction-templates" / "Shout.jinja").read_text(encoding="utf-8") == SHOUT
        assert await tab.prompt() == own, "saving a template uses it for nothing"
        tab.seen.show(await tab.templates.use("Shout"))
        assert await tab.prompt() == "HELLO"
        assert "Shout, which you have chosen" in tab.seen.values[tab.templates.in_use]
        tab.seen.show(await tab.templates.leave())
        assert await tab.prompt() == own
        assert "its own template" in tab.seen.values[tab.templates.in_use]


async def test_a_template_is_opened_and_deleted(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        await tab.keep("Shout", SHOUT)
        tab.seen.show(await tab.templates.menu.choose("Shout"))
        assert tab.seen.values[tab.templates.source] == SHOUT
        tab.seen.show(await tab.templates.menu.delete("Shout"))
        with pytest.raises(gr.Error, match="There is no instruction template"):
            await tab.templates.menu.choose("Shout")


async def test_the_models_own_template_can_be_looked_at(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        tab.seen.show(await tab.templates.show())
        assert "<|im_start|>" in tab.seen.values[tab.templates.source]


async def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        for name in (None, "", "../settings", "missing"):
            with pytest.raises(gr.Error):
                await tab.templates.use(name)
        with pytest.raises(gr.Error, match="no template to save"):
            await tab.keep("Empty", "  ")
        assert not (tmp_path / "models" / "config-user.yaml").exists()


async def test_where_visitors_are_kept_apart_no_model_is_changed(tmp_path: Path) -> None:
    async with a_tab(tmp_path, multi_user=True) as tab:
        for refused in (tab.templates.leave(), tab.templates.use("Alpaca"), tab.keep("Shout", SHOUT)):
            with pytest.raises(gr.Error, match="--multi-user"):
                await refused


async def test_the_dialogue_begins_with_the_built_in_template(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        assert await tab.templates.begin_dialogue() == DIALOGUE.source
        assert tab.page.settings.chat_template_str == DIALOGUE.source
        await tab.templates.note_dialogue("")
        assert tab.page.settings.chat_template_str == ""


def test_which_template_is_in_use(tmp_path: Path) -> None:
    library = Library(UserData(tmp_path))
    file = tmp_path / "mine.jinja"
    file.write_text("x", encoding="utf-8")
    settings = Settings()
    assert template_in_use(None, library, settings) == "No model is loaded."
    assert "its own" in template_in_use(scripted_card(), library, settings)
    assert "It is used with Alpaca" in template_in_use(scripted_card(chat_template=None), library, settings)
    assert "request" in template_in_use(scripted_card(instruction_template="x"), library, settings)
    assert "mine.jinja" in template_in_use(scripted_card(), library, Settings(chat_template_file=file))
    library.model_settings.choose_template("scripted", "Mine")
    assert "Mine, which you" in template_in_use(scripted_card(), library, settings)
