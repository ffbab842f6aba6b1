"""A thought, words and two calls, from the model's own text to what Anthropic's client puts together, and back."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx2
import orjson
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import Message

from extensions.openai.messages.inbound import message_request
from extensions.openai.messages.schema import MessagesRequest
from modules.sampling import Sampling
from modules.settings.values import Settings
from tests.api.messages.strictness import strict_events, strict_message
from tests.api.serving import BASE_URL, Served, served

TEMPLATE: Final = (
    "{% for tool in tools or () %}<tools>{{ tool | tojson }}</tools>{% endfor %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif %}{{ message.content }}"
    "{% for call in message.tool_calls or () %}<tool_call>\n{{ call.function | tojson }}\n</tool_call>{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TOOLS: Final[list[Any]] = [
    {"name": "look", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}},
    {"name": "wait", "input_schema": {"type": "object", "properties": {"for": {"type": "integer"}}}},
]
SAYS: Final = (
    "echo: <think>Where is it?</think>Let me see."
    '<tool_call>\n{"name": "look", "arguments": {"at": "é"}}\n</tool_call>\n'
    '<tool_call>\n{"name": "wait", "arguments": {"for": 3}}\n</tool_call>'
)
ASKED: Final[dict[str, Any]] = {
    "model": "m",
    "max_tokens": 500,
    "tools": TOOLS,
    "messages": [{"role": "user", "content": SAYS}],
}


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[Served]:
    """A model whose template knows thoughts and tools."""
    async with served(tmp_path) as api:
        load = {"model_name": "scripted", "instruction_template_str": TEMPLATE}
        assert (await api.post("/v1/internal/model/load", load)).status_code == 200
        yield api


@pytest.fixture
async def claude(agent: Served) -> AsyncIterator[AsyncAnthropic]:
    http_client = httpx2.AsyncClient(transport=httpx2.ASGITransport(agent.app))
    async with AsyncAnthropic(base_url=BASE_URL, api_key="any", http_client=http_client, max_retries=0) as client:
        yield client


def is_as_said(message: Message) -> None:
    thought, words, look, wait = message.content
    assert thought.type == "thinking"
    assert (thought.thinking, bool(thought.signature)) == ("Where is it?", True)
    assert words.type == "text"
    assert words.text == "Let me see."
    assert look.type == wait.type == "tool_use"
    assert [(call.name, call.input) for call in (look, wait)] == [("look", {"at": "é"}), ("wait", {"for": 3})]
    assert look.id != wait.id
    assert message.stop_reason == "tool_use"
    assert message.usage.output_tokens_details is not None
    assert message.usage.output_tokens_details.thinking_tokens > 0


async def test_a_whole_message(claude: AsyncAnthropic) -> None:
    is_as_said(await claude.messages.create(**ASKED))


async def test_the_clients_stream_reader(claude: AsyncAnthropic) -> None:
    async with claude.messages.stream(**ASKED) as stream:
        kinds = {event.type async for event in stream}
        message = await stream.get_final_message()
    is_as_said(message)
    assert {"thinking", "text", "input_json", "signature"} <= kinds


async def test_everything_is_what_the_client_expects(agent: Served) -> None:
    is_as_said(strict_message((await agent.post("/v1/messages", ASKED)).json()))
    events = strict_events((await agent.post("/v1/messages", {**ASKED, "stream": True})).text)
    ids = [event.content_block.id for event in events if hasattr(event, "content_block") and event.index > 1]
    assert all(call_id.startswith("toolu_") for call_id in ids)


async def test_the_answer_can_be_sent_back(claude: AsyncAnthropic, agent: Served) -> None:
    message = await claude.messages.create(**ASKED)
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "done"}
        for block in message.content
        if block.type == "tool_use"
    ]
    turns = [
        *ASKED["messages"],
        message.to_param(),
        {"role": "user", "content": [*results, {"type": "text", "text": "echo: ok"}]},
    ]
    answer = await claude.messages.create(**{**ASKED, "messages": turns})
    assert [block.text for block in answer.content if block.type == "text"] == ["ok"]
    body = MessagesRequest.model_validate_json(orjson.dumps({**ASKED, "messages": turns}, default=dict))
    prompt = await agent.runtime.chat.render(message_request(body, Settings(), Sampling()))
    assert "assistant\n<think>Where is it?</think>Let me see.<tool_call>" in prompt
    assert '"arguments": {"at": "é"}' in prompt


async def test_a_call_that_may_not_be_made_is_text(agent: Served) -> None:
    message = strict_message((await agent.post("/v1/messages", {**ASKED, "tool_choice": {"type": "none"}})).json())
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.stop_reason == "end_turn"


async def test_one_call_at_most(agent: Served) -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    message = strict_message((await agent.post("/v1/messages", {**ASKED, "tool_choice": choice})).json())
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]


async def test_a_thought_can_be_left_out(agent: Served) -> None:
    thinking = {"type": "adaptive", "display": "omitted"}
    message = strict_message((await agent.post("/v1/messages", {**ASKED, "thinking": thinking})).json())
    assert message.content[0].type == "thinking"
    assert message.content[0].thinking == ""
    assert message.content[0].signature
