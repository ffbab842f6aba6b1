"""Everything alive in one object, from its first model to its last stream."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from modules.errors import EngineFailed, NotLoaded, SettingsError
from modules.events import Content, Done, Event, Started
from modules.messages import Role, text_message
from modules.models.loading import launch_in_process
from modules.models.state import Status
from modules.reply.gather import gather
from modules.requests import ChatRequest
from modules.runtime import Runtime
from tests.models.launches import Launches, scripted_settings


def chat(words: str) -> ChatRequest:
    return ChatRequest(model=None, messages=(text_message(Role.USER, words),))


async def test_first_request_waits_for_the_first_model(tmp_path: Path) -> None:
    async with Runtime(scripted_settings(tmp_path), launch=launch_in_process) as runtime:
        before = runtime.models.state
        reply = await gather(runtime.chat.chat(chat("echo: hi"), owner="me"))
        assert reply.choices[0].text == "hi"
        assert [before.status, runtime.models.state.status] == [Status.LOADING, Status.READY]
        assert runtime.data.models == tmp_path


async def test_child_process_is_the_default_and_ends_with_the_runtime(tmp_path: Path) -> None:
    async with Runtime(scripted_settings(tmp_path)) as runtime:
        async with runtime.models.lease(None) as first:
            pass
        with pytest.raises(EngineFailed):
            await gather(runtime.chat.chat(chat("crash"), owner="me"))
        reply = await gather(runtime.chat.chat(chat("echo: back"), owner="me"))
        assert reply.choices[0].text == "back"
        async with runtime.models.lease(None) as last:
            pass
    assert [first.is_alive, last.is_alive] == [False, False]


async def test_closing_ends_open_streams_cleanly(tmp_path: Path) -> None:
    async with Runtime(scripted_settings(tmp_path), launch=launch_in_process) as runtime:
        speaks = asyncio.Event()

        async def read() -> list[Event]:
            events = []
            async with aclosing(runtime.chat.chat(chat("stall"), owner="me")) as stream:
                async for event in stream:
                    events.append(event)
                    if isinstance(event, Content):
                        speaks.set()
            return events

        reading = asyncio.create_task(read())
        await speaks.wait()
    events = await reading
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Done)


async def test_unknown_first_model_is_a_settings_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--model"):
        async with Runtime(scripted_settings(tmp_path, loader=None, model="typo")):
            pass


async def test_runtimes_do_not_know_each_other(tmp_path: Path) -> None:
    first_launches, second_launches = Launches(), Launches()
    first = Runtime(scripted_settings(tmp_path), launch=first_launches)
    second = Runtime(scripted_settings(tmp_path, loader=None), launch=second_launches)
    async with first, second:
        assert (await gather(first.chat.chat(chat("echo: 1"), owner="me"))).choices[0].text == "1"
        with pytest.raises(NotLoaded):
            await gather(second.chat.chat(chat("echo: 2"), owner="me"))
    assert second_launches.probed == []
