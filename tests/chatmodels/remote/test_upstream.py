"""Upstream: what comes back of servers that behave and of those that fail."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import Any

import pytest

from modules.chatmodels.remote.replicas import FIRST_PAUSE_SECONDS, Replicas
from modules.chatmodels.remote.replies import ReplyReader
from modules.chatmodels.remote.upstream import Upstream
from modules.errors import (
    BadRequest,
    Busy,
    NotFound,
    ServiceError,
    UpstreamFailed,
    UpstreamSilent,
    UpstreamUnavailable,
)
from modules.events import Content, Done, Event, FinishReason
from modules.reply.format import PLAIN
from tests.chatmodels.remote.raw_server import (
    Answer,
    Request,
    delta,
    event,
    fails,
    hangs,
    head,
    piece,
    raw_server,
    sends,
    streams,
)

HELLO = (delta("Hel"), delta("lo"), delta(finish="stop"))
WIRE = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in HELLO)
NOWHERE = "http://127.0.0.1:9/v1"


def _reader() -> ReplyReader:
    return ReplyReader(1, PLAIN)


async def _events(upstream: Upstream) -> AsyncGenerator[Event, None]:
    async with aclosing(upstream.reply("/chat/completions", {"model": "m"}, _reader)) as events:
        async for each in events:
            yield each


async def _said(upstream: Upstream) -> str:
    async with aclosing(_events(upstream)) as events:
        found = [each async for each in events]
    assert isinstance(found[-1], Done)
    return "".join(each.text for each in found if isinstance(each, Content))


async def _outcome(*urls: str, silence: float = 5.0, key: str = "") -> str:
    upstream = Upstream("up", urls, key=key, timeout=silence)
    try:
        return await _said(upstream)
    finally:
        await upstream.aclose()


async def test_upstream_passes_a_stream_on() -> None:
    async with raw_server(streams(*HELLO)) as server:
        assert await _outcome(server.url, key="k") == "Hello"
    assert server.requests[0].headers["authorization"] == "Bearer k"
    assert server.requests[0].path == "/v1/chat/completions"


async def test_upstream_sends_no_key_when_there_is_none() -> None:
    async with raw_server(streams(*HELLO)) as server:
        await _outcome(server.url)
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(streams(*HELLO, done=False), id="no [DONE]"),
        pytest.param(sends(head(), *map(event, HELLO), closes=True), id="cut after finish_reason"),
        pytest.param(hangs(head(), *map(event, HELLO)), id="never closed after finish_reason"),
        pytest.param(sends(head(), piece(b": ping\n\n"), *map(event, HELLO), piece(b"")), id="comments"),
        pytest.param(
            sends(
                head(kind="application/json"),
                piece(b'{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}'),
                piece(b""),
            ),
            id="not streamed",
        ),
        pytest.param(streams(delta("x", index=1), *HELLO, delta("y", index=7)), id="choices nobody asked for"),
        pytest.param(streams({"choices": []}, *HELLO, {"choices": None, "usage": "many"}), id="odd chunks"),
        pytest.param(sends(head(), *(piece(bytes([byte])) for byte in WIRE), piece(b"")), id="byte by byte"),
        pytest.param(sends(head(), piece(WIRE.replace(b"\n", b"\r\n")), piece(b"")), id="CRLF"),
    ],
)
async def test_upstream_takes_a_whole_reply(answer: Answer) -> None:
    async with raw_server(answer) as server:
        assert await _outcome(server.url) == "Hello"


FAILURES: list[tuple[str, Answer, type[ServiceError]]] = [
    ("status 500", fails("500 Oops"), UpstreamFailed),
    ("status 503", fails("503 Not now"), UpstreamUnavailable),
    ("status 504", fails("504 Late"), UpstreamSilent),
    ("status 429", fails("429 Busy", Retry_After=7), Busy),
    ("status 401", fails("401 Who"), UpstreamFailed),
    ("status 403", fails("403 No"), UpstreamFailed),
    ("status 402", fails("402 Pay"), UpstreamFailed),
    ("status 405", fails("405 Not so"), UpstreamFailed),
    ("redirect", sends(head("302 Found", Location="http://127.0.0.1:9/"), piece(b"")), UpstreamFailed),
    ("cut at once", sends(closes=True), UpstreamFailed),
    ("cut before a token", sends(head(), closes=True), UpstreamFailed),
    ("no end", streams(done=False), UpstreamFailed),
    ("garbage", sends(b"\x00\xff\x17 nonsense\r\n\r\n", closes=True), UpstreamFailed),
    ("garbage in the stream", streams(b"{nonsense"), UpstreamFailed),
    ("a list", streams(b"[1, 2]"), UpstreamFailed),
    ("an error event", streams({"error": {"message": "secret words", "code": 500}}), UpstreamFailed),
    ("a page", sends(head(kind="text/html"), piece(b"<html>secret words</html>"), piece(b"")), UpstreamFailed),
    ("a huge line", sends(head(), *[piece(b"data: " + b"x" * 2**20)] * 18), UpstreamFailed),
    ("silence", hangs(), UpstreamSilent),
    ("silence after the headers", hangs(head()), UpstreamSilent),
]


@pytest.mark.parametrize(("answer", "error"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
async def test_upstream_that_fails_is_told_in_our_words(answer: Answer, error: type[ServiceError]) -> None:
    async with raw_server(answer) as server:
        with pytest.raises(error) as caught:
            await _outcome(server.url, silence=0.5, key="secret-key")
    assert "secret" not in caught.value.message
    assert caught.type is error


@pytest.mark.parametrize("answer", [row[1] for row in FAILURES], ids=[row[0] for row in FAILURES])
async def test_upstream_tries_another_server_before_the_first_token(answer: Answer) -> None:
    async with raw_server(answer) as first, raw_server(streams(*HELLO)) as second:
        assert await _outcome(first.url, second.url, silence=0.5) == "Hello"
        assert len(first.requests) == len(second.requests) == 1


async def test_upstream_that_cannot_be_reached() -> None:
    with pytest.raises(UpstreamUnavailable):
        await _outcome(NOWHERE)


async def test_upstream_that_takes_no_connection() -> None:
    """Its queue of connections is full, so that connecting takes for ever."""
    with ExitStack() as sockets:
        deaf = sockets.enter_context(socket.socket())
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1"
        with pytest.raises(UpstreamUnavailable):
            await _outcome(url, silence=0.5)
        async with raw_server(streams(*HELLO)) as server:
            assert await _outcome(url, server.url, silence=0.5) == "Hello"


@pytest.mark.parametrize("before", [b"", head()], ids=["headers", "first token"])
async def test_upstream_that_is_slow_is_waited_for(before: bytes) -> None:
    goes_on = asyncio.Event()

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(before)
        await writer.drain()
        await goes_on.wait()
        writer.write((b"" if before else head()) + b"".join(map(event, HELLO)) + piece(b""))

    async with raw_server(answer) as first, raw_server(streams(*HELLO)) as second:
        outcome = asyncio.create_task(_outcome(first.url, second.url))
        async with asyncio.timeout(20):
            await first.asked.wait()
            goes_on.set()
            assert await outcome == "Hello"
        assert not second.requests


@pytest.mark.parametrize(
    ("status", "error"), [("400 Bad", BadRequest), ("404 None", NotFound), ("422 Odd", BadRequest)]
)
async def test_upstream_refusal_keeps_its_words_but_not_the_key(status: str, error: type[ServiceError]) -> None:
    async with raw_server(fails(status, "no such thing as k3y")) as first, raw_server(streams(*HELLO)) as second:
        with pytest.raises(error) as caught:
            await _outcome(first.url, second.url, key="k3y")
        assert not second.requests
    assert caught.type is error
    assert (caught.value.message, caught.value.code) == ("no such thing as …", "its_code")


async def test_upstream_busy_says_for_how_long() -> None:
    async with raw_server(fails("429 Busy", Retry_After=7)) as first, raw_server(fails("500 Oops")) as second:
        with pytest.raises(Busy) as caught:
            await _outcome(first.url, second.url)
    assert caught.value.retry_after == 7


async def test_upstream_leaves_a_busy_server_alone() -> None:
    async with raw_server(fails("429 Busy", Retry_After=3600)) as first, raw_server(streams(*HELLO)) as second:
        upstream = Upstream("up", [first.url, second.url])
        for _ in range(3):
            assert await _said(upstream) == "Hello"
        assert (len(first.requests), len(second.requests)) == (1, 3)
        await upstream.aclose()


def test_busy_servers_come_back_when_they_said() -> None:
    """It has not failed, so that the next failure is a first one."""
    replicas = Replicas(["a", "b"])
    first, second = replicas.all
    replicas.is_busy(first, 1000.0, 70)
    assert replicas.choose((), 1069.0) is second
    assert replicas.choose((), 1071.0) is first
    replicas.failed(first, 2000.0)
    assert first.paused_until == 2000.0 + FIRST_PAUSE_SECONDS


async def test_upstream_never_tries_another_server_after_the_first_token() -> None:
    async with (
        raw_server(sends(head(), event(delta("Hel")), closes=True)) as first,
        raw_server(streams(*HELLO)) as second,
    ):
        upstream = Upstream("up", [first.url, second.url])
        async with aclosing(_events(upstream)) as events:
            said = await anext(events)
            with pytest.raises(UpstreamFailed):
                await anext(events)
        assert isinstance(said, Content)
        assert said.text == "Hel"
        assert not second.requests
        # The server that failed is left alone for a while.
        assert await _said(upstream) == "Hello"
        assert len(first.requests) == 1
        await upstream.aclose()


async def test_upstream_balances_by_requests_under_way() -> None:
    async with (
        raw_server(hangs(head(), event(delta("a")))) as first,
        raw_server(hangs(head(), event(delta("b")))) as second,
    ):
        upstream = Upstream("up", [first.url, second.url])
        open_replies = []
        for _ in range(6):
            reply = _events(upstream)
            await anext(reply)
            open_replies.append(reply)
        assert len(first.requests) == len(second.requests) == 3
        for reply in open_replies:
            await reply.aclose()
        async with asyncio.timeout(5):
            await first.gone.wait()
            await second.gone.wait()
        await upstream.aclose()


async def test_upstream_sends_a_conversation_where_its_beginning_is() -> None:
    async with raw_server(streams(*HELLO)) as first, raw_server(streams(*HELLO)) as second:
        upstream = Upstream("up", [first.url, second.url])
        body: dict[str, Any] = {}
        reply = upstream.reply("/c", body, _reader, prefixes=(1,))
        await anext(reply)
        async with aclosing(upstream.reply("/c", body, _reader, prefixes=(2,))) as other:
            assert [type(each) async for each in other][-1] is Done
        await reply.aclose()
        for _ in range(3):
            async with aclosing(upstream.reply("/c", body, _reader, prefixes=(2, 3))) as other:
                assert [type(each) async for each in other][-1] is Done
        assert (len(first.requests), len(second.requests)) == (1, 4)
        await upstream.aclose()


async def test_upstream_reuses_connections() -> None:
    ports = set()

    async def answer(request: Any, writer: asyncio.StreamWriter) -> None:
        ports.add(writer.get_extra_info("peername")[1])
        await streams(*HELLO)(request, writer)

    async with raw_server(answer) as server:
        upstream = Upstream("up", [server.url])
        for _ in range(5):
            await _said(upstream)
            await asyncio.sleep(0.01)
        await upstream.aclose()
    assert len(ports) == 1


async def test_upstream_lists_models_of_all_servers() -> None:
    def lists(*entries: object) -> Answer:
        async def answer(_: Any, writer: asyncio.StreamWriter) -> None:
            body = json.dumps({"data": list(entries)}).encode()
            writer.write(head(kind="application/json") + piece(body) + piece(b""))

        return answer

    first_list = lists({"id": "b", "max_model_len": 4096}, {"id": 7}, {"id": "a"}, "x")
    async with raw_server(first_list) as first, raw_server(lists({"id": "c", "context_length": 99})) as second:
        upstream = Upstream("up", [first.url, NOWHERE, second.url])
        models = await upstream.models()
        assert [(model.name, model.context) for model in models] == [("a", 0), ("b", 4096), ("c", 99)]
        assert await upstream.models() is models
        assert len(first.requests) == 1
        await upstream.aclose()


def test_reply_ends_with_the_reason_it_was_given() -> None:
    reader = _reader()
    events = [*reader.feed(delta("a", finish="length")), *reader.close()]
    assert isinstance(done := events[-1], Done)
    assert done.reason is FinishReason.LENGTH
