"""Coding agents, newest versions, on a model whose template takes one system text, alternating roles, and one call at
a time."""

import json
from pathlib import Path

import pytest

from tests.live.agents.conftest import Run
from tests.live.agents.programs import AGENTS, CODEX, Agent, written_call

pytestmark = [pytest.mark.live, pytest.mark.extended]

WITH_SERVERS = [agent for agent in AGENTS if agent.mcp_tool]


def named(agent: Agent) -> str:
    return agent.name


@pytest.mark.parametrize("agent", AGENTS, ids=named)
async def test_an_answer(run: Run, agent: Agent) -> None:
    assert "1 2 3 4" in await run(agent, "\ncount 4\n")


@pytest.mark.parametrize("agent", AGENTS, ids=named)
async def test_a_command_is_run_and_its_output_read(run: Run, agent: Agent, workspace: Path) -> None:
    call = agent.call("echo made > made.txt; echo; echo count 5")
    assert "1 2 3 4 5" in await run(agent, f"\necho: {call}\n")
    assert (workspace / "made.txt").read_text() == "made\n"


@pytest.mark.parametrize("agent", WITH_SERVERS, ids=named)
async def test_a_tool_of_an_mcp_server(run: Run, agent: Agent) -> None:
    assert agent.mcp_tool is not None
    call = written_call(agent.mcp_tool, {"a": 2, "b": 5})
    assert "1 2 3 4 5 6 7" in await run(agent, f"\necho: {call}\n")


async def test_an_answer_by_schema(run: Run, workspace: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    }
    path = workspace / "schema.json"
    path.write_text(json.dumps(schema), encoding="utf-8")
    assert CODEX.schema is not None
    answer = await run(CODEX, '\necho: {"city": "Rome", "days": 3}\n', CODEX.schema(path))
    assert json.loads(answer) == {"city": "Rome", "days": 3}
