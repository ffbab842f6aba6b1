"""One list and one way to call tools of every origin: which of several counts, and what a bad call is told."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from modules.chat.tools.base import MAX_ANSWER, Origin
from modules.chat.tools.extension import ExtensionTool
from modules.chat.tools.toolbox import ToolBox
from modules.messages import ToolSpec
from modules.paths import UserData
from tests.chat.tools.test_files import write


def box_with(data: UserData, **functions: Any) -> ToolBox:
    return ToolBox(data, extension_tools=[ExtensionTool(ToolSpec(name=name), each) for name, each in functions.items()])


async def test_toolbox_prefers_the_users_file_then_an_extension_then_what_is_built_in(data: UserData) -> None:
    box = box_with(data, calculate=lambda _: "extension", get_datetime=lambda _: "extension")
    write(data, "calculate", "return 'file'")
    assert await box.call("calculate", "{}") == "file"
    assert await box.call("get_datetime", "{}") == "extension"
    assert await box.call("roll_dice", '{"count": 1, "sides": 1}') != "extension"
    origins = {info.name: info.origin for info in await box.available()}
    assert origins["calculate"] is Origin.FILE
    assert origins["get_datetime"] is Origin.EXTENSION
    assert origins["roll_dice"] is Origin.BUILT_IN
    await box.aclose()


async def test_toolbox_lists_each_name_once_in_order(data: UserData) -> None:
    box = box_with(data, calculate=lambda _: "", Zebra=lambda _: "", apple=lambda _: "")
    names = [info.name for info in await box.available()]
    assert names == sorted(set(names), key=str.lower)
    await box.aclose()


async def test_toolbox_leaves_unknown_names_out_and_repeats_none(data: UserData) -> None:
    box = box_with(data, mine=lambda _: "")
    specs = await box.specs(["mine", "gone", "calculate", "mine"])
    assert [spec.name for spec in specs] == ["mine", "calculate"]
    await box.aclose()


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ("", "{}"),
        (" \n", "{}"),
        ("{", "Error: The arguments are not valid JSON."),
        ("[" * 100_000, "Error: The arguments are not valid JSON."),
        ("[]", "Error: The arguments must be a JSON object."),
        ("null", "Error: The arguments must be a JSON object."),
        ('{"a": "' + "x" * 2**20 + '"}', "Error: The arguments are too long."),
    ],
    ids=["none", "space", "broken", "deep", "list", "null", "long"],
)
async def test_toolbox_says_what_is_wrong_with_arguments(data: UserData, arguments: str, answer: str) -> None:
    box = box_with(data, same=lambda arguments: arguments)
    assert await box.call("same", arguments) == answer
    await box.aclose()


async def test_toolbox_cuts_answers_and_errors_that_are_too_long(data: UserData) -> None:
    def fail(_: Mapping[str, Any]) -> str:
        raise ValueError("y" * 2 * MAX_ANSWER)

    box = box_with(data, long=lambda _: "x" * 2 * MAX_ANSWER, fail=fail)
    for name in ("long", "fail"):
        answer = await box.call(name, "{}")
        assert MAX_ANSWER <= len(answer) < MAX_ANSWER + 200
        assert "The answer has" in answer
    await box.aclose()


async def test_toolbox_call_that_is_cancelled_ends_the_tool(data: UserData) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(_: Mapping[str, Any]) -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return ""

    box = box_with(data, wait=wait, other=lambda _: "still here")
    call = asyncio.create_task(box.call("wait", "{}"))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ended.is_set()
    assert await box.call("other", "{}") == "still here"
    await box.aclose()
    await box.aclose()
