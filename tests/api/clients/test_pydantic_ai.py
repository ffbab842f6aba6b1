"""pydantic-ai: plain and streamed runs, and both ways to a structured result."""

from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI
from pydantic_ai import Agent, NativeOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.api.clients.words import ANSWER, CALL, ROME, Forecast


@pytest.fixture
async def model(url: str) -> AsyncIterator[OpenAIChatModel]:
    async with AsyncOpenAI(base_url=url, api_key="sk-any") as client:
        yield OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))


async def test_a_run(model: OpenAIChatModel) -> None:
    result = await Agent(model, instructions="Be kind.").run("echo: hello")
    assert result.output == "hello"
    assert result.usage.output_tokens == len("hello")


async def test_a_streamed_run_counts_its_tokens_once(model: OpenAIChatModel) -> None:
    async with Agent(model).run_stream("count 9") as result:
        assert await result.get_output() == "1 2 3 4 5 6 7 8 9"
        assert result.usage.output_tokens == len("1 2 3 4 5 6 7 8 9")


async def test_a_result_by_schema(model: OpenAIChatModel) -> None:
    agent = Agent(model, output_type=NativeOutput(Forecast))
    assert (await agent.run(ANSWER)).output == ROME


async def test_a_result_by_tool(model: OpenAIChatModel) -> None:
    agent = Agent(model, output_type=ToolOutput(Forecast, name="forecast"))
    assert (await agent.run(CALL)).output == ROME
    async with agent.run_stream(CALL) as result:
        assert await result.get_output() == ROME
