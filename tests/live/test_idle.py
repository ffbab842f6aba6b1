"""A model that nobody uses is unloaded, and the next request brings it back."""

from pathlib import Path

import psutil
import pytest

from tests.live.client import endless, expect_right_answer, finish_of, rest_of, streaming
from tests.live.server import live_server
from tests.model_files import SMOLLM2

pytestmark = [pytest.mark.live, pytest.mark.model]

MINUTES = 0.02
UNLOAD_SECONDS = 15


async def test_idle_model_is_unloaded_and_comes_back(tmp_path: Path) -> None:
    async with live_server(tmp_path, "--idle-timeout", MINUTES) as server, server.client() as http:
        await expect_right_answer(http, 21)
        resting = server.model_process()
        gone, _ = psutil.wait_procs([resting], UNLOAD_SECONDS)
        assert gone == [resting]
        assert (await http.get("/health")).status_code == 200
        assert (await http.get("/v1/internal/model/info")).json()["model_name"] == SMOLLM2
        # A reply that takes longer than the time-out is use, not idleness.
        async with streaming(http, endless(200)) as events:
            assert finish_of(await rest_of(events)) == ["length"]
