"""Five coding agents, turn after turn: what was seen before is not read again, whatever the client changed in it."""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import pairwise
from typing import Final, Protocol

import httpx
import pytest
import pytest_asyncio

from tests.live.agent_conversations import ClaudeCode, Cline, Codex, OpenCode, TurnUsage
from tests.live.server import LiveServer, live_server
from tests.model_files import QWEN, template_files

pytestmark = [pytest.mark.live, pytest.mark.model]

SHORT: Final = 3
LONG: Final = 10
# The first result is taken back after this turn.
CLEARS: Final = 5
SHARE: Final = 0.97
# The one that changes most in what it sends again; each costs eight seconds of a processor.
DAILY: Final = ("Claude Code",)
TEMPLATE: Final = "Qwen-Qwen2.5-7B-Instruct"


class Agent(Protocol):
    async def turn(self, http: httpx.AsyncClient, number: int) -> TurnUsage: ...


AGENTS: Final[dict[str, Callable[[], Agent]]] = {
    "Claude Code": ClaudeCode,
    "Codex": lambda: Codex(keeps=False),
    "Codex, previous_response_id": lambda: Codex(keeps=True),
    "Cline": Cline,
    "OpenCode": OpenCode,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A small model, with a template that shows tools."""
    [template] = [path for path in template_files() if path.stem == TEMPLATE]
    flags = ("--chat-template-file", template)
    async with live_server(tmp_path_factory.mktemp("server"), *flags) as running:
        yield running


async def conversation(http: httpx.AsyncClient, agent: Agent, turns: int) -> list[TurnUsage]:
    return [await agent.turn(http, number) for number in range(turns)]


def shares(usages: Sequence[TurnUsage]) -> list[float]:
    """From the second turn on: how much of what was read or written before came from the cache."""
    return [now.cached / (before.prompt + before.reply) for before, now in pairwise(usages)]


def table(name: str, usages: Sequence[TurnUsage]) -> str:
    rows = [f"{name}: turn, prompt, from the cache, reply, share of what was seen"]
    for number, (usage, share) in enumerate(zip(usages, [0.0, *shares(usages)], strict=True), start=1):
        rows.append(f"{number:4} {usage.prompt:6} {usage.cached:6} {usage.reply:4} {share:8.3f}")
    return "\n".join(rows)


@pytest.mark.parametrize(
    "name", [name if name in DAILY else pytest.param(name, marks=pytest.mark.extended) for name in AGENTS]
)
async def test_what_was_seen_before_comes_from_the_cache(http: httpx.AsyncClient, name: str) -> None:
    usages = await conversation(http, AGENTS[name](), SHORT)
    assert min(shares(usages)) >= SHARE, table(name, usages)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def large_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    async with live_server(tmp_path_factory.mktemp("large"), "--model", QWEN, "--ctx-size", 8192) as running:
        yield running


@pytest.mark.extended
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", AGENTS)
async def test_ten_turns_come_from_the_cache(
    large_server: LiveServer, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with large_server.client() as http:
        usages = await conversation(http, AGENTS[name](), LONG)
    with capsys.disabled():
        sys.stdout.write(f"\n{table(name, usages)}\n")
    assert min(shares(usages)) >= SHARE, table(name, usages)


@pytest.mark.extended
@pytest.mark.timeout(900)
async def test_up_to_an_edit_an_edited_conversation_comes_from_the_cache(
    large_server: LiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    async with large_server.client() as http:
        usages = await conversation(http, OpenCode(clears=CLEARS), LONG)
    with capsys.disabled():
        sys.stdout.write(f"\n{table('OpenCode, first result taken back', usages)}\n")
    found = shares(usages)
    edited = usages[CLEARS + 1]
    # What stands before the result: the first prompt, and the call that was made in reply.
    assert edited.cached >= SHARE * (usages[0].prompt + usages[0].reply), table("edited", usages)
    assert edited.cached < usages[1].prompt + usages[1].reply
    assert min(found[:CLEARS] + found[CLEARS + 1 :]) >= SHARE, table("edited", usages)
