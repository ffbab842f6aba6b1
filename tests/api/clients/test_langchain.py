"""langchain-openai: whole and streamed replies, its tools, and its structured output."""

from collections.abc import AsyncIterator
from typing import Literal

import httpx2
import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tests.api.clients.words import ANSWER, CALL, CLASS_CALL, ROME, TOOL, Forecast

Method = Literal["function_calling", "json_mode", "json_schema"]
ROMES = [("forecast", {"city": "Rome", "days": 3})]


@pytest.fixture
async def model(url: str) -> AsyncIterator[ChatOpenAI]:
    async with httpx2.AsyncClient() as http:
        yield ChatOpenAI(
            model="gpt-4o",
            base_url=url,
            api_key=SecretStr("sk-any"),
            max_retries=0,
            stream_usage=True,
            http_async_client=http,
        )


async def streamed(model: Runnable[str, AIMessage], words: str) -> AIMessage:
    chunks = [chunk async for chunk in model.astream(words)]
    whole = sum(chunks[1:], start=chunks[0])
    assert isinstance(whole, AIMessage)
    return whole


def output_tokens(reply: AIMessage) -> int:
    assert reply.usage_metadata is not None
    return reply.usage_metadata["output_tokens"]


async def test_a_reply(model: ChatOpenAI) -> None:
    reply = await model.ainvoke("echo: hello")
    assert reply.content == "hello"
    assert reply.response_metadata["finish_reason"] == "stop"
    assert output_tokens(reply) == len("hello")


async def test_a_stream_with_the_usage_it_asks_for(model: ChatOpenAI) -> None:
    reply = await streamed(model, "count 9")
    assert reply.content == "1 2 3 4 5 6 7 8 9"
    assert output_tokens(reply) == len(reply.content)


@pytest.mark.parametrize("choice", ["auto", "required", "forecast"])
async def test_tools(model: ChatOpenAI, choice: str) -> None:
    reply = await model.bind_tools([TOOL], tool_choice=choice).ainvoke(CALL)
    assert [(call["name"], call["args"]) for call in reply.tool_calls] == ROMES


async def test_streamed_tools(model: ChatOpenAI) -> None:
    reply = await streamed(model.bind_tools([TOOL]), CALL)
    assert [(call["name"], call["args"]) for call in reply.tool_calls] == ROMES


@pytest.mark.parametrize(
    ("method", "words"), [("json_schema", ANSWER), ("json_mode", ANSWER), ("function_calling", CLASS_CALL)]
)
async def test_structured_output(model: ChatOpenAI, method: Method, words: str) -> None:
    assert await model.with_structured_output(Forecast, method=method).ainvoke(words) == ROME
