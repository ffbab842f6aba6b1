"""A small model that must call a tool ends its reply after its calls: it would go on to repeat them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from openai import OpenAI

from tests.live.server import LiveServer, live_server
from tests.model_files import SMOLLM2

pytestmark = [pytest.mark.live, pytest.mark.model]

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "Weather of a city.", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}},
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    async with live_server(tmp_path_factory.mktemp("server"), "--model", SMOLLM2) as running:
        yield running


@pytest.mark.parametrize("words", ["What is the weather in Paris?", "What time is it?", "Hi", "Call a tool."])
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
def test_a_forced_call_is_not_repeated(server: LiveServer, words: str, streams: bool) -> None:
    client = OpenAI(base_url=f"{server.url}/v1", api_key="sk-any", max_retries=0)
    body: dict[str, Any] = {
        "model": "x",
        "messages": [{"role": "user", "content": words}],
        "tools": TOOLS,
        "tool_choice": "required",
        "temperature": 0,
        "max_tokens": 400,
    }
    if streams:
        with client.chat.completions.stream(**body) as stream:
            completion = stream.get_final_completion()
    else:
        completion = client.chat.completions.create(**body)
    choice = completion.choices[0]
    calls = [(call.function.name, call.function.arguments) for call in choice.message.tool_calls or ()]
    assert choice.finish_reason == "tool_calls"
    assert calls
    assert len({(name, json.dumps(json.loads(arguments))) for name, arguments in calls}) == len(calls)
