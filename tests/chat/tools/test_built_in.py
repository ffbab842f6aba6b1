"""The tools that come with the program."""

import re
from datetime import UTC, datetime

import pytest

from modules.chat.tools.base import Origin
from modules.chat.tools.toolbox import ToolBox


async def test_they_are_listed(box: ToolBox) -> None:
    infos = await box.available()
    assert [(info.name, info.origin, info.problem) for info in infos] == [
        (name, Origin.BUILT_IN, None) for name in ("calculate", "get_datetime", "roll_dice")
    ]
    assert all(info.description for info in infos)


async def test_specs_come_in_the_order_asked_for(box: ToolBox) -> None:
    specs = await box.specs(["roll_dice", "no_such_tool", "calculate", "roll_dice"])
    assert [spec.name for spec in specs] == ["roll_dice", "calculate"]
    assert specs[1].parameters is not None
    assert specs[1].parameters["required"] == ["expression"]


async def test_calculate(box: ToolBox) -> None:
    assert await box.call("calculate", '{"expression": "2 * (3 + 4)"}') == "14"
    assert await box.call("calculate", '{"expression": 3}') == "3"
    assert (await box.call("calculate", '{"expression": "1/0"}')).startswith("Error: ")
    assert (await box.call("calculate", "{}")).startswith("Error: ")


async def test_get_datetime(box: ToolBox) -> None:
    answer = await box.call("get_datetime", '{"timezone": "UTC"}')
    told = datetime.strptime(answer.split(", ")[1].split(" (")[0], "%Y-%m-%d %H:%M:%S %z")
    assert abs((datetime.now(UTC) - told).total_seconds()) < 5
    assert re.fullmatch(r"\w+day, .*", await box.call("get_datetime", ""))
    assert "+0900 (JST)" in await box.call("get_datetime", '{"timezone": "Asia/Tokyo"}')


@pytest.mark.parametrize("zone", ["Nowhere", "../../etc/passwd", "/etc/passwd", "a\\u0000b", "x" * 5000])
async def test_time_zones_that_are_none(box: ToolBox, zone: str) -> None:
    answer = await box.call("get_datetime", f'{{"timezone": "{zone}"}}')
    assert answer.startswith("Error: There is no time zone")


async def test_roll_dice(box: ToolBox) -> None:
    rolls, total = (await box.call("roll_dice", '{"count": 5, "sides": 4}')).split(" (sum ")
    numbers = [int(roll) for roll in rolls.split(", ")]
    assert len(numbers) == 5
    assert all(1 <= number <= 4 for number in numbers)
    assert total == f"{sum(numbers)})"
    assert 1 <= int(await box.call("roll_dice", "{}")) <= 6


@pytest.mark.parametrize("arguments", ['{"count": 0}', '{"count": 1000000}', '{"sides": "six"}', '{"sides": true}'])
async def test_impossible_dice(box: ToolBox, arguments: str) -> None:
    assert (await box.call("roll_dice", arguments)).startswith("Error: The argument ")


@pytest.mark.parametrize("arguments", ["{", "[1]", "null", '"a"', "[" * 100_000, " " * 2_000_000])
async def test_arguments_that_are_no_object(box: ToolBox, arguments: str) -> None:
    assert (await box.call("roll_dice", arguments)).startswith("Error: The arguments ")


@pytest.mark.parametrize("name", ["", "zip", "../calculate", "x" * 10_000, "\0"])
async def test_unknown_names(box: ToolBox, name: str) -> None:
    answer = await box.call(name, "{}")
    assert answer.startswith("Error: There is no tool named")
    assert len(answer) < 200
