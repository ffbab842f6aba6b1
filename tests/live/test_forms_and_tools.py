"""Replies in a form and calls of tools, through the official client, on a real model."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator
from openai import OpenAI
from openai.types.chat import ChatCompletion

from tests.live.server import LiveServer, live_server
from tests.model_files import QWEN

pytestmark = [pytest.mark.live, pytest.mark.model]

WEATHER = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 40},
        "unit": {"enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 7},
    },
    "required": ["city", "unit", "days"],
    "additionalProperties": False,
}
CLOCK = {"type": "object", "properties": {"timezone": {"type": "string", "maxLength": 40}}, "required": ["timezone"]}
TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "Weather of a city.", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "clock", "description": "Time in a timezone.", "parameters": CLOCK}},
]
SCHEMAS: dict[str, dict[str, Any]] = {"weather": WEATHER, "clock": CLOCK}
NAMED = {"type": "function", "function": {"name": "clock"}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    async with live_server(tmp_path_factory.mktemp("server"), "--model", QWEN) as running:
        yield running


@pytest.fixture
def client(server: LiveServer) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/v1", api_key="sk-any", max_retries=0)


def reply(client: OpenAI, words: str, *, streams: bool, **fields: Any) -> ChatCompletion:
    body: dict[str, Any] = {"model": "x", "messages": [{"role": "user", "content": words}], "max_tokens": 200, **fields}
    if not streams:
        whole: ChatCompletion = client.chat.completions.create(**body)
        return whole
    with client.chat.completions.stream(**body) as stream:
        return stream.get_final_completion()


def calls_in(completion: ChatCompletion) -> list[tuple[str, Any]]:
    calls = completion.choices[0].message.tool_calls or []
    return [(call.function.name, json.loads(call.function.arguments)) for call in calls if call.type == "function"]


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("temperature", [0, 1.2])
def test_a_form_is_kept(client: OpenAI, temperature: float, streams: bool) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "weather", "strict": True, "schema": WEATHER}}
    words = "Make up a weather request as JSON."
    completion = reply(client, words, streams=streams, response_format=form, temperature=temperature, seed=1)
    assert completion.choices[0].finish_reason == "stop"
    Draft202012Validator(WEATHER).validate(json.loads(completion.choices[0].message.content or ""))


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("choice", ["required", NAMED], ids=["required", "named"])
def test_calls_that_are_asked_for_are_made(client: OpenAI, choice: object, streams: bool) -> None:
    """Whatever the words are about, and however hot the sampling is."""
    completion = reply(
        client, "Tell me a joke.", streams=streams, tools=TOOLS, tool_choice=choice, temperature=1.2, seed=2
    )
    calls = calls_in(completion)
    assert completion.choices[0].finish_reason == "tool_calls"
    assert not completion.choices[0].message.content
    assert calls
    for name, arguments in calls:
        Draft202012Validator(SCHEMAS[name]).validate(arguments)
    if choice is NAMED:
        assert [name for name, _ in calls] == ["clock"]


def test_none_means_none(client: OpenAI) -> None:
    words = "What is the weather in Rome?"
    completion = reply(client, words, streams=False, tools=TOOLS, tool_choice="none", temperature=0, max_tokens=20)
    assert completion.choices[0].message.tool_calls is None
    assert completion.choices[0].message.content
