"""Tools that extensions bring."""

import asyncio
import logging
import threading
from typing import Any

import pytest

from modules.chat.tools.base import Origin
from modules.chat.tools.extension import ExtensionTool
from modules.chat.tools.toolbox import ToolBox
from modules.messages import ToolSpec
from modules.paths import UserData


def box_with(data: UserData, function: Any, name: str = "t", seconds: float = 20) -> ToolBox:
    return ToolBox(data, extension_tools=[ExtensionTool(ToolSpec(name=name), function)], seconds=seconds)


async def test_a_function_runs_off_the_event_loop(data: UserData) -> None:
    box = box_with(data, lambda arguments: {"thread": threading.current_thread().name, **arguments})
    assert await box.call("t", '{"a": 1}') == '{"thread": "extension tool", "a": 1}'
    [info] = [info for info in await box.available() if info.origin is Origin.EXTENSION]
    assert info.name == "t"


async def test_a_coroutine_runs_on_it(data: UserData) -> None:
    async def say(arguments: dict[str, Any]) -> str:
        await asyncio.sleep(0)
        return f"{threading.current_thread().name} {arguments}"

    assert await box_with(data, say).call("t", "{}") == "MainThread {}"


async def test_failures_are_told_and_not_logged(data: UserData, caplog: pytest.LogCaptureFixture) -> None:
    def fail(arguments: dict[str, Any]) -> str:
        raise ValueError(arguments["a"])

    with caplog.at_level(logging.DEBUG):
        assert await box_with(data, fail).call("t", '{"a": "private words"}') == "Error: ValueError: private words"
    assert "private words" not in caplog.text


async def test_one_that_never_ends_is_left(data: UserData) -> None:
    over = threading.Event()
    answer = await box_with(data, lambda _: over.wait(), seconds=0.1).call("t", "{}")
    over.set()
    assert answer == "Error: The tool took longer than 0.1 seconds."


async def test_it_stands_before_a_built_in_one(data: UserData) -> None:
    assert await box_with(data, lambda _: "mine", name="calculate").call("calculate", "{}") == "mine"
