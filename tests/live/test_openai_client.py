"""The official Python client, whole and streaming, against the real server and a real model."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.live.client import DONE, endless, rest_of, right_answer, streaming
from tests.live.server import LiveServer
from tests.model_files import QWEN, SMOLLM2

pytestmark = [pytest.mark.live, pytest.mark.model]

PROMPT = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,"


@pytest.fixture
def client(server: LiveServer) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/v1", api_key="sk-any", max_retries=0)


@pytest.fixture
async def async_client(server: LiveServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="sk-any", max_retries=0) as client:
        yield client


def messages(number: int) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": f"Repeat exactly: {right_answer(number)}"}]


def test_whole_chat_reply(client: OpenAI) -> None:
    reply = client.chat.completions.create(model="gpt-4", messages=messages(5713), max_tokens=20, temperature=0)
    (choice,) = reply.choices
    assert choice.message.role == "assistant"
    assert choice.message.content == right_answer(5713)
    assert choice.finish_reason == "stop"
    assert reply.model == SMOLLM2
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply.usage.completion_tokens == len(["The", " number", " is", " ", *"5713", "."])


def test_streamed_chat_reply_has_one_role_one_end_and_the_usage_that_was_asked_for(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="x",
        messages=messages(6821),
        max_tokens=20,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == right_answer(6821)
    assert [delta.role for delta in deltas if delta.role] == ["assistant"]
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


async def test_async_clients_at_once_get_their_own_replies(async_client: AsyncOpenAI) -> None:
    numbers = range(3140, 3148)
    replies = await asyncio.gather(
        *(
            async_client.chat.completions.create(model="x", messages=messages(n), max_tokens=20, temperature=0)
            for n in numbers
        )
    )
    assert [reply.choices[0].message.content for reply in replies] == [right_answer(n) for n in numbers]
    assert len({reply.id for reply in replies}) == len(replies)


async def test_async_stream_that_is_left_early_frees_its_place(async_client: AsyncOpenAI) -> None:
    stream = await async_client.chat.completions.create(
        model="x", messages=messages(1), max_tokens=2000, stream=True, extra_body={"ignore_eos": True}
    )
    async with stream:
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
    reply = await async_client.chat.completions.create(model="x", messages=messages(7), max_tokens=20, temperature=0)
    assert reply.choices[0].message.content == right_answer(7)


def test_text_completion_whole_and_streamed_are_the_same(client: OpenAI) -> None:
    whole = client.completions.create(model="x", prompt=PROMPT, max_tokens=12, temperature=0)
    pieces = client.completions.create(model="x", prompt=PROMPT, max_tokens=12, temperature=0, stream=True)
    assert whole.choices[0].text.startswith(" 12, 13, 14")
    assert "".join(piece.choices[0].text for piece in pieces) == whole.choices[0].text
    assert whole.choices[0].finish_reason == "length"
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 12


def test_several_choices_and_logprobs(client: OpenAI) -> None:
    reply = client.completions.create(model="x", prompt=PROMPT, max_tokens=3, n=2, temperature=0, logprobs=2)
    assert [choice.index for choice in reply.choices] == [0, 1]
    for choice in reply.choices:
        assert choice.logprobs is not None
        assert choice.logprobs.tokens is not None
        assert "".join(choice.logprobs.tokens) == choice.text
        assert choice.logprobs.top_logprobs is not None
        assert all(len(top) >= 2 for top in choice.logprobs.top_logprobs)


def test_models_are_listed_with_the_loaded_one_first(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[0] == SMOLLM2
    assert QWEN in names
    assert client.models.retrieve(SMOLLM2).id == SMOLLM2


def test_failures_arrive_as_the_client_s_own_errors(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="nothing-of-the-kind"):
        client.models.retrieve("nothing-of-the-kind")
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model="x", messages=messages(1), temperature=-1)
    assert bad.value.param == "temperature"
    with pytest.raises(openai.BadRequestError, match="maximum context length is 4096 tokens") as long:
        client.chat.completions.create(model="x", messages=[{"role": "user", "content": "long " * 5000}])
    assert long.value.code == "context_length_exceeded"


def test_a_stream_that_cannot_begin_is_an_error_status(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="maximum context length"):
        client.chat.completions.create(model="x", messages=[{"role": "user", "content": "long " * 5000}], stream=True)


async def test_other_requests_are_answered_beside_a_stream(http: httpx.AsyncClient) -> None:
    async with streaming(http, endless(60)) as events:
        await anext(events)
        logits = await http.post("/v1/internal/logits", json={"prompt": PROMPT})
        count = await http.post("/v1/internal/token-count", json={"text": PROMPT})
        rest = await rest_of(events)
    assert logits.status_code == count.status_code == 200
    assert rest[-1] == DONE
