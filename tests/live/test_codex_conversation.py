"""A conversation as Codex holds it: ten turns with tools, the whole history sent again with each."""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from tests.api.responses.codex import as_history, read_turn, request_of, user
from tests.live.server import LiveServer, live_server
from tests.model_files import SMOLLM2

pytestmark = [pytest.mark.live, pytest.mark.model]

TURNS: Final = 4
RULES: Final = "You are a coding agent. " + " ".join(
    f"Rule {number}: read file{number}.py before you change it." for number in range(60)
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    async with live_server(tmp_path_factory.mktemp("server"), "--model", SMOLLM2) as running:
        yield running


async def test_every_turn_but_the_first_is_mostly_cached(http: httpx.AsyncClient) -> None:
    history = [user("Fix the failing test.")]
    shares = []
    for number in range(TURNS):
        body = request_of(*history, instructions=RULES, max_output_tokens=16, temperature=0)
        turn = read_turn((await http.post("/v1/responses", json=body)).text, allows_incomplete=True)
        shares.append(turn.usage["cached"] / turn.usage["input"])
        history += [*as_history(turn.items), *tool_use(number)]
    assert min(shares[1:]) >= 0.9, shares


def tool_use(number: int) -> list[dict[str, Any]]:
    """A call and what came of it, as if the model had asked for it in any case."""
    arguments = f'{{"command": ["cat", "file{number}.py"]}}'
    return [
        {"type": "function_call", "call_id": f"call_{number}", "name": "shell", "arguments": arguments},
        {"type": "function_call_output", "call_id": f"call_{number}", "output": f"def test_{number}(): pass"},
    ]
