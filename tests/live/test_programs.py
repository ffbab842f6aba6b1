"""What users copy: the programs of the forerunner's document, and every example of our own pages, run as they stand."""

import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from tests.live import programs
from tests.live.server import ROOT, LiveServer, launch, live_server
from tests.model_files import SMOLLM2, model_path

pytestmark = [pytest.mark.live, pytest.mark.model]

WRITTEN_FOR = "http://127.0.0.1:5000"
SECONDS = 60
CHAT_LOOPS = pytest.mark.parametrize("program", [programs.CHAT, programs.CHAT_STREAM], ids=["whole", "stream"])
OUT_OF_INPUT = "EOFError: EOF when reading a line\n"
PAGES = {page: (ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "docs/API.md")}


def examples(language: str, containing: str) -> list[tuple[str, str]]:
    """Page and text of each fenced block in that language."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(page, block) for page, text in PAGES.items() for block in pattern.findall(text) if containing in block]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """With a context that keeps replies short, and SmolLM2 under every name that our pages give as an example."""
    folder = tmp_path_factory.mktemp("server")
    models = folder / "models"
    models.mkdir()
    for name in {SMOLLM2, *re.findall(r'"model_name": "([^"]+)"', PAGES["docs/API.md"])}:
        (models / name).symlink_to(model_path(SMOLLM2))
    async with live_server(folder, "--model-dir", models, "--ctx-size", 640) as running:
        yield running


def run(server: LiveServer, program: str, *inputs: str) -> "subprocess.CompletedProcess[str]":
    return execute([sys.executable, "-u", "-c", program.replace(WRITTEN_FOR, server.url)], *inputs)


def execute(command: Sequence[str], *inputs: str) -> "subprocess.CompletedProcess[str]":
    typed = "".join(f"{line}\n" for line in inputs)
    return subprocess.run(command, input=typed, capture_output=True, text=True, timeout=SECONDS, check=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scripted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """Its model says what it is told to."""
    running = launch(tmp_path_factory.mktemp("scripted"), "--nowebui", "--loader", "scripted")
    try:
        await running.until_listening()
        yield running
        await running.stop()
    finally:
        running.kill()


@CHAT_LOOPS
def test_chat_loop_answers_until_its_input_ends(scripted: LiveServer, program: str) -> None:
    done = run(scripted, program, "echo: Hello.", "echo: And again.")
    assert done.stdout == "> Hello.\n> And again.\n> "
    assert done.stderr.endswith(OUT_OF_INPUT)


@CHAT_LOOPS
def test_chat_loop_is_answered_by_a_real_model(server: LiveServer, program: str) -> None:
    """Once: how long the reply of a model this small gets is chance, and it may leave no room for another turn."""
    done = run(server, program, "Say hello.")
    nothing, reply, rest = done.stdout.split("> ")
    assert (nothing, rest) == ("", "")
    assert reply.strip()
    assert done.stderr.endswith(OUT_OF_INPUT)


def test_completion_stream_runs_to_its_end(server: LiveServer) -> None:
    done = run(server, programs.COMPLETION_STREAM)
    assert (done.returncode, done.stderr) == (0, "")
    prompt, _, text = done.stdout.partition("1.")
    assert prompt == "This is a cake recipe:\n\n"
    assert text.strip()


def test_openai_client_prints_its_answer(server: LiveServer) -> None:
    done = run(server, programs.OPENAI_CLIENT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


@pytest.mark.parametrize(("page", "program"), examples("python", "OpenAI("))
def test_python_on_our_pages_runs(server: LiveServer, page: str, program: str) -> None:
    done = run(server, program)
    assert (done.returncode, done.stderr) == (0, ""), page
    assert done.stdout.strip()


@pytest.mark.parametrize(("page", "command"), examples("shell", "curl "))
def test_curl_on_our_pages_is_answered(server: LiveServer, page: str, command: str) -> None:
    words = shlex.split(command.replace("\\\n", " ").replace(WRITTEN_FOR, server.url))
    done = execute([words[0], "--silent", "--show-error", "--fail-with-body", *words[1:]])
    assert done.returncode == 0, (page, done.stdout, done.stderr)
    if '"stream": true' in command:
        assert done.stdout.endswith("data: [DONE]\n\n")
