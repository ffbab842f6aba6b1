"""openai-python beyond plain chat: structured replies, tools, and the events of its stream helper."""

import json
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, LengthFinishReasonError, pydantic_function_tool

from tests.api.clients.words import ANSWER, CALL, ROME, TOOL, TWO_CALLS, Forecast


def says(words: str, **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": words}], **fields}


async def test_parse_gives_the_model_that_was_asked_for(client: AsyncOpenAI) -> None:
    completion = await client.chat.completions.parse(**says(ANSWER, response_format=Forecast))
    assert completion.choices[0].message.parsed == ROME


async def test_parse_says_when_the_reply_was_too_long(client: AsyncOpenAI) -> None:
    with pytest.raises(LengthFinishReasonError):
        await client.chat.completions.parse(**says(ANSWER, response_format=Forecast, max_tokens=5))


async def test_the_stream_helper_parses_too(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(**says(ANSWER, response_format=Forecast)) as stream:
        kinds = [event.type async for event in stream]
        completion = await stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= set(kinds)
    assert completion.choices[0].message.parsed == ROME


async def test_two_calls_whole(client: AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(**says(TWO_CALLS, tools=[TOOL]))
    [choice] = completion.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    calls = choice.message.tool_calls or []
    assert [json.loads(call.function.arguments) for call in calls if call.type == "function"] == [
        {"city": "Rome", "days": 3},
        {"city": "Oslo", "days": 1},
    ]
    assert len({call.id for call in calls}) == 2


async def test_two_calls_streamed(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(**says(TWO_CALLS, tools=[TOOL])) as stream:
        done = [event async for event in stream if event.type == "tool_calls.function.arguments.done"]
        completion = await stream.get_final_completion()
    assert [(event.index, event.name, json.loads(event.arguments)) for event in done] == [
        (0, "forecast", {"city": "Rome", "days": 3}),
        (1, "forecast", {"city": "Oslo", "days": 1}),
    ]
    assert completion.choices[0].finish_reason == "tool_calls"


async def test_a_strict_tool_is_parsed(client: AsyncOpenAI) -> None:
    tool = pydantic_function_tool(Forecast, name="forecast")
    named = {"type": "function", "function": {"name": "forecast"}}
    completion = await client.chat.completions.parse(**says(CALL, tools=[tool], tool_choice=named))
    [call] = completion.choices[0].message.tool_calls or []
    assert call.function.parsed_arguments == ROME


@pytest.mark.parametrize("choice", ["auto", "required", {"type": "custom", "custom": {"name": "patch"}}])
async def test_free_text_for_a_custom_tool(client: AsyncOpenAI, choice: object) -> None:
    arguments = r'{"name": "patch", "arguments": {"input": "a\nb \"c\""}}'
    words = f"echo: <tool_call>\n{arguments}\n</tool_call>"
    tool = {"type": "custom", "custom": {"name": "patch", "description": "Changes files."}}
    completion = await client.chat.completions.create(**says(words, tools=[tool], tool_choice=choice))
    [call] = completion.choices[0].message.tool_calls or []
    assert call.type == "custom"
    assert (call.custom.name, call.custom.input) == ("patch", 'a\nb "c"')


async def test_one_call_at_a_time(client: AsyncOpenAI) -> None:
    asked = says(TWO_CALLS, tools=[TOOL], tool_choice="required", parallel_tool_calls=False)
    completion = await client.chat.completions.create(**asked)
    assert len(completion.choices[0].message.tool_calls or []) == 1


async def test_calls_after_text_keep_the_text(client: AsyncOpenAI) -> None:
    words = CALL.replace("echo: ", "echo: Let me look. ")
    completion = await client.chat.completions.create(**says(words, tools=[TOOL]))
    assert (completion.choices[0].message.content or "").strip() == "Let me look."
    assert len(completion.choices[0].message.tool_calls or []) == 1


async def test_the_older_form(client: AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(**says(CALL, functions=[TOOL["function"]]))
    [choice] = completion.choices
    assert choice.finish_reason == "function_call"
    assert choice.message.function_call is not None
    assert json.loads(choice.message.function_call.arguments) == {"city": "Rome", "days": 3}


async def test_a_tool_that_nobody_offered_is_refused_by_name(client: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError) as refusal:
        await client.chat.completions.create(
            **says(CALL, tools=[TOOL], tool_choice={"type": "function", "function": {"name": "other"}})
        )
    assert refusal.value.param == "tool_choice"
