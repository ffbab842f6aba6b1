"""What is computed once, seen from outside: by the tokens that the usage calls cached."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.live.client import ask, says, text_of

pytestmark = [pytest.mark.live, pytest.mark.model]

CLIENTS = 8
SYSTEM = " ".join(f"Rule {number}: be kind to every guest." for number in range(80))


async def test_the_second_of_two_equal_chats_is_cached(http: httpx.AsyncClient) -> None:
    body = says("Name three rivers of Europe.", max_tokens=8)
    first, second = await ask(http, body), await ask(http, body)
    assert cached(second) == second["usage"]["prompt_tokens"] - 1
    assert text_of(first) == text_of(second)


async def test_a_conversation_that_goes_on_is_cached_up_to_its_last_turn(http: httpx.AsyncClient) -> None:
    turns = [{"role": "user", "content": "Name a colour."}]
    first = await ask(http, {"messages": turns, "max_tokens": 12, "temperature": 0})
    turns += [{"role": "assistant", "content": text_of(first)}, {"role": "user", "content": "And another one?"}]
    second = await ask(http, {"messages": turns, "max_tokens": 12, "temperature": 0})
    assert cached(second) >= first["usage"]["prompt_tokens"]


async def test_eight_at_once_with_one_cold_system_prompt_compute_it_once(http: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(ask(http, as_guest(number)) for number in range(CLIENTS)))
    lengths = {answer["usage"]["prompt_tokens"] for answer in answers}
    computed = sum(answer["usage"]["prompt_tokens"] - cached(answer) for answer in answers)
    assert min(lengths) > 800
    assert computed < 1.6 * max(lengths)


def as_guest(number: int) -> dict[str, Any]:
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"I am guest {number}. Who are you?"}]
    return {"messages": turns, "max_tokens": 4, "temperature": 0}


def cached(answer: dict[str, Any]) -> int:
    return int(answer["usage"]["prompt_tokens_details"]["cached_tokens"])
