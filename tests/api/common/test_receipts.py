"""A receipt for whoever asks for one: in whole answers and in streams, of every endpoint that generates."""

import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest
import pytest_asyncio

from tests.api.serving import BASE_URL, CHAT, TEXT, Served, chunks_of, says, served

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKED: dict[str, dict[str, Any]] = {
    CHAT: says("count 3"),
    TEXT: {"prompt": "count 3", "max_tokens": 8},
    "/v1/messages": says("count 3", max_tokens=64),
    "/v1/responses": {"input": "count 3"},
}
PATHS = pytest.mark.parametrize("path", ASKED)
MEMBERS = ["model", "prompt", "completion", "milliseconds", "constraint", "ignored", "repairs", "seeds", "sampling"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with served(tmp_path_factory.mktemp("data")) as running:
        yield running


async def receipts(api: Served, path: str, value: str = "1", **fields: Any) -> list[dict[str, Any]]:
    """That of a whole answer, and those of all events of a stream."""
    body = ASKED[path] | fields
    whole = (await api.post(path, body, **{"X-Receipt": value})).json()
    stream = (await api.post(path, body | {"stream": True}, **{"X-Receipt": value})).text
    lines = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: {")]
    return [answer["receipt"] for answer in (whole, *lines) if "receipt" in answer]


@PATHS
async def test_whole_answers_and_streams_have_one(api: Served, path: str) -> None:
    whole, streamed = await receipts(api, path, seed=7, temperature=0.5, penalty_alpha=1)
    assert list(whole) == [*MEMBERS, "settings", "replay"]
    assert whole["prompt"] == streamed["prompt"]
    assert len(whole["prompt"]["sha256"]) == 1
    places = ("computed", "ram", "disk", "shared", "moved")
    assert whole["prompt"]["tokens"] == sum(whole["prompt"][name] for name in places)
    assert whole["completion"] == streamed["completion"]
    assert whole["completion"]["tokens"] > 0
    assert (whole["seeds"], whole["sampling"]["seed"], whole["sampling"]["temperature"]) == ([7], 7, 0.5)
    assert whole["ignored"] == streamed["ignored"] == ["penalty_alpha"]
    assert whole["model"]["name"] == "scripted"
    assert (whole["model"]["template_sha256"] is None) is (path == TEXT)
    assert all(value >= 0 for value in whole["milliseconds"].values())


@PATHS
async def test_who_asks_for_none_gets_none(api: Served, path: str) -> None:
    assert await receipts(api, path, "0") == []


async def test_a_drawn_seed_is_named(api: Served) -> None:
    first, second = await receipts(api, CHAT, n=2, temperature=1)
    assert len(first["seeds"]) == len(second["seeds"]) == 2
    assert first["seeds"] != second["seeds"]


async def test_repairs_and_constraints_are_named(api: Served) -> None:
    counter = {"role": "system", "content": "<total_tokens>5 tokens left</total_tokens>"}
    fields: dict[str, Any] = {
        "messages": [counter, *ASKED[CHAT]["messages"]],
        "response_format": {"type": "json_object"},
    }
    whole, _ = await receipts(api, CHAT, **fields)
    assert whole["repairs"] == ["counters-removed"]
    assert whole["constraint"] == "json_schema"


async def test_the_last_chunk_has_it_beside_the_usage(api: Served) -> None:
    for options in ({"include_usage": True}, None):
        body = ASKED[CHAT] | {"stream": True, "stream_options": options}
        stream = (await api.post(CHAT, body, **{"X-Receipt": "1"})).text
        *_, last = chunks_of(stream)
        assert last["choices"] == []
        assert ("usage" in last, "receipt" in last) == (options is not None, True)
        assert stream.endswith("data: [DONE]\n\n")


async def test_the_official_clients_take_it(api: Served) -> None:
    headers = {"X-Receipt": "1"}
    async with (
        httpx2.AsyncClient(transport=httpx2.ASGITransport(api.app)) as wire,
        openai.AsyncOpenAI(base_url=f"{BASE_URL}/v1", api_key="k", default_headers=headers, http_client=wire) as client,
    ):
        whole = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "count 3"}])
        assert whole.model_extra is not None
        assert "receipt" in whole.model_extra
        async with client.chat.completions.stream(
            model="m", messages=[{"role": "user", "content": "count 3"}]
        ) as stream:
            assert (await stream.get_final_completion()).choices[0].message.content == whole.choices[0].message.content
        async with client.responses.stream(model="m", input="count 3") as events:
            assert (await events.get_final_response()).output_text
    async with (
        httpx2.AsyncClient(transport=httpx2.ASGITransport(api.app)) as wire,
        anthropic.AsyncAnthropic(base_url=BASE_URL, api_key="k", default_headers=headers, http_client=wire) as claude,
        claude.messages.stream(model="m", max_tokens=64, messages=[{"role": "user", "content": "count 3"}]) as messages,
    ):
        assert (await messages.get_final_message()).content


async def test_the_log_has_no_digest_of_a_prompt(api: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    whole, _ = await receipts(api, CHAT)
    assert whole["prompt"]["sha256"][0] not in caplog.text
