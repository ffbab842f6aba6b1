"""Clients that need a place of their own: shell_gpt and instructor beside an older openai-python, openai-node, and
Vercel's AI SDK."""

import json
import os
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.api.clients.running import HERE, output_of
from tests.api.clients.words import ANSWER, CALL, CLASS_CALL, TWO_CALLS
from tests.api.picture_parts import RED, png, seen

_DEFAULT_FOLDER: Final = HERE.parents[2] / "installer_files" / "test_clients"
ROME: Final = {"city": "Rome", "days": 3}
OSLO: Final = {"city": "Oslo", "days": 1}


def installed(*parts: str) -> Path:
    """A file below the folder of clients: a virtual environment with older.txt, and node_modules with package.json."""
    path = Path(os.environ.get("TEST_CLIENTS_DIR", _DEFAULT_FOLDER)).joinpath(*parts)
    if parts[0] == "node_modules" and shutil.which("npm") is None:
        pytest.skip("there is no npm here to install Node packages with")
    if not path.exists():
        pytest.fail(
            f"{path} is not there. Run `python3 one_click.py test`: it installs the clients and runs the tests."
        )
    return path


async def test_shell_gpt(url: str, tmp_path: Path) -> None:
    program = installed("venv", "bin", "sgpt")
    settings = {"HOME": str(tmp_path), "API_BASE_URL": url, "OPENAI_API_KEY": "sk-any", "DEFAULT_MODEL": "any"}
    assert await output_of(program, "--no-md", "--no-cache", "echo: hello", **settings) == "hello\n"
    assert await output_of(program, "--no-md", "--no-cache", "--no-functions", "count 3", **settings) == "1 2 3\n"


async def test_instructor(url: str) -> None:
    words = {
        "call": CLASS_CALL,
        "answer": ANSWER,
        "fenced": f"echo: ```json\n{json.dumps(ROME)}\n```",
    }
    program = installed("venv", "bin", "python")
    told = json.loads(await output_of(program, str(HERE / "instructor_calls.py"), url, json.dumps(words)))
    assert told == dict.fromkeys(("tool_call", "json_mode", "json_schema_mode", "markdown_json_mode"), ROME)


async def test_openai_node(url: str) -> None:
    modules = installed("node_modules")
    words = json.dumps({"answer": ANSWER, "calls": TWO_CALLS})
    told = json.loads(await output_of("node", str(HERE / "node_calls.cjs"), url, words, NODE_PATH=str(modules)))
    assert told["whole"] == ["hello", "stop"]
    assert told["streamed"] == ["1 2 3 4 5", len("1 2 3 4 5")]
    assert told["parsed"] == [ROME, ROME]
    assert told["calls"] == [[["forecast", ROME], ["forecast", OSLO]]] * 2
    assert told["failed"] == [400, "temperature"]


@pytest.mark.parametrize("provider", ["openai_chat", "openai_responses", "openai_compatible", "anthropic"])
async def test_ai_sdk(url: str, provider: str) -> None:
    modules = installed("node_modules")
    parsed = {**ROME, "notes": {"morning": "rain"}}
    # Anthropic's provider asks for a call of a tool of its own, named json, where the others ask for a schema.
    answer = {"name": "json", "arguments": parsed} if provider == "anthropic" else parsed
    marks = ("<tool_call>\n", "\n</tool_call>") if provider == "anthropic" else ("", "")
    asked = {"call": f"{CALL}\n", "answer": f"echo: {marks[0]}{json.dumps(answer)}{marks[1]}", "picture": png(RED)}
    words = json.dumps(asked)
    script = str(HERE / "ai_sdk_calls.cjs")
    told = json.loads(await output_of(modules / ".bin" / "node", script, url, words, provider, NODE_PATH=str(modules)))
    assert told.pop("seen").count(seen(RED)) == 2
    assert told == {
        "whole": "1 2 3 4",
        "streamed": ["1 2 3 4 5", len("1 2 3 4 5")],
        "called": [[ROME], "1 2 3 4 5 6"],
        "called_in_stream": [[ROME], "1 2 3 4 5 6"],
        "parsed": parsed,
    }
