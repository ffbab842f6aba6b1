"""The official client over /v1/responses and /v1/conversations."""

from typing import Any

import pytest
from openai import APIError, AsyncOpenAI, BadRequestError, NotFoundError
from openai.types.responses import ResponseFunctionToolCall

from tests.api.serving import Served


async def test_a_whole_response(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="x", input="echo: é👋", instructions="be brief")
    assert response.output_text == "é👋"
    assert response.usage is not None
    assert response.usage.output_tokens == len("é👋".encode())
    assert response.usage.output_tokens_details.reasoning_tokens == 0


async def test_a_streamed_response(client: AsyncOpenAI) -> None:
    stream = await client.responses.create(model="x", input="echo: hello", stream=True)
    deltas, last = [], None
    async for event in stream:
        last = event
        if event.type == "response.output_text.delta":
            deltas.append(event.delta)
    assert "".join(deltas) == "hello"
    assert last is not None
    assert last.type == "response.completed"
    assert last.response.output_text == "hello"


async def test_the_clients_stream_reader(client: AsyncOpenAI) -> None:
    async with client.responses.stream(model="x", input="echo: hello") as stream:
        snapshots = [event.snapshot async for event in stream if event.type == "response.output_text.delta"]
        response = await stream.get_final_response()
    assert snapshots[-1] == response.output_text == "hello"
    assert response.status == "completed"


async def test_retrieving_listing_and_deleting(client: AsyncOpenAI) -> None:
    created = await client.responses.create(model="x", input="echo: hi")
    assert (await client.responses.retrieve(created.id)) == created
    items = [item async for item in await client.responses.input_items.list(created.id)]
    assert [item.type for item in items] == ["message"]
    await client.responses.delete(created.id)
    with pytest.raises(NotFoundError):
        await client.responses.retrieve(created.id)


async def test_the_client_pages_through_the_items(client: AsyncOpenAI) -> None:
    history: list[Any] = [{"role": "user", "content": f"{number}"} for number in range(7)]
    created = await client.responses.create(model="x", input=history)
    pages = await client.responses.input_items.list(created.id, limit=3, order="asc")
    texts = [item.content[0].text async for item in pages if item.type == "message"]  # type: ignore[union-attr]
    assert texts == [f"{number}" for number in range(7)]


async def test_a_chain_of_responses(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model="x", input="echo: one")
    second = await client.responses.create(model="x", input="echo: two", previous_response_id=first.id)
    counted = await client.responses.input_tokens.count(model="x", input="three", previous_response_id=second.id)
    third = await client.responses.create(model="x", input="three", previous_response_id=second.id)
    assert third.usage is not None
    assert third.usage.input_tokens == counted.input_tokens
    with pytest.raises(BadRequestError) as refusal:
        await client.responses.create(model="x", input="hi", previous_response_id="resp_unknown")
    assert refusal.value.code == "previous_response_not_found"


async def test_output_items_can_be_sent_back_as_they_are(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model="x", input="echo: one")
    history: list[Any] = [
        {"role": "user", "content": "echo: one"},
        *first.output,
        {"role": "user", "content": "echo: two"},
    ]
    assert (await client.responses.create(model="x", input=history)).output_text == "two"
    references: list[Any] = [{"type": "item_reference", "id": item.id} for item in first.output]
    again = await client.responses.create(model="x", input=[*references, {"role": "user", "content": "echo: two"}])
    assert again.output_text == "two"


async def test_a_conversation(client: AsyncOpenAI) -> None:
    conversation = await client.conversations.create(
        items=[{"type": "message", "role": "user", "content": "hello"}], metadata={"topic": "x"}
    )
    await client.responses.create(model="x", input="echo: hi", conversation=conversation.id)
    items = [item async for item in await client.conversations.items.list(conversation.id, order="asc", limit=2)]
    assert [item.role for item in items if item.type == "message"] == ["user", "user", "assistant"]
    one = await client.conversations.items.retrieve(items[0].id or "", conversation_id=conversation.id)
    assert one == items[0]
    await client.conversations.items.create(
        conversation.id, items=[{"type": "message", "role": "user", "content": "more"}]
    )
    await client.conversations.items.delete(items[0].id or "", conversation_id=conversation.id)
    assert len([item async for item in await client.conversations.items.list(conversation.id)]) == 3
    updated = await client.conversations.update(conversation.id, metadata={"topic": "y"})
    assert updated == await client.conversations.retrieve(conversation.id)
    assert updated.metadata == {"topic": "y"}
    assert (await client.conversations.delete(conversation.id)).deleted


async def test_a_response_in_the_background(client: AsyncOpenAI) -> None:
    created = await client.responses.create(model="x", input="count 3", background=True)
    assert created.status == "queued"
    stream = await client.responses.retrieve(created.id, stream=True, starting_after=0)
    kinds = [event.type async for event in stream]
    assert (kinds[0], kinds[-1]) == ("response.queued", "response.completed")
    assert (await client.responses.retrieve(created.id)).output_text == "1 2 3"
    stalled = await client.responses.create(model="x", input="stall", background=True)
    assert (await client.responses.cancel(stalled.id)).status == "cancelled"


async def test_the_stream_reader_follows_a_response_in_the_background(client: AsyncOpenAI) -> None:
    async with client.responses.stream(model="x", input="count 3", background=True) as stream:
        first = await anext(aiter(stream))
        assert first.type == "response.created"
    async with client.responses.stream(response_id=first.response.id) as again:
        assert (await again.get_final_response()).output_text == "1 2 3"


async def test_overflows_raise_when_whole_and_end_a_stream_as_failed(client: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError) as refusal:
        await client.responses.create(model="x", input="x" * 9000)
    assert refusal.value.code == "context_length_exceeded"
    stream = await client.responses.create(model="x", input="x" * 9000, stream=True)
    events = [event async for event in stream]
    assert [event.type for event in events] == ["response.created", "error", "response.failed"]


async def test_a_failure_in_a_stream_is_an_event(client: AsyncOpenAI, api: Served) -> None:
    api.closing.set()
    with pytest.raises(APIError, match="being stopped"):
        await client.responses.create(model="x", input="stall", stream=True)


async def test_a_call_is_answered(client: AsyncOpenAI) -> None:
    call = ResponseFunctionToolCall(type="function_call", call_id="1", name="f", arguments="{}")
    history: list[Any] = [
        {"role": "user", "content": "go"},
        call.model_dump(),
        {"type": "function_call_output", "call_id": "1", "output": "echo: done"},
    ]
    response = await client.responses.create(model="x", input=history)
    assert response.status == "completed"
