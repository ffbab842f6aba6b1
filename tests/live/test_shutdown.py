"""The end of the server: streams are told, the exit code is right, and no process is left behind."""

import signal
from pathlib import Path

import psutil
import pytest

from tests.live.client import DONE, endless, error_of, rest_of, streaming, until_text
from tests.live.server import STOP_SECONDS, live_server, starting_server
from tests.model_files import QWEN

pytestmark = [pytest.mark.live, pytest.mark.model]


@pytest.mark.parametrize(
    ("number", "to_group"),
    [
        pytest.param(signal.SIGTERM, False, id="SIGTERM-server"),
        pytest.param(signal.SIGTERM, True, id="SIGTERM-group", marks=pytest.mark.extended),
        pytest.param(signal.SIGINT, False, id="SIGINT-server", marks=pytest.mark.extended),
        pytest.param(signal.SIGINT, True, id="SIGINT-group"),
    ],
)
async def test_a_signal_ends_open_streams_cleanly(tmp_path: Path, number: signal.Signals, to_group: bool) -> None:
    """That nothing is left is what the end of `live_server` makes sure of."""
    async with live_server(tmp_path) as server, server.client() as http:
        async with streaming(http, endless()) as events:
            await until_text(events)
            server.send_signal(number, to_group=to_group)
            last = (await rest_of(events))[-1]
        assert last == DONE or error_of(last)
        assert await server.exit_code() in {0, 128 + signal.SIGINT}
        assert "Traceback" not in server.log


async def test_a_signal_breaks_off_a_load(tmp_path: Path) -> None:
    async with starting_server(tmp_path, "--model", QWEN) as server:
        server.send_signal(signal.SIGTERM)
        assert await server.exit_code() == 0
        assert "Traceback" not in server.log


async def test_a_killed_server_takes_its_model_along(tmp_path: Path) -> None:
    async with live_server(tmp_path) as server, server.client() as http:
        async with streaming(http, endless()) as events:
            await until_text(events)
            model = server.model_process()
            server.send_signal(signal.SIGKILL)
            gone, _ = psutil.wait_procs([model], STOP_SECONDS)
            assert gone == [model]
            await events.aclose()
        assert await server.exit_code() == -signal.SIGKILL
