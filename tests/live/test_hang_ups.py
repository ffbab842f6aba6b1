"""Hundreds of clients that hang up, or never read: nobody else notices, and afterwards the server rests."""

import asyncio
from typing import Final

import httpx
import pytest

from tests.live.client import CHAT, ask, endless, expect_right_answer, repeating, right_answer, says, text_of
from tests.live.raw_client import open_requests
from tests.live.server import LiveServer

pytestmark = [pytest.mark.live, pytest.mark.model, pytest.mark.timeout(240)]

WAVES, WAVE, AT_ONCE = 4, 15, 60
UNANSWERED, UNREAD = 40, 40
WINDOWS: Final = 5
WINDOW_SECONDS: Final = 2
IDLE_SHARE: Final = 0.02


@pytest.mark.parametrize("part", [4, pytest.param(1, marks=pytest.mark.extended)])
async def test_two_hundred_hang_ups_then_a_hundred_answers(
    server: LiveServer, http: httpx.AsyncClient, part: int
) -> None:
    """Every day a quarter of both."""
    for _ in range(WAVES // part):
        await asyncio.gather(*(hang_up_mid_stream(server, number) for number in range(WAVE)))
    await asyncio.gather(*(hang_up_mid_stream(server, number) for number in range(AT_ONCE // part)))
    await hang_up_unanswered(server, http, [endless() for _ in range(UNANSWERED // part)])
    await hang_up_unanswered(server, http, [reading(number) for number in range(UNREAD // part)])
    numbers = range(4000, 4000 + 100 // part)
    answers = await asyncio.gather(*(ask(http, repeating(number)) for number in numbers))
    assert [text_of(answer) for answer in answers] == [right_answer(number) for number in numbers]
    assert len({answer["id"] for answer in answers}) == len(numbers)
    # A token per digit, and five around them.
    assert {answer["usage"]["completion_tokens"] for answer in answers} == {9}
    await expect_rest(server)
    assert "Traceback" not in server.log


@pytest.mark.extended
async def test_a_hang_up_frees_the_place_of_a_long_prompt_at_once(server: LiveServer, http: httpx.AsyncClient) -> None:
    """Sixteen long prompts, two to each place, would take sixteen times the CPU time of one of them."""
    before = server.cpu_seconds()
    usage = (await ask(http, reading(999, max_tokens=1)))["usage"]
    of_one = server.cpu_seconds() - before
    assert usage["prompt_tokens"] > 1500
    before = server.cpu_seconds()
    async with open_requests(server, (reading(number) for number in range(100, 116))):
        assert (await http.get("/health")).status_code == 200
    await expect_right_answer(http, 77)
    assert server.cpu_seconds() - before < 4 * of_one


async def test_five_hundred_clients_that_never_read_are_bounded(server: LiveServer, http: httpx.AsyncClient) -> None:
    before = server.memory_mib()
    async with open_requests(server, (endless(stream=True) for _ in range(500))):
        refused = await http.post(CHAT, json=repeating(1234))
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "queue_full")
        assert (await http.get("/health")).status_code == 200
        assert server.memory_mib() - before < 40
    await expect_right_answer(http, 4321)


async def hang_up_mid_stream(server: LiveServer, number: int) -> None:
    async with open_requests(server, [endless(stream=True)]) as (request,):
        await request.until(b'"delta":{"content":')
        if number % 2:
            await request.hang_up()


async def hang_up_unanswered(server: LiveServer, http: httpx.AsyncClient, bodies: list[dict[str, object]]) -> None:
    """All have reached the server, which answers everybody in one thread, when the first one goes."""
    async with open_requests(server, bodies) as requests:
        assert (await http.get("/health")).status_code == 200
        for request in requests:
            await request.hang_up()


def reading(number: int, **fields: object) -> dict[str, object]:
    """A request that begins with a long prompt unlike all others."""
    return says(f"{number} " + f"Line {number} of the list. " * 180, **({"max_tokens": 200} | fields))


async def expect_rest(server: LiveServer) -> None:
    """All its processes together use next to nothing, when what was under way has been dropped."""
    spent: list[float] = []
    while len(spent) < WINDOWS:
        spent.append(await seconds_spent(server))
        if spent[-1] < IDLE_SHARE * WINDOW_SECONDS:
            return
    pytest.fail(f"{spent} s of CPU, each in {WINDOW_SECONDS} s")


async def seconds_spent(server: LiveServer) -> float:
    before = server.cpu_seconds()
    await asyncio.sleep(WINDOW_SECONDS)
    return server.cpu_seconds() - before
