"""What the process tree weighs after much use, and after models have come and gone."""

from pathlib import Path

import httpx
import pytest

from tests.live.client import ask, expect_right_answer, rest_of, says, streaming
from tests.live.server import LiveServer, live_server
from tests.model_files import QWEN, SMOLLM2

pytestmark = [pytest.mark.live, pytest.mark.model]

WARM_UP = 40
GROWTH_MIB = 20
LEFT_MIB = 40


@pytest.mark.parametrize("requests", [90, pytest.param(300, marks=pytest.mark.extended)])
async def test_requests_leave_memory_as_it_was(server: LiveServer, http: httpx.AsyncClient, requests: int) -> None:
    warm = 0.0
    for number in range(requests):
        if number == WARM_UP:
            warm = server.memory_mib()
        body = says(f"What is {number} plus {number * 7}?", max_tokens=2)
        if number % 2:
            await ask(http, body)
        else:
            async with streaming(http, body) as events:
                await rest_of(events)
    assert server.memory_mib() - warm < GROWTH_MIB


async def test_three_models_later_all_memory_is_back(tmp_path: Path) -> None:
    async with live_server(tmp_path) as server, server.client() as http:
        await expect_right_answer(http, 1)
        assert (await http.post("/v1/internal/model/unload")).status_code == 200
        before = server.memory_mib()
        for name in (SMOLLM2, QWEN, SMOLLM2):
            assert (await http.post("/v1/internal/model/load", json={"model_name": name})).status_code == 200
            await expect_right_answer(http, 5)
            assert server.memory_mib() - before > LEFT_MIB
            assert (await http.post("/v1/internal/model/unload")).status_code == 200
        assert server.memory_mib() - before < LEFT_MIB
        assert len(server.processes()) == 1
