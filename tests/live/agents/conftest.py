"""The agents, installed once, and a server whose model reads a strict template: it refuses what real ones refuse."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
import pytest_asyncio
from filelock import FileLock

from tests.golden.strict import STRICT_TEMPLATE
from tests.live.agents.programs import HERE, Agent
from tests.live.server import LiveServer, launch

Run: TypeAlias = Callable[..., Coroutine[Any, Any, str]]

_FOLDER: Final = HERE.parents[2] / "installer_files" / "test_clients"
_INSTALL_SECONDS: Final = 600
_RUN_SECONDS: Final = 100


def agents_folder() -> Path:
    """What the tests here install, beside the other clients of the tests."""
    folder = Path(os.environ.get("TEST_CLIENTS_DIR", _FOLDER)).resolve().parent / "test_agents"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of their commands."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm here to install the agents with")
    folder = agents_folder()
    wanted = (HERE / "package.json").read_text(encoding="utf-8")
    with FileLock(folder / "install.lock"):
        mark = folder / "made-from"
        if not mark.is_file() or mark.read_text(encoding="utf-8") != wanted:
            (folder / "package.json").write_text(wanted, encoding="utf-8")
            command = [npm, "install", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(command, cwd=folder, check=True, timeout=_INSTALL_SECONDS)
            mark.write_text(wanted, encoding="utf-8")
    return folder / "node_modules" / ".bin"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """Agents say more than ten thousand words before their user does; a scripted token is a byte."""
    scripted = ("--nowebui", "--loader", "scripted", "--ctx-size", 1_000_000)
    running = launch(tmp_path_factory.mktemp("server"), *scripted, "--chat-template-file", STRICT_TEMPLATE)
    try:
        await running.until_listening()
        await running.until_healthy()
        yield running
        await running.stop()
    finally:
        running.kill()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The folder that an agent works in, and its home."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return tmp_path


@pytest.fixture
def run(server: LiveServer, programs: Path, workspace: Path) -> Run:
    """One task for an agent, by way of stdin; what it prints. It must succeed."""

    async def _run(agent: Agent, task: str, more: Sequence[str] = ()) -> str:
        for name, text in agent.files(server.url).items():
            path = workspace / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        program, *arguments = agent.command
        process = await asyncio.create_subprocess_exec(
            programs / program,
            *arguments,
            *more,
            cwd=workspace,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(workspace) | dict(agent.variables(server.url)),
        )
        try:
            async with asyncio.timeout(_RUN_SECONDS):
                output, errors = await process.communicate(task.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, (output + errors).decode()
        return output.decode()

    return _run


def _environment(home: Path) -> dict[str, str]:
    """The machine's own, with nobody's settings and no keys."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "TMPDIR"}}
    return {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "NO_COLOR": "1"}
