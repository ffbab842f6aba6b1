"""One streamed chat request to any OpenAI-compatible server, timed."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import aiohttp

Message = dict[str, str]


@dataclass(slots=True)
class Reply:
    """What came back. Times are in seconds since the request was sent; `gaps` lie between content chunks."""

    text: str = ""
    tokens: int = 0
    first_token_seconds: float = 0.0
    gaps: list[float] = field(default_factory=list)


class Client:
    """Talks to `base`, for instance http://127.0.0.1:5000/v1, with a new connection for each request."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def chat(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        *,
        leaves_after: int = 0,
        fields: Mapping[str, Any] = MappingProxyType({}),
    ) -> Reply:
        """A greedy reply; after so many chunks the connection is closed, if that is not 0. Raises RuntimeError when the
        server does not answer 200."""
        body = {
            "model": "x",
            "messages": list(messages),
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            **fields,
        }
        reply, started = Reply(), time.perf_counter()
        last = started
        async with self._session.post(f"{self._base}/chat/completions", json=body) as response:
            if response.status != 200:
                raise RuntimeError(f"{response.status}: {await response.text()}")
            async for line in response.content:
                piece = _content(line, reply)
                if piece:
                    now = time.perf_counter()
                    if reply.text:
                        reply.gaps.append(now - last)
                    else:
                        reply.first_token_seconds = now - started
                    last = now
                    reply.text += piece
                    if leaves_after and len(reply.gaps) + 1 >= leaves_after:
                        return reply
        if not reply.text:
            # Its tokens were parts of characters, which nobody is shown.
            reply.first_token_seconds = time.perf_counter() - started
        return reply


def _content(line: bytes, reply: Reply) -> str:
    data = line.removeprefix(b"data:").strip()
    if not line.startswith(b"data:") or data == b"[DONE]":
        return ""
    chunk = json.loads(data)
    if chunk.get("usage"):
        reply.tokens = chunk["usage"]["completion_tokens"]
    choices = chunk.get("choices")
    return _said(choices[0]["delta"]) if choices else ""


def _said(delta: Mapping[str, Any]) -> str:
    """Text, or a piece of a call."""
    calls = (call["function"] for call in delta.get("tool_calls") or ())
    return (delta.get("content") or "") + "".join(call.get("arguments") or call.get("name") or "" for call in calls)
