"""MCP servers, over stdio and HTTP: real servers of the official package, which die, hang and come back."""

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from modules.chat.tools.base import Origin, ToolFailed, ToolInfo
from modules.chat.tools.mcp_connection import McpConnection
from modules.chat.tools.mcp_servers import CommandServer, UrlServer
from modules.chat.tools.toolbox import ToolBox
from modules.errors import BadRequest
from modules.paths import UserData
from tests.processes import child_processes

SERVER = Path(__file__).with_name("mcp_server.py")
STDIO = {"command": sys.executable, "args": [str(SERVER), "stdio"]}
SILENT = {"command": sys.executable, "args": ["-c", "import time; time.sleep(60)"]}
# Of the event loop: many more than anything takes that does not wait.
TURNS = 100
USABLE = {"add", "pid", "calculate", "fail", "die", "hang"}


def name_servers(data: UserData, **servers: object) -> None:
    data.mcp.write_text(json.dumps({"mcpServers": servers}))


async def offered(box: ToolBox) -> tuple[set[str], dict[str, str]]:
    """Names of the servers' tools, and problems by name."""
    infos: list[ToolInfo] = [info for info in await box.available(retry=True) if info.origin is Origin.MCP]
    return {info.name for info in infos if info.problem is None}, {
        info.name: info.problem for info in infos if info.problem is not None
    }


@pytest.fixture
async def stdio_box(data: UserData) -> AsyncIterator[ToolBox]:
    name_servers(data, tests=STDIO)
    before = child_processes()
    box = ToolBox(data, seconds=20)
    yield box
    await box.aclose()
    assert child_processes() <= before


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def http_server(port: int) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, str(SERVER), "http", str(port)])
    try:
        deadline = time.monotonic() + 30
        while not _answers(port):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 20
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def test_a_stdio_server_offers_its_tools(stdio_box: ToolBox) -> None:
    names, problems = await offered(stdio_box)
    assert names == USABLE - {"calculate"}
    assert list(problems) == ["tests"]
    assert "Its name 'a bad name'" in problems["tests"]
    [spec] = await stdio_box.specs(["add"])
    assert spec.description == "Adds two numbers."
    assert spec.parameters is not None
    assert set(spec.parameters["properties"]) == {"a", "b"}
    assert await stdio_box.call("add", '{"a": 2, "b": 3}') == "5"


async def test_a_tool_of_this_machine_wins(stdio_box: ToolBox) -> None:
    assert await stdio_box.call("calculate", '{"expression": "1+1"}') == "2"
    assert [info.origin for info in await stdio_box.available() if info.name == "calculate"] == [Origin.BUILT_IN]


async def test_one_process_serves_all_calls(stdio_box: ToolBox) -> None:
    pids = await asyncio.gather(*(stdio_box.call("pid", "{}") for _ in range(5)))
    assert len(set(pids)) == 1
    assert pids[0].isdigit()


async def test_failures_of_a_tool_are_told_and_not_logged(stdio_box: ToolBox, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert (await stdio_box.call("fail", '{"words": "private words"}')).startswith("Error: ")
        assert "private words" in await stdio_box.call("add", '{"a": "private words"}')
    assert "private words" not in caplog.text


async def test_a_server_that_died_is_started_again(stdio_box: ToolBox) -> None:
    first = await stdio_box.call("pid", "{}")
    assert (await stdio_box.call("die", "{}")).startswith("Error: ")
    second = await stdio_box.call("pid", "{}")
    assert second.isdigit()
    assert second != first
    os.kill(int(second), signal.SIGKILL)
    third = await stdio_box.call("pid", "{}")
    assert third.isdigit()
    assert third not in {first, second}


async def test_a_call_that_hangs_ends_and_its_server_lives_on(data: UserData) -> None:
    name_servers(data, tests=STDIO)
    box = ToolBox(data, seconds=2)
    pid = await box.call("pid", "{}")
    assert await box.call("hang", "{}") == "Error: The tool took longer than 2 seconds."
    assert await box.call("pid", "{}") == pid
    await box.aclose()


async def test_a_cancelled_call_leaves_its_server_usable(stdio_box: ToolBox) -> None:
    pid = await stdio_box.call("pid", "{}")
    call = asyncio.create_task(stdio_box.call("hang", "{}"))
    await asyncio.wait([call], timeout=0.3)
    call.cancel()
    await asyncio.wait([call])
    assert await stdio_box.call("pid", "{}") == pid


async def test_servers_come_and_go_with_the_file(stdio_box: ToolBox, data: UserData) -> None:
    pid = int(await stdio_box.call("pid", "{}"))
    name_servers(data)
    assert await offered(stdio_box) == (set(), {})
    await asyncio.to_thread(wait_for_end, pid)
    assert (await stdio_box.call("pid", "{}")).startswith("Error: There is no tool")
    name_servers(data, again=STDIO)
    assert (await stdio_box.call("pid", "{}")).isdigit()


async def test_what_is_no_server_is_listed_with_its_problem(data: UserData) -> None:
    name_servers(
        data,
        absent={"command": "no-such-program-here"},
        mute={"command": sys.executable, "args": ["-c", "pass"]},
        noisy={"command": sys.executable, "args": ["-c", "print('x' * 100_000); print('{}')"]},
        tests=STDIO,
    )
    box = ToolBox(data, mcp_servers=f"http://127.0.0.1:{free_port()}/mcp")
    names, problems = await offered(box)
    assert "add" in names
    assert "install it or correct it" in problems["absent"]
    assert "Connection closed" in problems["mute"]
    assert "noisy" in problems
    assert any("cannot be reached" in problem for name, problem in problems.items() if name.startswith("127"))
    await box.aclose()


async def test_a_server_that_does_not_answer_is_waited_for_once() -> None:
    server = CommandServer("silent", str(SILENT["command"]), tuple(SILENT["args"]))
    connection = McpConnection(server, start_seconds=0.3, call_seconds=1)
    before = child_processes()
    with pytest.raises(ToolFailed, match="has not answered within"):
        await connection.tools()
    again = asyncio.create_task(connection.tools())
    for _ in range(TURNS):
        await asyncio.sleep(0)
    with pytest.raises(ToolFailed, match="has not answered within"):
        again.result()
    await connection.aclose()
    assert child_processes() <= before


async def test_a_server_that_starts_slowly_is_waited_for_in_the_end() -> None:
    slow = f"import runpy, sys, time; time.sleep(1.5); sys.argv = ['s', 'stdio']; runpy.run_path({str(SERVER)!r}, run_name='__main__')"
    connection = McpConnection(CommandServer("slow", sys.executable, ("-c", slow)), start_seconds=0.5, call_seconds=5)
    with pytest.raises(ToolFailed):
        await connection.tools()
    async with asyncio.timeout(30):
        while True:
            try:
                assert {spec.name for spec in (await connection.tools())[0]} == USABLE
                break
            except ToolFailed:
                await asyncio.sleep(0.1)
    await connection.aclose()


async def test_a_server_that_failed_rests_until_it_is_retried(tmp_path: Path) -> None:
    mark = tmp_path / "starts"
    script = f"open({str(mark)!r}, 'a').write('x')"
    connection = McpConnection(CommandServer("failing", sys.executable, ("-c", script)), call_seconds=1)
    for _ in range(3):
        with pytest.raises(ToolFailed):
            await connection.tools()
    assert mark.read_text() == "x"
    connection.retry()
    with pytest.raises(ToolFailed):
        await connection.tools()
    assert mark.read_text() == "xx"
    await connection.aclose()


async def test_an_http_server_with_a_key(data: UserData) -> None:
    port = free_port()
    box = ToolBox(data, mcp_servers=f"http://127.0.0.1:{port}/mcp,Authorization: Bearer abc")
    with http_server(port):
        assert await box.call("add", '{"a": 2, "b": 3}') == "5"
        first = await box.call("pid", "{}")
    with http_server(port):
        second = await box.call("pid", "{}")
        assert second.isdigit()
        assert second != first
        await box.aclose()


async def test_an_http_server_without_its_key(data: UserData) -> None:
    port = free_port()
    box = ToolBox(data, mcp_servers=f"http://127.0.0.1:{port}/mcp,Authorization: Bearer secret")
    with http_server(port):
        names, problems = await offered(box)
    assert names == set()
    assert "secret" not in str(problems)
    assert list(problems) == [f"127.0.0.1:{port}"]
    await box.aclose()


async def test_other_lines_count_from_the_next_call_on(data: UserData) -> None:
    port = free_port()
    box = ToolBox(data)
    with http_server(port):
        box.use_mcp_servers(f"http://127.0.0.1:{port}/mcp,Authorization: Bearer abc")
        assert await box.call("add", '{"a": 2, "b": 3}') == "5"
        with pytest.raises(BadRequest):
            box.use_mcp_servers("nonsense")
        box.use_mcp_servers("")
        assert await offered(box) == (set(), {})
    await box.aclose()


async def test_bad_lines_in_the_settings_stop_no_start(data: UserData) -> None:
    box = ToolBox(data, mcp_servers="nonsense")
    _, problems = await offered(box)
    assert "Line 1" in problems["mcp_servers"]
    box.use_mcp_servers("")
    assert await offered(box) == (set(), {})
    await box.aclose()


async def test_a_redirect_to_another_host_is_not_followed() -> None:
    connections = 0

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 307 x\r\nlocation: http://localhost:%d/mcp\r\ncontent-length: 0\r\n\r\n" % trap_port)
        writer.close()

    async def trap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError

    async with await asyncio.start_server(trap, "127.0.0.1", 0) as other:
        trap_port = other.sockets[0].getsockname()[1]
        async with await asyncio.start_server(redirect, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
            connection = McpConnection(UrlServer("r", url, (("Authorization", "Bearer k"),)), call_seconds=1)
            with pytest.raises(ToolFailed):
                await connection.tools()
            await connection.aclose()
    assert connections >= 1


OWNER = """
import asyncio, sys
from pathlib import Path
from modules.chat.tools.mcp_connection import McpConnection
from modules.chat.tools.mcp_servers import CommandServer

async def main():
    server = CommandServer("tests", sys.executable, (sys.argv[1], "stdio"), (("EXTRA", "1"),))
    connection = McpConnection(server, call_seconds=60)
    print(await connection.call("pid", {}), flush=True)
    await connection.call("hang", {})

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_server_ends_with_a_program_that_is_killed() -> None:
    """Even one that is stopped, which does not see the end of its stdin."""
    root = SERVER.parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(SERVER)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        process = psutil.Process(int(owner.stdout.readline()))
        environment = process.environ()
        process.suspend()
        owner.kill()
    assert psutil.wait_procs([process], timeout=10)[1] == []
    assert environment["EXTRA"] == "1"
