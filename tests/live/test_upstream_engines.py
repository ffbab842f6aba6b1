"""Other engines behind this program: llama-server's core where the package xllamacpp is, and vLLM where the variable VLLM
names its command, in an environment of its own (docs/SCALE.md)."""

import asyncio
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.live.client import CHAT, DONE, TEXT, ask, delta_of, rest_of, says, streaming, text_of, until_text
from tests.live.server import ROOT, LiveServer, launch, surroundings
from tests.model_files import SMOLLM2, model_path

pytestmark = [
    pytest.mark.live,
    pytest.mark.model,
    pytest.mark.extended,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]

_START_SECONDS = 300
_POLL_SECONDS = 0.1
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer", "maximum": 99}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Engine:
    """`running` are the names under which /metrics counts requests that are under way."""

    name: str
    url: str
    front: LiveServer
    running: str

    def says(self, words: str, **fields: Any) -> dict[str, Any]:
        return says(words, model="up/smollm2", **{"max_tokens": 24, **fields})


def _llama_server(port: int) -> list[str]:
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("the package xllamacpp is not installed (requirements/bench.txt)")
    return [sys.executable, "-m", "bench.llama_server", str(model_path(SMOLLM2)), str(port), "8"]


def _vllm(port: int) -> list[str]:
    command = os.environ.get("VLLM")
    if not command:
        pytest.skip("VLLM does not name the command of a vLLM")
    from tests.backends.transformers.folders import converted_smollm2  # noqa: PLC0415 - imports PyTorch

    places = [command, "serve", str(converted_smollm2(model_path(SMOLLM2))), "--served-model-name", "smollm2"]
    sizes = ["--max-model-len", "2048", "--max-num-seqs", "16", "--dtype", "float32", "--enforce-eager"]
    tools = ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
    return [*places, "--host", "127.0.0.1", "--port", str(port), *sizes, *tools]


COMMANDS: dict[str, tuple[Callable[[int], list[str]], str]] = {
    "llama-server": (_llama_server, "llamacpp:requests_processing"),
    "vllm": (_vllm, "vllm:num_requests_running"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=COMMANDS)
async def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    make, running = COMMANDS[request.param]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder = tmp_path_factory.mktemp("front")
    async with _process(make(port), f"http://127.0.0.1:{port}", folder / "engine.log") as url:
        front = launch(folder, "--nowebui", "--upstream", f"up={url}/v1")
        try:
            await front.until_listening()
            yield Engine(request.param, url, front, running)
        finally:
            front.kill()


@asynccontextmanager
async def _process(command: list[str], url: str, log: Path) -> AsyncIterator[str]:
    offline = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: ASYNC220 - started once
            command, stdout=output, stderr=output, cwd=ROOT, env=surroundings(offline), start_new_session=True
        )
    try:
        async with asyncio.timeout(_START_SECONDS), httpx.AsyncClient(trust_env=False) as http:
            while not await _is_healthy(http, url):
                assert process.poll() is None, f"it ended; see {log}"
                await asyncio.sleep(_POLL_SECONDS)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.wait)


async def _is_healthy(http: httpx.AsyncClient, url: str) -> bool:
    with suppress(httpx.TransportError):
        return (await http.get(f"{url}/health")).status_code == 200
    return False


@pytest_asyncio.fixture(loop_scope="module")
async def http(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with engine.front.client() as client:
        yield client


async def _streamed(http: httpx.AsyncClient, body: dict[str, Any], path: str = CHAT) -> str:
    async with streaming(http, body, path) as events:
        found = await rest_of(events)
    assert found[-1] == DONE
    chunks = [json.loads(event) for event in found[:-1]]
    return "".join(delta_of(json.dumps(chunk)) if path == CHAT else _text(chunk) for chunk in chunks)


def _text(chunk: dict[str, Any]) -> str:
    return "".join(choice["text"] for choice in chunk["choices"])


async def test_streams_are_what_the_engine_says_alone(engine: Engine, http: httpx.AsyncClient) -> None:
    bodies = [engine.says(f"Write a sentence about the number {number}.") for number in range(4)]
    async with httpx.AsyncClient(base_url=engine.url, timeout=90, trust_env=False) as direct:
        alone = [text_of(await ask(direct, body | {"model": "smollm2"})) for body in bodies]
    assert [text_of(await ask(http, body)) for body in bodies] == alone
    assert [(await _streamed(http, body)).strip() for body in bodies] == alone


async def test_text_completions_and_log_probabilities(engine: Engine, http: httpx.AsyncClient) -> None:
    body = {"prompt": "Once upon a", "max_tokens": 6, "temperature": 0}
    whole = await ask(http, body | {"logprobs": 2}, TEXT)
    said = whole["choices"][0]["text"]
    assert await _streamed(http, body, TEXT) == said
    logprobs = whole["choices"][0]["logprobs"]
    assert "".join(logprobs["tokens"]) == said
    assert all(value <= 0 for value in logprobs["token_logprobs"])
    chat = await ask(http, engine.says("Say something.", logprobs=True, top_logprobs=2, max_tokens=5))
    entries = chat["choices"][0]["logprobs"]["content"]
    assert "".join(entry["token"] for entry in entries) == chat["choices"][0]["message"]["content"]
    assert all(len(entry["top_logprobs"]) == 2 for entry in entries)


async def test_schemas_hold_and_other_forms_hold_or_are_refused(engine: Engine, http: httpx.AsyncClient) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}}
    person = json.loads(text_of(await ask(http, engine.says("A person.", response_format=form, max_tokens=80))))
    assert set(person) == {"name", "age"}
    grammar = await ask(http, engine.says("Well?", grammar_string='root ::= "yes" | "no"'))
    assert text_of(grammar) in {"yes", "no"}
    regex = await http.post(CHAT, json=engine.says("A number.", guided_regex="[0-9]{3}"))
    if engine.name == "vllm":
        assert text_of(regex.json()).isdecimal()
    else:
        assert (regex.status_code, regex.json()["error"]["param"]) == (400, "guided_regex")


async def test_a_tool_that_has_to_be_called_is_called(engine: Engine, http: httpx.AsyncClient) -> None:
    """With the arguments that the engine gives by itself, which vLLM does not always make an object."""
    wanted = {"type": "function", "function": {"name": "get_weather"}}
    body = engine.says("The weather in Paris?", tools=[WEATHER], tool_choice=wanted, max_tokens=80)
    alone = body | {"model": "smollm2", "tool_choice": "required"}
    async with httpx.AsyncClient(base_url=engine.url, timeout=90, trust_env=False) as direct:
        expected = (await ask(direct, alone))["choices"][0]["message"].get("tool_calls")
    if not expected:
        pytest.skip(f"{engine.name} calls no tool of this model by itself")
    (choice,) = (await ask(http, body))["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert call["function"] == expected[0]["function"]
    assert choice["finish_reason"] == "tool_calls"
    async with streaming(http, body) as events:
        deltas = [
            delta
            for event in await rest_of(events)
            if event != DONE
            for choice in json.loads(event)["choices"]
            for delta in choice["delta"].get("tool_calls", ())
        ]
    assert {delta["index"] for delta in deltas} == {0}
    assert "".join(delta["function"].get("arguments", "") for delta in deltas) == call["function"]["arguments"]


async def test_characters_templates_and_the_other_apis(engine: Engine, http: httpx.AsyncClient) -> None:
    persona = {"mode": "chat", "name1": "Ann", "name2": "Bot", "context": "Bot is kind.", "greeting": "Hello."}
    assert text_of(await ask(http, engine.says("Who are you?", **persona)))
    template = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:"
    long = engine.says("Tell me a story.", instruction_template_str=template, ignore_eos=True)
    del long["max_tokens"]
    async with streaming(http, long) as events:
        # Servers end text completions after 16 tokens where nothing is said.
        await until_text(events, 20)
    response = await ask(http, {"model": "up/smollm2", "input": "A colour.", "max_output_tokens": 16}, "/v1/responses")
    assert response["output"][0]["content"][0]["text"]
    turns = [{"role": "user", "content": "A colour."}]
    message = await ask(http, {"model": "up/smollm2", "messages": turns, "max_tokens": 16}, "/v1/messages")
    assert message["content"][0]["text"]
    counted = await http.post("/v1/messages/count_tokens", json={"model": "up/smollm2", "messages": turns})
    assert counted.json().get("input_tokens", 0) > 5 or counted.status_code == 400


async def test_what_the_engine_lacks_is_named(engine: Engine, http: httpx.AsyncClient) -> None:
    reply = await http.post(CHAT, json=engine.says("Hi.", tfs=0.5, top_k=5, max_tokens=2))
    assert reply.headers["x-ignored-parameters"] == "tfs"
    too_long = await http.post(CHAT, json=engine.says("word " * 9000))
    assert (too_long.status_code, too_long.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_a_stream_that_is_left_ends_at_the_engine(engine: Engine, http: httpx.AsyncClient) -> None:
    async with streaming(http, engine.says("A long story.", max_tokens=1500, ignore_eos=True)) as events:
        await until_text(events, 3)
    async with asyncio.timeout(60), httpx.AsyncClient(base_url=engine.url, trust_env=False) as direct:
        while await _running(direct, engine.running):  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(_POLL_SECONDS)


async def _running(http: httpx.AsyncClient, name: str) -> float:
    answer = await http.get("/metrics")
    if answer.status_code != 200:
        # llama-server counts only where it was started so.
        return 0
    return sum(float(line.rsplit(" ", 1)[1]) for line in answer.text.splitlines() if line.startswith(name))
