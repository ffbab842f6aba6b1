"""Streams of every kind at once: tools, log probabilities, schemas, plain text. Each gets what it asked for, and nothing
of another's."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import Choice

from tests.live.server import LiveServer, live_server
from tests.model_files import QWEN, model_path

TOKENS: Final = 32

pytestmark = [pytest.mark.live, pytest.mark.model]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    models = model_path(QWEN).parent
    flags = ("--model-dir", models, "--model", QWEN, "--ctx-size", 4096, "--parallel", 10)
    async with live_server(tmp_path_factory.mktemp("server"), *flags) as running:
        yield running


@pytest.fixture
async def client(server: LiveServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0) as client:
        yield client


def object_of(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def tool(number: int) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": f"report_{number}",
            "description": "Reports a colour.",
            "parameters": object_of(
                number={"type": "integer", "enum": [number]}, colour={"enum": ["red", "green", "blue"]}
            ),
        },
    }


async def streamed(client: AsyncOpenAI, **options: Any) -> ChatCompletion:
    messages = [{"role": "user", "content": "Choose a colour and tell me about it."}]
    usual: dict[str, Any] = {"model": "any", "messages": messages, "max_tokens": 150, "temperature": 1.0}
    async with client.chat.completions.stream(**(usual | options)) as stream:
        return await stream.get_final_completion()


async def call(client: AsyncOpenAI, number: int) -> None:
    reply = await streamed(client, tools=[tool(number)], tool_choice="required", parallel_tool_calls=False)
    (choice,) = reply.choices
    assert choice.finish_reason == "tool_calls"
    calls = [made.function for made in choice.message.tool_calls or [] if made.type == "function"]
    assert [made.name for made in calls] == [f"report_{number}"]
    assert json.loads(calls[0].arguments)["number"] == number


async def form(client: AsyncOpenAI, number: int) -> None:
    schema = object_of(number={"const": number}, colour={"type": "string", "maxLength": 12})
    wanted = {"type": "json_schema", "json_schema": {"name": "colour", "schema": schema, "strict": True}}
    (choice,) = (await streamed(client, response_format=wanted)).choices
    assert choice.finish_reason == "stop"
    assert json.loads(choice.message.content or "")["number"] == number


async def scored(client: AsyncOpenAI, number: int) -> None:
    text, entries = "", []
    asked = says("Tell me about colours.", logprobs=True, top_logprobs=2, extra_body={"ban_eos_token": True})
    async for choice in choices_of(await client.chat.completions.create(**asked)):
        text += choice.delta.content or ""
        entries += (choice.logprobs.content or []) if choice.logprobs else []
    assert len(entries) == TOKENS
    assert b"".join(bytes(entry.bytes or ()) for entry in entries).decode() == text
    assert all(len(entry.top_logprobs) == 2 for entry in entries)


async def plain(client: AsyncOpenAI, number: int) -> None:
    text = ""
    asked = says(f"Repeat the word only{number} again and again.", temperature=0)
    async for choice in choices_of(await client.chat.completions.create(**asked)):
        text += choice.delta.content or ""
    assert f"only{number}" in text
    assert not any(f"only{other}" in text for other in range(10) if other != number)


def says(words: str, **options: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": words}]
    return {"model": "any", "messages": messages, "max_tokens": TOKENS, "stream": True, **options}


async def choices_of(stream: AsyncStream[ChatCompletionChunk]) -> AsyncGenerator[Choice, None]:
    async with stream:
        async for chunk in stream:
            for choice in chunk.choices:
                yield choice


async def test_ten_streams_of_every_kind(client: AsyncOpenAI) -> None:
    kinds = [call, form, scored, call, form, plain, call, form, scored, plain]
    await asyncio.gather(*(kind(client, number) for number, kind in enumerate(kinds)))


@pytest.mark.parametrize("calls", [3, pytest.param(50, marks=[pytest.mark.extended, pytest.mark.timeout(600)])])
async def test_required_calls_are_always_valid(client: AsyncOpenAI, calls: int) -> None:
    await asyncio.gather(*(call(client, number % 10) for number in range(calls)))
