"""What browsers are told about events, and how many of them may be under way."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.ui.served import ServedPage, served_page
from tests.ui.wire import Tab, new_tab

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Gradio's own bound is 40.
FOLLOWERS = 41


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedPage]:
    async with served_page(tmp_path_factory.mktemp("user_data")) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def tab(page: ServedPage) -> AsyncIterator[Tab]:
    async with new_tab(page.http) as opened:
        yield opened


async def test_an_event_cancels_others_before_it_acts(tab: Tab) -> None:
    followers = {tab.dependency("box", "submit")["id"], tab.dependency("regenerate", "click")["id"]}
    for name, event in (("new-chat", "click"), ("past-chats", "select"), ("past-chats", "delete"), ("mode", "input")):
        (cancelling,) = (
            each for each in tab.events if each["cancels"] and [tab.component(name), event] in each["targets"]
        )
        assert cancelling["backend_fn"]
        assert followers <= set(cancelling["cancels"])


async def test_no_progress_is_kept_of_events_that_show_none(tab: Tab) -> None:
    hidden = [each for each in tab.events if each["show_progress"] == "hidden"]
    assert len(hidden) > 100
    assert all(each["show_progress_on"] == [] for each in hidden)


@pytest.mark.extended
async def test_many_who_read_along_hold_nobody_up(page: ServedPage, tab: Tab) -> None:
    await tab.act("new-chat", "click")
    event = await tab.say("stall")
    await tab.until("waiting")
    async with AsyncExitStack() as stack:
        for _ in range(FOLLOWERS):
            await stack.enter_async_context(new_tab(page.http, is_busy=True))
        reader = await stack.enter_async_context(new_tab(page.http, is_busy=True))
        await reader.act("new-chat", "click")
        assert reader.words == []
    await tab.act("box", "stop")
    await tab.over(event)
