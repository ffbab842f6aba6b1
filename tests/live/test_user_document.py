"""The document that the users of this API's forerunner have: every example in it, as it stands there, is answered.

`programs.py` and the commands below are held against the document where it lies beside the checkout; they run in any
case.
"""

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image
from typing_extensions import override

from tests.api.clients.test_programs import installed
from tests.live import commands, programs
from tests.live.server import ROOT, LiveServer, live_server
from tests.model_files import QWEN, SMOLLM2, model_path

pytestmark = [pytest.mark.live, pytest.mark.model]

WRITTEN_FOR = "http://127.0.0.1:5000"
SECONDS = 120
DOCUMENTS = sorted((ROOT.parent / "shared" / "reference").glob("000_*.txt"))
_BLOCK = re.compile(r"```\w*\s(.*?)```", re.DOTALL)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    folder = tmp_path_factory.mktemp("server")
    models = folder / "models"
    models.mkdir()
    for name, file in ((SMOLLM2, SMOLLM2), (QWEN, QWEN), (commands.MODEL_TO_LOAD, SMOLLM2)):
        (models / name).symlink_to(model_path(file))
    shutil.copytree(ROOT / "user_data" / "characters", folder / "characters", dirs_exist_ok=True)
    flags = ("--model-dir", models, "--model", SMOLLM2, "--ctx-size", 1024, "--model-swap")
    async with live_server(folder, *flags) as running:
        yield running


def answer(server: LiveServer, command: str) -> "subprocess.CompletedProcess[str]":
    words = shlex.split(command.replace("\\\n", " ").replace(WRITTEN_FOR, server.url))
    return subprocess.run(
        [words[0], "--silent", "--show-error", *words[1:]],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )


def said(server: LiveServer, command: str) -> Any:
    return json.loads(answer(server, command).stdout)


@pytest.mark.skipif(not DOCUMENTS, reason="the document does not lie beside this checkout")
def test_the_examples_are_the_documents_own() -> None:
    text = DOCUMENTS[0].read_text(encoding="utf-8")
    # One answer in it quotes a fence of its own.
    collapsed = " ".join(text.replace("```xml", "").replace('```" },', '" },').split())
    blocks = {" ".join(block.split()) for block in _BLOCK.findall(collapsed)}
    ours = {" ".join(example.split()) for example in (*commands.ALL, *programs.ALL)}
    theirs = {block for block in blocks if block.startswith(("curl", "import", "from openai"))}
    assert theirs == ours


def test_completion(server: LiveServer) -> None:
    assert said(server, commands.COMPLETION)["choices"][0]["text"]


@pytest.mark.parametrize("command", [commands.CHAT, commands.CHARACTER], ids=["chat", "character"])
def test_chat(server: LiveServer, command: str) -> None:
    assert said(server, command)["choices"][0]["message"]["content"].strip()


def test_character_is_in_the_prompt(server: LiveServer) -> None:
    prompt = said(server, commands.CHARACTER.replace("chat/completions", "internal/chat-prompt"))["prompt"]
    assert "Chiharu" in prompt
    assert "Hello! Who are you?" in prompt


def test_stream(server: LiveServer) -> None:
    assert answer(server, commands.STREAM).stdout.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(("command", "count"), [(commands.LOGITS, 50), (commands.SAMPLED_LOGITS, 3)])
def test_logits(server: LiveServer, command: str, count: int) -> None:
    probabilities = said(server, command)
    assert 0 < len(probabilities) <= count
    assert all(0 < probability <= 1 for probability in probabilities.values())


def test_sampled_logits_are_probabilities_after_the_samplers(server: LiveServer) -> None:
    assert sum(said(server, commands.SAMPLED_LOGITS).values()) == pytest.approx(1, abs=1e-4)


def test_models_are_listed_and_loaded(server: LiveServer) -> None:
    assert commands.MODEL_TO_LOAD in said(server, commands.LIST_MODELS)["model_names"]
    assert said(server, commands.LOAD_MODEL) == "OK"
    assert said(server, f"curl {WRITTEN_FOR}/v1/internal/model/info")["model_name"] == commands.MODEL_TO_LOAD


def test_tools(server: LiveServer) -> None:
    named = commands.TOOLS.replace('"messages": [', f'"model": "{QWEN}", "seed": 1, "messages": [', 1)
    choice = said(server, named)["choices"][0]
    assert choice["finish_reason"] in {"stop", "tool_calls"}
    required = said(server, named.replace('"tools": [', '"tool_choice": "required", "tools": [', 1))["choices"][0]
    (call,) = required["message"]["tool_calls"]
    assert required["finish_reason"] == "tool_calls"
    assert call["function"]["name"] == "get_current_time"
    assert set(json.loads(call["function"]["arguments"])) == {"timezone"}


def test_openai_node(server: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(installed("node_modules"))
    program = tmp_path / "example.mjs"
    program.write_text(programs.OPENAI_NODE.replace(WRITTEN_FOR, server.url), encoding="utf-8")
    done = subprocess.run(
        ["node", program],
        env={**os.environ, "OPENAI_API_KEY": "sk-any"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert done.stdout.strip()


@pytest.mark.parametrize("command", [commands.VISION, commands.VISION_COMPLETION], ids=["chat", "text"])
def test_pictures_are_refused_by_a_model_that_cannot_see(server: LiveServer, command: str) -> None:
    error = said(server, command)["error"]
    assert error["param"].startswith("messages[0].content[1]")


class PictureHost(BaseHTTPRequestHandler):
    """Stands in for the host of the document's pictures: a red cat, all else yellow."""

    def do_GET(self) -> None:
        content = io.BytesIO()
        Image.new("RGB", (64, 48), "red" if self.path.endswith("/cat.png?raw=true") else "yellow").save(content, "PNG")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content.getvalue())

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Not on the terminal."""


@pytest.fixture(scope="module")
def pictures() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), PictureHost) as host:
        threading.Thread(target=host.serve_forever).start()
        yield f"http://127.0.0.1:{host.server_port}"
        host.shutdown()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seeing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """Its model says what it sees."""
    folder = tmp_path_factory.mktemp("seeing")
    async with live_server(folder, "--loader", "scripted", "--remote-media-hosts", "127.0.0.1") as running:
        await running.until_healthy()
        yield running


def test_pictures_of_the_document_are_seen(seeing: LiveServer, pictures: str) -> None:
    command = commands.VISION.replace("https://github.com", pictures)
    reply = said(seeing, command)
    assert "Please describe what you see in this image." in reply["choices"][0]["message"]["content"]
    assert "[image 64x48 #ff0000]" in reply["choices"][0]["message"]["content"]
    assert reply["usage"]["prompt_tokens_details"]["image_tokens"] > 0


def test_pictures_of_the_document_stand_at_their_markers(seeing: LiveServer, pictures: str) -> None:
    command = commands.VISION_COMPLETION.replace("https://github.com", pictures)
    reply = said(seeing, command)["choices"][0]["text"]
    assert "About image [image 64x48 #ff0000] and image [image 64x48 #ffff00], what I can say" in reply


def test_without_an_image_model_the_command_that_gets_one_is_named(server: LiveServer) -> None:
    error = said(server, commands.IMAGE)["error"]
    assert error["code"] == "not_available"
    assert "python3 one_click.py fetch image" in error["message"]
