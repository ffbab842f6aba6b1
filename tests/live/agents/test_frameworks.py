"""Agent frameworks, newest versions, on a model whose template is strict: an answer, a stream, a tool, a schema."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from filelock import FileLock

from tests.api.clients.running import output_of
from tests.api.clients.words import ANSWER, CALL
from tests.live.agents.conftest import agents_folder
from tests.live.agents.programs import HERE
from tests.live.server import LiveServer

pytestmark = [pytest.mark.live, pytest.mark.extended, pytest.mark.timeout(900)]

ROME: Final = {"city": "Rome", "days": 3}
ALL: Final = {
    "whole": "1 2 3 4",
    "streamed": "1 2 3 4 5",
    "called": "1 2 3 4 5 6",
    "calls": [ROME],
    "parsed": ROME,
}
EXPECTED: Final = {"instructor": {"calls": [ROME], "parsed": ROME}}


def interpreter(requirements: str) -> Path:
    """An environment with the packages of that file, made at the first need."""
    wanted = (HERE / requirements).read_text(encoding="utf-8")
    folder = agents_folder() / requirements.removesuffix(".txt")
    program = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    with FileLock(f"{folder}.lock"):
        mark = folder / "made-from"
        if not mark.is_file() or mark.read_text(encoding="utf-8") != wanted:
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            install = ["-m", "pip", "install", "--quiet", "-r", str(HERE / requirements)]
            subprocess.run([program, *install], check=True)
            mark.write_text(wanted, encoding="utf-8")
    return program


@pytest.mark.parametrize(
    ("framework", "requirements"),
    [
        ("openai-agents", "frameworks.txt"),
        ("openai-agents-responses", "frameworks.txt"),
        ("langchain-openai", "frameworks.txt"),
        ("langchain-anthropic", "frameworks.txt"),
        ("pydantic-ai", "frameworks.txt"),
        ("semantic-kernel", "frameworks.txt"),
        ("instructor", "frameworks.txt"),
        ("llama-index", "llama_index.txt"),
    ],
)
async def test_a_framework(server: LiveServer, framework: str, requirements: str) -> None:
    words = json.dumps({"call": CALL, "answer": ANSWER})
    script = str(HERE / "framework_calls.py")
    told = json.loads(
        await output_of(interpreter(requirements), script, framework, f"{server.url}/v1", words, PYTHONPATH="")
    )
    assert told == EXPECTED.get(framework, ALL)
