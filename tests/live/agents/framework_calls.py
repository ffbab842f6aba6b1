"""What an agent framework gets from the API, as JSON: a whole and a streamed answer, one after a tool was called, and
one by schema. Run as `framework_calls.py FRAMEWORK BASE_URL WORDS`, in an environment that has the framework."""

# mypy: ignore-errors

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import BaseModel

NAME, URL = sys.argv[1:3]
WORDS = json.loads(sys.argv[3])
RULES = "Be kind."
CALLED: list[Any] = []


class Forecast(BaseModel):
    """Weather of the coming days."""

    city: str
    days: int


def forecast(city: str, days: int) -> str:
    """Weather of the coming days."""
    CALLED.append({"city": city, "days": days})
    return "\ncount 6\n"


async def openai_agents(use_responses: bool) -> dict[str, Any]:
    from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool
    from agents import set_tracing_disabled as without_tracing
    from openai import AsyncOpenAI

    without_tracing(True)
    client = AsyncOpenAI(base_url=URL, api_key="sk-any", max_retries=0)
    made = OpenAIResponsesModel if use_responses else OpenAIChatCompletionsModel
    model = made(model="any", openai_client=client)

    def agent(**more: Any) -> Agent:
        return Agent(name="a", instructions=RULES, model=model, **more)

    streamed = Runner.run_streamed(agent(), "count 5")
    pieces = [
        event.data.delta
        async for event in streamed.stream_events()
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
    ]
    return {
        "whole": (await Runner.run(agent(), "count 4")).final_output,
        "streamed": "".join(pieces),
        "called": (await Runner.run(agent(tools=[function_tool(forecast)]), WORDS["call"])).final_output,
        "parsed": (await Runner.run(agent(output_type=Forecast), WORDS["answer"])).final_output.model_dump(),
    }


async def langchain(provider: str) -> dict[str, Any]:
    from langchain.agents import create_agent
    from langchain_anthropic import ChatAnthropic
    from langchain_openai import ChatOpenAI

    if provider == "anthropic":
        model = ChatAnthropic(model="any", base_url=URL.removesuffix("/v1"), api_key="sk-any", max_retries=0)
    else:
        model = ChatOpenAI(model="any", base_url=URL, api_key="sk-any", max_retries=0)
    asked = [("system", RULES), ("user", "count 4")]
    agent = create_agent(model, tools=[forecast], system_prompt=RULES)
    final = await agent.ainvoke({"messages": [("user", WORDS["call"])]})
    form = model.with_structured_output(Forecast, method="json_schema")
    return {
        "whole": (await model.ainvoke(asked)).text,
        "streamed": "".join([chunk.text async for chunk in model.astream("count 5")]),
        "called": final["messages"][-1].text,
        "parsed": (await form.ainvoke(WORDS["answer"])).model_dump(),
    }


async def pydantic_ai() -> dict[str, Any]:
    from pydantic_ai import Agent, NativeOutput
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    model = OpenAIChatModel("any", provider=OpenAIProvider(base_url=URL, api_key="sk-any"))
    async with Agent(model, instructions=RULES).run_stream("count 5") as stream:
        streamed = await stream.get_output()
    return {
        "whole": (await Agent(model, instructions=RULES).run("count 4")).output,
        "streamed": streamed,
        "called": (await Agent(model, tools=[forecast]).run(WORDS["call"])).output,
        "parsed": (await Agent(model, output_type=NativeOutput(Forecast)).run(WORDS["answer"])).output.model_dump(),
    }


async def semantic_kernel() -> dict[str, Any]:
    from openai import AsyncOpenAI
    from semantic_kernel.agents import ChatCompletionAgent
    from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion, OpenAIChatPromptExecutionSettings
    from semantic_kernel.functions import KernelArguments, kernel_function

    class Weather:
        @kernel_function(name="forecast")
        def forecast(self, city: str, days: int) -> str:
            return forecast(city, days)

    service = OpenAIChatCompletion(
        ai_model_id="any", async_client=AsyncOpenAI(base_url=URL, api_key="sk-any", max_retries=0)
    )
    plain = ChatCompletionAgent(service=service, name="a", instructions=RULES)
    calling = ChatCompletionAgent(service=service, name="a", instructions=RULES, plugins=[Weather()])
    settings = OpenAIChatPromptExecutionSettings(response_format=Forecast)
    formed = ChatCompletionAgent(service=service, name="a", arguments=KernelArguments(settings=settings))
    # Its plugins' functions have the plugin's name before their own.
    called = await calling.get_response(messages=WORDS["call"].replace("forecast", "Weather-forecast"))
    return {
        "whole": str(await plain.get_response(messages="count 4")),
        "streamed": "".join([str(chunk.message) async for chunk in plain.invoke_stream(messages="count 5")]),
        "called": str(called),
        "parsed": json.loads(str(await formed.get_response(messages=WORDS["answer"]))),
    }


async def with_instructor() -> dict[str, Any]:
    import instructor
    from openai import AsyncOpenAI

    client = instructor.from_openai(
        AsyncOpenAI(base_url=URL, api_key="sk-any", max_retries=0), mode=instructor.Mode.JSON_SCHEMA
    )
    tools = instructor.from_openai(AsyncOpenAI(base_url=URL, api_key="sk-any", max_retries=0))

    async def made(client: Any, words: str) -> dict[str, Any]:
        messages = [{"role": "system", "content": RULES}, {"role": "user", "content": words}]
        return (await client.create(model="any", messages=messages, response_model=Forecast)).model_dump()

    CALLED.append(await made(tools, WORDS["call"].replace("forecast", "Forecast")))
    return {"parsed": await made(client, WORDS["answer"])}


async def llama_index() -> dict[str, Any]:
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.openai_like import OpenAILike

    model = OpenAILike(
        model="any",
        api_base=URL,
        api_key="sk-any",
        is_chat_model=True,
        is_function_calling_model=True,
        should_use_structured_outputs=True,
        max_retries=0,
    )
    asked = [ChatMessage(role="system", content=RULES), ChatMessage(role="user", content="count 4")]
    stream = await model.astream_chat([ChatMessage(role="user", content="count 5")])
    agent = FunctionAgent(tools=[forecast], llm=model, system_prompt=RULES)
    form = model.as_structured_llm(Forecast)
    return {
        "whole": (await model.achat(asked)).message.content,
        "streamed": "".join([chunk.delta async for chunk in stream]),
        "called": str(await agent.run(WORDS["call"])),
        "parsed": (await form.achat([ChatMessage(role="user", content=WORDS["answer"])])).raw.model_dump(),
    }


FRAMEWORKS: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
    "openai-agents": lambda: openai_agents(use_responses=False),
    "openai-agents-responses": lambda: openai_agents(use_responses=True),
    "langchain-openai": lambda: langchain("openai"),
    "langchain-anthropic": lambda: langchain("anthropic"),
    "pydantic-ai": pydantic_ai,
    "semantic-kernel": semantic_kernel,
    "instructor": with_instructor,
    "llama-index": llama_index,
}

if __name__ == "__main__":
    answers = asyncio.run(FRAMEWORKS[NAME]())
    sys.stdout.write(json.dumps({**answers, "calls": CALLED}))
