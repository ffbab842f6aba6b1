"""Every event of the page with values that its menus and fields could not hold."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.ui.security.hostile import ANY_EVENT, EVENT_DATA, NAMES, SECRET, SHAPES, Trap
from tests.ui.served import ServedPage
from tests.ui.wire import Tab, new_tab

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


@pytest.mark.parametrize("some", [1, pytest.param(len(NAMES), id="all", marks=pytest.mark.extended)])
async def test_names_outside_menus(page: ServedPage, trap: Trap, caplog: pytest.LogCaptureFixture, some: int) -> None:
    """These are values that fields can hold, so there is an answer to every one. Daily each event has one of them, in
    turn."""
    async with walking(page, trap) as walk:
        for at, dependency in enumerate(walk.dependencies):
            names = [NAMES[(at + more) % len(NAMES)] for more in range(some)]
            sent = [[_in_place(walk.tab, number, name) for number in dependency["inputs"]] for name in names]
            await walk.send(dependency, sent)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.extended
async def test_values_of_the_wrong_shape(page: ServedPage, trap: Trap) -> None:
    async with walking(page, trap) as walk:
        for dependency in walk.dependencies:
            count = len(dependency["inputs"])
            await walk.send(dependency, [[shape] * count for shape in SHAPES] + [["../canary"] * (count + 1)])


@pytest.mark.extended
async def test_events_that_say_something_else(page: ServedPage, trap: Trap) -> None:
    async with walking(page, trap) as walk:
        for dependency in walk.dependencies:
            for data in EVENT_DATA:
                await walk.send(dependency, [None], data)


async def test_the_page_still_works_after_all_that(page: ServedPage) -> None:
    async with new_tab(page.http) as tab:
        await tab.act("new-chat", "click")
        # What was entered in its fields is remembered, as it should be.
        tab.values = {number: each["props"].get("value") for number, each in tab.at_first.items()}
        event = await tab.act("dummy-message", "click", box={"text": "still here", "files": []})
        assert event.error is None
        assert tab.words == ["still here"]


class Walk:
    """All events of the page, in a tab of its own. An answer may be anything but a failure of the program."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.dependencies = [each for each in tab.events if each["backend_fn"] and self._takes_words(each)]

    def _takes_words(self, dependency: dict[str, Any]) -> bool:
        """Numbers name nothing, and there are many of them."""
        kinds = {self.tab.components[number]["type"] for number in dependency["inputs"]}
        return not kinds or not kinds <= {"slider", "number"}

    async def send(self, dependency: dict[str, Any], several: list[Any], event_data: Any = ANY_EVENT) -> None:
        posts = await asyncio.gather(*(self.tab.post(dependency, data, event_data) for data in several))
        assert {post.status_code for post in posts} <= {200, 400, 404, 422}
        events = [self.tab.expect(post, dependency) for post in posts if post.status_code == 200]
        for event in events:
            await self.tab.over(event)


@asynccontextmanager
async def walking(page: ServedPage, trap: Trap) -> AsyncIterator[Walk]:
    async with new_tab(page.http) as tab:
        yield Walk(tab)
        assert len(tab.heard) > len(tab.events)
        assert [line for line in tab.heard if SECRET in line or "root:x:" in line] == []
    trap.check()


def _in_place(tab: Tab, number: int, name: str) -> Any:
    """What a component would send, with `name` in it."""
    kind = tab.components[number]["type"]
    if kind == "multimodaltextbox":
        return {"text": name, "files": []}
    if kind == "checkboxgroup":
        return [name]
    if kind in {"uploadbutton", "file", "image", "downloadbutton"}:
        return {"path": name, "meta": {"_type": "gradio.FileData"}}
    return name
