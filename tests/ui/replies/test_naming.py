"""Names that the model gives to chats: only where the user wants it, once, and never in place of the user's."""

import asyncio
import json
from pathlib import Path

import pytest

from modules.library.chats.histories import Place
from modules.ui.replies.naming import title_in
from tests.ui.served import ServedPage, served_page
from tests.ui.wire import new_tab

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize(
    ("answer", "is_cut", "title"),
    [
        ("Night train to Vienna", False, "Night train to Vienna"),
        ('"Night Train"', False, "Night Train"),
        ("**Title: Night Train.**\n\nIt is about", True, "Night Train"),
        ("Night train to Vie", True, "Night train to"),
        ("Donaudampfschifffahrt", True, "Donaudampfschifffahrt"),
        ("\n \n", False, ""),
        ("word " * 40, False, ("word " * 12)[:59] + "…"),
    ],
)
def test_title_in_an_answer(answer: str, is_cut: bool, title: str) -> None:
    assert title_in(answer, is_cut=is_cut) == title


async def title_after(page: ServedPage, *messages: str) -> str:
    """What a chat of these messages is called when the list changes for the last time."""
    async with new_tab(page.http) as tab:
        await tab.act("new-chat", "click")
        for message in messages:
            await tab.ask(message)
        chat = json.loads(tab.value("past-chats"))["chat"]
        await settled(page)
        return page.runtime.library.chats.title(Place(None), chat)


async def settled(page: ServedPage) -> None:
    """Tasks that follow a reply have done their work."""
    mine = asyncio.current_task()
    names = {"ChatNaming.name"}
    later = [task for task in asyncio.all_tasks() if task is not mine and task.get_coro().__qualname__ in names]  # type: ignore[union-attr]
    if later:
        await asyncio.wait(later)


@pytest.mark.asyncio
async def test_the_model_names_a_chat_once_where_it_may(tmp_path: Path) -> None:
    async with served_page(tmp_path, name_chats=True) as page:
        # What the scripted model answers to the request, cut after twelve tokens.
        assert await title_after(page, "echo: Night train") == "You said"
        assert await title_after(page, "echo: Night train", "echo: another") == "You said"


@pytest.mark.asyncio
async def test_a_chat_is_called_by_its_first_line_otherwise(tmp_path: Path) -> None:
    async with served_page(tmp_path) as page:
        assert await title_after(page, "echo: Night train") == "echo: Night train"
