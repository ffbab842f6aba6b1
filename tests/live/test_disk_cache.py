"""--cache-disk on a real server: after a kill of the model process, and after a restart, little is read again."""

import asyncio
import signal
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.live.agent_conversations import TurnUsage
from tests.live.client import ask, text_of
from tests.live.server import LiveServer, live_server
from tests.live.test_agent_conversations import AGENTS, SHARE, TEMPLATE, Agent, shares, table
from tests.model_files import template_files

pytestmark = [pytest.mark.live, pytest.mark.model]

SYSTEM: Final = " ".join(f"Rule {number}: be kind to every guest." for number in range(60))
# Enough for what a test keeps.
FLAGS: Final = ("--cache-disk", 1)
QUIET_POLLS: Final = 25
POLL_SECONDS: Final = 0.02
WRITES: Final = "llm_disk_cache_writes_total"


class Chat:
    """A conversation, turn by turn."""

    def __init__(self) -> None:
        self._turns: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM}]

    async def turn(self, http: httpx.AsyncClient, number: int) -> TurnUsage:
        self._turns.append({"role": "user", "content": f"I am guest {number}. Name a colour for me."})
        answer = await ask(http, {"messages": self._turns, "max_tokens": 12, "temperature": 0})
        self._turns.append({"role": "assistant", "content": text_of(answer)})
        usage = answer["usage"]
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        return TurnUsage(usage["prompt_tokens"], cached, usage["completion_tokens"])


async def figure(server: LiveServer, name: str) -> float:
    async with server.client() as http:
        text = (await http.get("/metrics")).text
    return next(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    )


async def until_written(server: LiveServer, before: float) -> None:
    """Until more was written than `before`, and then nothing for many polls."""
    seen = [before]
    while len(seen) <= QUIET_POLLS or seen[-QUIET_POLLS] != seen[-1] or seen[-1] == before:
        await asyncio.sleep(POLL_SECONDS)
        seen.append(await figure(server, WRITES))


def kill_model(server: LiveServer) -> None:
    process = server.model_process()
    process.send_signal(signal.SIGKILL)
    process.wait()


async def turn_of(server: LiveServer, agent: Agent, number: int) -> TurnUsage:
    async with server.client() as http:
        return await agent.turn(http, number)


async def killed(server: LiveServer, agent: Agent, turns: int) -> list[TurnUsage]:
    """So many turns, after each of which the model process is killed."""
    usages: list[TurnUsage] = []
    for number in range(turns):
        before = await figure(server, WRITES)
        usages.append(await turn_of(server, agent, number))
        assert await figure(server, "llm_disk_cache_hits_total") == number
        await until_written(server, before)
        kill_model(server)
    return usages


async def interrupted(folder: Path, agent: Agent, *flags: object) -> list[TurnUsage]:
    """Three turns: after each of two the model process is killed, after the second the server as well."""
    async with live_server(folder, *FLAGS, *flags) as server:
        usages = await killed(server, agent, 2)
        server.kill()
    async with live_server(folder, *FLAGS, *flags) as server:
        usages.append(await turn_of(server, agent, 2))
    return usages


async def test_a_chat_goes_on_after_a_kill_and_after_a_restart(tmp_path: Path) -> None:
    usages = await interrupted(tmp_path, Chat())
    assert min(shares(usages)) >= SHARE, table("chat", usages)


@pytest.mark.extended
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", AGENTS)
async def test_agents_go_on_after_a_kill_and_after_a_restart(tmp_path: Path, name: str) -> None:
    [template] = [path for path in template_files() if path.stem == TEMPLATE]
    flags = ("--chat-template-file", template, "--responses-on-disk")
    usages = await interrupted(tmp_path, AGENTS[name](), *flags)
    assert min(shares(usages)) >= SHARE, table(name, usages)
