"""How a conversation was spelled is known after a restart where the model keeps its prefixes on disk, and else nowhere."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from modules.backends.kv.disk.folder import PIECE, prefix_folder
from modules.chat.prefix.kept import KeptSpellings
from modules.chat.prefix.repair import PrefixRepair
from modules.messages import Message, ToolSpec
from modules.requests import PREFIX_REPAIRS
from tests.chat.prefix.test_repair import OWNER, READ, READ_TURNED, WRITE, asking, replied, result, said, user

LIMIT = 2**20


@asynccontextmanager
async def started(cache: Path) -> AsyncIterator[PrefixRepair]:
    """A new server, as far as its memory can tell; what it was to write is written at the end."""
    kept = KeptSpellings(cache)
    yield PrefixRepair(PREFIX_REPAIRS, kept=kept)
    kept.close()


async def hold(repair: PrefixRepair, *messages: Message, tools: tuple[ToolSpec, ...] = (), limit: int = LIMIT) -> None:
    """A request, and its reply."""
    await replied(repair, asking(*messages, tools=tools), "Yes. ", disk_limit=limit)


def files_in(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.suffix == PIECE]


async def tools_of(repair: PrefixRepair, *tools: ToolSpec) -> tuple[ToolSpec, ...]:
    return (await repair.repaired(asking(user("x"), tools=tools), OWNER)).request.tools


async def test_a_conversation_is_spelled_as_before(tmp_path: Path) -> None:
    prefix_folder(tmp_path, LIMIT).open()
    first = (user("Go. "), said("", '{"path": "a",  "n": 1.0}'), result('{"b": 1, "a": 2}'))
    async with started(tmp_path) as repair:
        await hold(repair, *first, tools=(READ, WRITE))
    async with started(tmp_path) as repair:
        assert [repr(each) for each in await tools_of(repair, WRITE, READ_TURNED)] == [repr(READ), repr(WRITE)]
        sent = (user("Go."), said("", '{"n":1,"path":"a"}'), result('{"a": 2, "b": 1}'), said("Yes."), user(" new"))
        told = (await repair.repaired(asking(*sent), OWNER)).request.messages
    assert told[0] == first[0]
    assert told[1].tool_calls[0].arguments == first[1].tool_calls[0].arguments
    assert told[2] == first[2]
    assert told[3].text == "Yes. "
    assert told[4] == sent[4]


async def test_where_nothing_is_to_be_kept_nothing_is(tmp_path: Path) -> None:
    async with started(tmp_path) as repair:
        await hold(repair, user("secret "), tools=(READ,))
    assert files_in(tmp_path) == []
    prefix_folder(tmp_path, LIMIT).open()
    async with started(tmp_path) as repair:
        await hold(repair, user("secret "), tools=(READ,), limit=0)
    assert files_in(tmp_path) == []


async def test_what_was_deleted_is_not_written_again(tmp_path: Path) -> None:
    folder = prefix_folder(tmp_path, LIMIT)
    folder.open()
    async with started(tmp_path) as repair:
        await hold(repair, user("before "), tools=(READ, WRITE))
        folder.clear()
        folder.open()
        await hold(repair, user("after "))
    async with started(tmp_path) as repair:
        assert await tools_of(repair, WRITE, READ) == (WRITE, READ)
        for text, known in (("before", "before"), ("after", "after ")):
            told = await repair.repaired(asking(user(text), said("Yes."), user("b")), OWNER)
            assert told.request.messages[0].text == known


async def test_many_files_become_one_and_stay_within_the_limit(tmp_path: Path) -> None:
    folder = prefix_folder(tmp_path, 30_000)
    folder.open()
    async with started(tmp_path) as repair:
        for number in range(150):
            await hold(repair, user(f"{number} "), limit=30_000)
    assert len(files_in(tmp_path)) < 70
    assert folder.used_bytes() <= 30_000
    async with started(tmp_path) as repair:
        for number in (0, 70, 149):
            told = await repair.repaired(asking(user(str(number)), said("Yes."), user("b")), OWNER)
            assert told.request.messages[0].text == f"{number} "


async def test_files_tell_nothing_and_damage_costs_what_was_damaged(tmp_path: Path) -> None:
    folder = prefix_folder(tmp_path, LIMIT)
    folder.open()
    async with started(tmp_path) as repair:
        await hold(repair, user("whisper "), tools=(replace(READ, description="whisper"),))
        await hold(repair, user("a "))
    files = files_in(tmp_path)
    assert len(files) == 2
    assert not any(b"whisper" in file.read_bytes() or b"path" in file.read_bytes() for file in files)
    files[0].write_bytes(files[0].read_bytes()[:-1] + b"x")
    async with started(tmp_path) as repair:
        await tools_of(repair, READ)
    assert folder.counts().damaged == 1
    assert len(files_in(tmp_path)) == 1


@pytest.mark.parametrize("value", [2**70, "\ud800"])
async def test_what_cannot_be_written_is_left_out(tmp_path: Path, value: object) -> None:
    prefix_folder(tmp_path, LIMIT).open()
    odd = ToolSpec("odd", "", {"type": "object", "default": json.loads(json.dumps(value))})
    async with started(tmp_path) as repair:
        await hold(repair, user("a "), tools=(odd, READ))
    async with started(tmp_path) as repair:
        assert repr(await tools_of(repair, READ_TURNED)) == repr((READ,))
