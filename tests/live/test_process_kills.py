"""The model process killed and stopped in every phase of its life, its file cut off, the disk full: whoever was being
answered is told, nothing that was finished is lost, and the next request is answered by a new process."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copyfile
from typing import Any

import httpx
import psutil
import pytest

from tests.live.client import CHAT, DONE, ask, error_of, rest_of, says, streaming, text_of, until_text
from tests.live.server import LiveServer, launch, live_server
from tests.model_files import SMOLLM2, model_path

pytestmark = [pytest.mark.live, pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems")]

Phase = Callable[[LiveServer, httpx.AsyncClient, signal.Signals], Awaitable[None]]


@asynccontextmanager
async def scripted_server(folder: Path, *flags: object) -> AsyncIterator[tuple[LiveServer, httpx.AsyncClient]]:
    """One whose model takes one request at a time, and lets others wait."""
    await asyncio.to_thread(folder.mkdir)
    server = launch(folder, "--nowebui", "--loader", "scripted", "--parallel", 1, *flags)
    try:
        await server.until_listening()
        await server.until_healthy()
        async with server.client() as http:
            yield server, http
        await server.stop()
    finally:
        server.kill()


async def in_load(server: LiveServer, http: httpx.AsyncClient, how: signal.Signals) -> None:
    gone = server.model_process()
    gone.kill()
    await server.until(lambda: not gone.is_running())
    # Should it have been loaded before it is hit, the reply does not end by itself.
    waiting = asyncio.create_task(http.post(CHAT, json=says("stall")))
    await server.until(lambda: len(server.processes()) == 2)
    hit(server, how)
    expect_failure(await waiting)


async def in_decode(server: LiveServer, http: httpx.AsyncClient, how: signal.Signals) -> None:
    async with streaming(http, says("stall")) as events:
        await until_text(events)
        in_line = [asyncio.create_task(http.post(CHAT, json=says("echo: in line"))) for _ in range(3)]
        tokenizing = asyncio.create_task(http.post("/v1/internal/encode", json={"text": "x" * 1000}))
        assert (await tokenizing).status_code == 200
        hit(server, how)
        rest = await rest_of(events)
    assert error_of(rest[-1])
    assert DONE not in rest
    for response in await asyncio.gather(*in_line):
        expect_failure(response)


async def idle(server: LiveServer, http: httpx.AsyncClient, how: signal.Signals) -> None:
    """A process that was killed is replaced before anybody is hurt; that it was stopped is found by the one who asks."""
    process = hit(server, how)
    if how == signal.SIGKILL:
        await server.until(lambda: not process.is_running())
        assert text_of(await ask(http, says("echo: unharmed"))) == "unharmed"
    else:
        expect_failure(await http.post(CHAT, json=says("echo: unlucky")))


def hit(server: LiveServer, how: signal.Signals) -> psutil.Process:
    process = server.model_process()
    process.send_signal(how)
    return process


def expect_failure(response: httpx.Response) -> None:
    assert response.status_code in {500, 503}, response.text
    assert response.json()["error"]["message"]


async def survived(folder: Path, phase: Phase, how: signal.Signals) -> None:
    """The phase, with a response that was finished before, and requests of everybody afterwards."""
    async with scripted_server(folder, "--responses-on-disk") as (server, http):
        stored = await stored_response(http)
        await phase(server, http, how)
        answers = await asyncio.gather(*(ask(http, says(f"echo: after {number}")) for number in range(5)))
        assert [text_of(answer) for answer in answers] == [f"after {number}" for number in range(5)]
        assert (await http.get(f"/v1/responses/{stored['id']}")).json()["output"] == stored["output"]
        assert len(server.processes()) == 2
        assert "Traceback" not in server.log


async def stored_response(http: httpx.AsyncClient) -> dict[str, Any]:
    return await ask(http, {"input": "echo: finished", "store": True}, "/v1/responses")


async def test_killed_in_every_phase(tmp_path: Path) -> None:
    phases = {"load": in_load, "decode": in_decode, "idle": idle}
    await asyncio.gather(*(survived(tmp_path / name, phase, signal.SIGKILL) for name, phase in phases.items()))


@pytest.mark.extended
async def test_stopped_in_every_phase(tmp_path: Path) -> None:
    """Found by the heartbeat, after ten seconds without an answer."""
    phases = {"load": in_load, "decode": in_decode, "idle": idle}
    await asyncio.gather(*(survived(tmp_path / name, phase, signal.SIGSTOP) for name, phase in phases.items()))


@pytest.mark.model
@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.extended)])
async def test_hit_while_a_long_prompt_is_read(tmp_path: Path, how: signal.Signals) -> None:
    async with live_server(tmp_path) as server, server.client() as http:
        body = says("one two three four " * 250, max_tokens=5, ignore_eos=True)
        before = cpu_of(server)
        reading = asyncio.create_task(http.post(CHAT, json=body))
        await server.until(lambda: cpu_of(server) > before + 0.2)
        hit(server, how)
        expect_failure(await reading)
        assert (await ask(http, says("Hello", max_tokens=5, ignore_eos=True)))["usage"]["completion_tokens"] == 5
        assert "Traceback" not in server.log


def cpu_of(server: LiveServer) -> float:
    return float(server.model_process().cpu_times().user)


@pytest.mark.model
async def test_a_model_file_that_is_cut_off_in_use(tmp_path: Path) -> None:
    """The system ends a process that reads beyond the end of a file that it maps. The model comes back with its file."""
    whole = model_path(SMOLLM2)
    models = tmp_path / "models"
    models.mkdir()
    (tmp_path / "user_data").mkdir()
    copyfile(whole, models / SMOLLM2)
    async with live_server(tmp_path / "user_data", "--model-dir", models) as server, server.client() as http:
        os.truncate(models / SMOLLM2, 2**20)
        response = await http.post(CHAT, json=says("Hello", max_tokens=20))
        assert response.status_code in {200, 500, 503}, response.text
        # Weights that were copied at loading are still right; then the process has to be ended.
        for process in server.processes():
            if process.pid != server.process.pid:
                process.kill()
        refused = await http.post(CHAT, json=says("Hello", max_tokens=5))
        expect_failure(refused)
        copyfile(whole, models / SMOLLM2)
        assert (await ask(http, says("Hello", max_tokens=5)))["usage"]["completion_tokens"] > 0
        assert "Traceback" not in server.log


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process")
async def test_a_full_disk(tmp_path: Path) -> None:
    """No file can grow, the log's neither; what was written before can be read."""
    async with scripted_server(tmp_path / "data", "--responses-on-disk") as (server, http):
        before = await stored_response(http)
        psutil.Process(server.process.pid).rlimit(psutil.RLIMIT_FSIZE, (0, psutil.RLIM_INFINITY))
        during = await stored_response(http)
        assert text_of(await ask(http, says("echo: all the same"))) == "all the same"
        process = hit(server, signal.SIGKILL)
        await server.until(lambda: not process.is_running())
        assert text_of(await ask(http, says("echo: loaded again"))) == "loaded again"
        psutil.Process(server.process.pid).rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
        after = await stored_response(http)
        for response in (before, during, after):
            assert (await http.get(f"/v1/responses/{response['id']}")).json()["output"] == response["output"]
