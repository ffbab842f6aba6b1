"""Callers who hang up: their reply is given up at once, whether it streams or not, and the place is free again."""

import asyncio
import json
from pathlib import Path

import pytest

from extensions.openai.access import ANONYMOUS
from extensions.openai.common import stream
from tests.api.serving import CHAT, TEXT, RawCall, Served, calling, says, served, text_of


async def place_is_free(api: Served) -> bool:
    """With one place, a reply can only come when nobody else holds it."""
    async with asyncio.timeout(5):
        answer = await api.post(CHAT, says("echo: free"))
    return bool(answer.json()["choices"][0]["message"]["content"] == "free")


async def test_a_stream_that_nobody_reads_any_more(tmp_path: Path) -> None:
    async with served(tmp_path, parallel=1) as api:
        call = RawCall(api.app, CHAT, json.dumps(says("stall", stream=True)).encode())
        async with calling(call) as running:
            await call.until_says("waiting")
            call.hang_up()
            await running
        assert await place_is_free(api)
        assert api.runtime.work.stop(ANONYMOUS) == 0


@pytest.mark.parametrize("body", [says("stall"), says("stall", n=3)])
async def test_a_whole_answer_that_nobody_waits_for(tmp_path: Path, body: dict[str, object]) -> None:
    async with served(tmp_path, parallel=1) as api:
        call = RawCall(api.app, CHAT, json.dumps(body).encode())
        async with calling(call) as running:
            call.hang_up()
            await running
        assert await place_is_free(api)


async def test_a_stream_that_has_not_begun(tmp_path: Path) -> None:
    """It waits for a place, so no header has been sent."""
    async with served(tmp_path, parallel=1) as api:
        first, second = (RawCall(api.app, CHAT, json.dumps(says("stall", stream=True)).encode()) for _ in range(2))
        async with calling(first) as running:
            await first.until_says("waiting")
            async with calling(second) as waiting:
                second.hang_up()
                await waiting
            assert api.runtime.work.stop(ANONYMOUS) == 1
            await running
        assert await place_is_free(api)


async def test_many_prompts_at_once(tmp_path: Path) -> None:
    async with served(tmp_path, parallel=1) as api:
        call = RawCall(api.app, TEXT, json.dumps({"prompt": ["stall"] * 20, "stream": True}).encode())
        async with calling(call) as running:
            await call.until_says("waiting")
            call.hang_up()
            await running
        assert await place_is_free(api)


async def test_a_hundred_who_leave_and_a_hundred_who_stay(tmp_path: Path) -> None:
    async with served(tmp_path, parallel=4) as api:
        leaving = [RawCall(api.app, CHAT, json.dumps(says("stall", stream=True)).encode()) for _ in range(100)]
        runs = [asyncio.create_task(call.run()) for call in leaving]
        await leaving[0].until_says("waiting")
        staying = [api.post(CHAT, says(f"echo: {number}", stream=number % 2 == 0)) for number in range(100)]
        answers = [asyncio.create_task(answer) for answer in staying]
        for call in leaving:
            call.hang_up()
        await asyncio.gather(*runs)
        for number, answer in enumerate(await asyncio.gather(*answers)):
            said = text_of(answer.text) if number % 2 == 0 else answer.json()["choices"][0]["message"]["content"]
            assert said == str(number)
        assert api.runtime.work.stop(ANONYMOUS) == 0


async def test_an_ending_server_ends_streams_with_an_error(api: Served) -> None:
    call = RawCall(api.app, CHAT, json.dumps(says("stall", stream=True)).encode())
    async with calling(call) as running:
        await call.until_says("waiting")
        api.closing.set()
        await running
    assert b'"code":"server_shutting_down"' in call.sent_body
    assert b"[DONE]" not in call.sent_body
    assert call.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_an_ending_server_answers_who_still_waits(api: Served) -> None:
    call = RawCall(api.app, CHAT, json.dumps(says("stall")).encode())
    async with calling(call) as running:
        api.closing.set()
        await running
    assert call.status == 503


async def test_silence_is_filled_with_comments(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "KEEP_ALIVE_SECONDS", 0.01)
    call = RawCall(api.app, CHAT, json.dumps(says("stall", stream=True)).encode())
    async with calling(call):
        await call.until_says("waiting")
        await call.until_body(b"\n\n: keep-alive\n\n: keep-alive\n\n")
    assert b": ping" not in call.sent_body


async def test_a_reader_that_stops_reading_is_dropped(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "KEEP_ALIVE_SECONDS", 0.02)
    monkeypatch.setattr(stream, "SEND_TIMEOUT_SECONDS", 0.05)
    call = RawCall(api.app, CHAT, json.dumps(says("stall", stream=True)).encode(), is_stuck=True)
    async with asyncio.timeout(5):
        await call.run()
    assert api.runtime.work.stop(ANONYMOUS) == 0
