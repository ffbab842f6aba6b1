"""A long prompt that arrives beside a running stream is read in slices, with a token of the stream after each."""

import asyncio
import json

import httpx
import pytest

from tests.live.client import DONE, ask, endless, says, streaming

pytestmark = [pytest.mark.live, pytest.mark.model]

UNDISTURBED = 40
# Read as fast as it goes, the prompt takes two batches. A slice may take five times as long as a token of the stream.
MIN_SLICES = 6


async def test_a_long_prompt_does_not_stall_a_running_stream(http: httpx.AsyncClient) -> None:
    async with streaming(http, endless(600, logprobs=True)) as events:
        tokens = 0
        while tokens < UNDISTURBED:
            tokens += tokens_in(await anext(events))
        arriving, tokens = asyncio.create_task(ask(http, long_prompt())), 0
        while not arriving.done():
            tokens += tokens_in(await anext(events))
    usage = (await arriving)["usage"]
    assert 700 < usage["prompt_tokens"] < 900
    assert usage["prompt_tokens_details"]["cached_tokens"] < 50
    assert tokens >= MIN_SLICES


def tokens_in(event: str) -> int:
    """How many tokens it brings: those that come together travel in one event. The stream must not have ended."""
    assert event != DONE
    choices = json.loads(event)["choices"]
    return sum(len(choice["logprobs"]["content"]) for choice in choices if choice["logprobs"])


def long_prompt() -> dict[str, object]:
    return says("Some words that fill the page. " * 110, max_tokens=1)
