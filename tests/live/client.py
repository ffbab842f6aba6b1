"""Asking a live server over plain HTTP: requests with one right answer, streams event by event, a steady pulse."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.live.server import LiveServer

CHAT: Final = "/v1/chat/completions"
TEXT: Final = "/v1/completions"
DONE: Final = "[DONE]"
_PULSE_SECONDS: Final = 0.02
_STREAM_SECONDS: Final = 60


def says(words: str, **fields: Any) -> dict[str, Any]:
    """The body of a chat request that says `words`."""
    return {"messages": [{"role": "user", "content": words}], "temperature": 0, **fields}


def repeating(number: int, **fields: Any) -> dict[str, Any]:
    """A chat request to which even a very small model gives the one right answer."""
    return says(f"Repeat exactly: {right_answer(number)}", max_tokens=20, **fields)


def right_answer(number: int) -> str:
    return f"The number is {number}."


def endless(tokens: int = 2000, **fields: Any) -> dict[str, Any]:
    """A chat request whose reply goes on for that many tokens."""
    return says("Tell me a long story.", max_tokens=tokens, ignore_eos=True, **fields)


async def ask(http: httpx.AsyncClient, body: dict[str, Any], path: str = CHAT) -> dict[str, Any]:
    """The whole answer, which must be one."""
    response = await http.post(path, json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def text_of(answer: dict[str, Any]) -> str:
    choice = answer["choices"][0]
    return str(choice["message"]["content"] if "message" in choice else choice["text"]).strip()


async def expect_right_answer(http: httpx.AsyncClient, number: int) -> dict[str, Any]:
    answer = await ask(http, repeating(number))
    assert text_of(answer) == right_answer(number)
    return answer


@asynccontextmanager
async def streaming(
    http: httpx.AsyncClient, body: dict[str, Any], path: str = CHAT
) -> AsyncIterator[AsyncGenerator[str, None]]:
    """The data of each event of a stream that has begun well. A connection that breaks raises, and so does a stream
    that outlasts `_STREAM_SECONDS`: keep-alive comments would let a reader wait for ever."""
    request = http.stream("POST", path, json={**body, "stream": True})
    async with asyncio.timeout(_STREAM_SECONDS), request as response:
        assert response.status_code == 200, await response.aread()
        async with aclosing(_events(response)) as events:
            yield events


async def _events(response: httpx.Response) -> AsyncGenerator[str, None]:
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            yield line.removeprefix("data: ")


async def until_text(events: AsyncGenerator[str, None], pieces: int = 1) -> None:
    """Reads on until that many pieces of text have come."""
    while pieces and (event := await anext(events)):
        pieces -= bool(delta_of(event))


async def rest_of(events: AsyncGenerator[str, None]) -> list[str]:
    return [event async for event in events]


def delta_of(event: str) -> str:
    """The text that an event of a chat stream adds."""
    choices = () if event == DONE else json.loads(event).get("choices", ())
    return "".join(choice["delta"].get("content", "") for choice in choices)


def error_of(event: str) -> dict[str, Any] | None:
    """The error object of an event that is one."""
    error: dict[str, Any] | None = None if event == DONE else json.loads(event).get("error")
    return error


def finish_of(events: list[str]) -> list[str]:
    """Every finish reason in them."""
    choices = [choice for event in events if event != DONE for choice in json.loads(event).get("choices", ())]
    return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


@dataclass(frozen=True, slots=True)
class Beat:
    """One answer of /health."""

    status: int
    body: dict[str, Any]


@asynccontextmanager
async def pulse(server: LiveServer) -> AsyncIterator[list[Beat]]:
    """Asks /health again and again while the block runs. An answer that does not come fails the test."""
    beats: list[Beat] = []
    async with server.client() as http:
        beating = asyncio.create_task(_beat(http, beats))
        try:
            yield beats
        finally:
            beating.cancel()
            await asyncio.wait([beating])
        if not beating.cancelled():
            beating.result()


async def _beat(http: httpx.AsyncClient, beats: list[Beat]) -> None:
    while True:
        response = await http.get("/health")
        beats.append(Beat(response.status_code, response.json()))
        await asyncio.sleep(_PULSE_SECONDS)
