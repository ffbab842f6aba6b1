"""Chat requests that name collections of documents are answered with passages, and say which."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings
from pydantic_ai.providers.openai import OpenAIProvider

from tests.api.serving import BASE_URL, CHAT, Served, chunks_of, says, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "How long is the pendulum?"
PROMPT = "/v1/internal/chat-prompt"
LIST = "/v1/internal/knowledge/list"
CITED = {
    "type": "file_citation",
    "number": 1,
    "file_id": "tower/clock.md",
    "filename": "clock.md",
    "quote": "# Clock\n\nThe pendulum is two metres long.",
    "heading": "Clock",
}


def documents(folder: Path) -> None:
    for name, text in {
        "tower/clock.md": "# Clock\n\nThe pendulum is two metres long.",
        "garden/a.txt": "Roses.",
    }.items():
        (folder / "knowledge" / name).parent.mkdir(parents=True)
        (folder / "knowledge" / name).write_text(text, "utf-8")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("user_data")
    documents(folder)
    async with served(folder, user_data_dir=folder) as serving:
        yield serving


async def prompt_of(api: Served, body: dict[str, Any]) -> str:
    return str((await api.post(PROMPT, body)).json()["prompt"])


async def test_passages_stand_in_the_prompt_and_in_the_answer(api: Served) -> None:
    assert (await api.http.get(LIST)).json() == {"collection_names": ["garden", "tower"]}
    asked = says(QUESTION, knowledge=["tower", "garden", "tower"])
    answer = (await api.post(CHAT, asked)).json()
    message = answer["choices"][0]["message"]
    # The scripted model repeats what it was given.
    assert f"{QUESTION}\n\nPASSAGES found" in message["content"]
    assert message["citations"] == [CITED]
    prompt = await prompt_of(api, asked)
    assert f"[1] tower/clock.md (Clock)\n{CITED['quote']}" in prompt
    tokens = (await api.post("/tokenize", asked)).json()["count"]
    assert tokens == answer["usage"]["prompt_tokens"]


@pytest.mark.parametrize("agent", ["x", "python-requests/2.32"])
async def test_a_stream_tells_them_before_its_text(api: Served, agent: str) -> None:
    response = await api.http.post(
        CHAT, json=says(QUESTION, knowledge=["tower"], stream=True, n=2), headers={"user-agent": agent}
    )
    choices = [choice for chunk in chunks_of(response.text) for choice in chunk["choices"]]
    for index in (0, 1):
        deltas = [choice["delta"] for choice in choices if choice["index"] == index]
        assert "role" in deltas[0]
        assert deltas[1]["citations"] == [CITED]
        assert not [delta for delta in deltas[2:] if "citations" in delta]
        assert "".join(delta.get("content") or "" for delta in deltas).startswith(f"You said: {QUESTION}")


async def test_clients_that_check_answers_take_them(api: Served) -> None:
    transport = httpx2.ASGITransport(api.app)
    async with AsyncOpenAI(
        base_url=f"{BASE_URL}/v1", api_key="sk-any", http_client=httpx2.AsyncClient(transport=transport)
    ) as client:
        agent = Agent(OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client)))
        settings = OpenAIChatModelSettings(extra_body={"knowledge": ["tower"]})
        assert "two metres long" in (await agent.run(QUESTION, model_settings=settings)).output
        async with agent.run_stream(QUESTION, model_settings=settings) as result:
            assert "two metres long" in await result.get_output()


async def test_nothing_is_given_that_nobody_asked_for(api: Served) -> None:
    plain = await prompt_of(api, says(QUESTION))
    nothing: tuple[list[str] | None, ...] = ([], None)
    for knowledge in nothing:
        asked = says(QUESTION, knowledge=knowledge)
        assert await prompt_of(api, asked) == plain
        assert "citations" not in (await api.post(CHAT, asked)).json()["choices"][0]["message"]
    # Asked for, and nothing found.
    answer = (await api.post(CHAT, says("Xyzzy", knowledge=["garden"]))).json()
    assert answer["choices"][0]["message"]["citations"] == []


async def test_the_users_last_message_is_the_question_whatever_follows(api: Served) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "roll", "arguments": "{}"}}
    picture = [{"type": "text", "text": QUESTION}, {"type": "text", "text": "Tell me."}]
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": picture},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "6"},
    ]
    prompt = await prompt_of(api, {"messages": messages, "knowledge": ["tower"]})
    assert prompt.count("PASSAGES") == 1
    assert (
        prompt.index("Tell me.\n\nPASSAGES") < prompt.index("two metres long") < prompt.index("6", prompt.index("[1] "))
    )
    system = {"messages": [{"role": "system", "content": QUESTION}], "knowledge": ["tower"]}
    assert "PASSAGES" not in await prompt_of(api, system)


@pytest.mark.parametrize("names", [["towr"], ["tower", "../models"], [""], ["a/b"]])
async def test_a_name_that_there_is_not_is_refused_with_those_that_are(api: Served, names: list[str]) -> None:
    for path in (CHAT, PROMPT, "/tokenize"):
        response = await api.post(path, says(QUESTION, knowledge=names))
        assert response.status_code == 400, response.text
        error = response.json()["error"]
        assert error["param"] == "knowledge"
        if "towr" in names:
            assert "There are: garden, tower." in error["message"]


@pytest.mark.parametrize("value", ["tower", 3, {"a": 1}, [3]])
async def test_what_is_no_list_of_names_is_refused(api: Served, value: object) -> None:
    response = await api.post(CHAT, says(QUESTION, knowledge=value))
    assert (response.status_code, "knowledge" in json.dumps(response.json())) == (400, True)


async def test_visitors_who_are_kept_apart_get_no_documents(tmp_path: Path) -> None:
    documents(tmp_path)
    async with served(tmp_path, user_data_dir=tmp_path, multi_user=True) as serving:
        assert (await serving.http.get(LIST)).json() == {"collection_names": []}
        assert (await serving.post(CHAT, says(QUESTION, knowledge=["tower"]))).status_code == 400
        assert (await serving.post(CHAT, says(QUESTION, knowledge=[]))).status_code == 200
