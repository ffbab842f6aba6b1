"""/v1/embeddings with a small encoder in a process of its own, beside a scripted chat model."""

import asyncio
import base64
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from modules.engine.types import LoadSpec
from modules.models.loading import Candidate, launch_engine, launch_in_process
from tests.api.serving import BASE_URL, CHAT, Served, says, served
from tests.bert_file import CONTEXT, SIZE, write_bert

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/embeddings"
NAME = "tiny-bert.gguf"
TALKER = "talker.gguf"


async def launch(spec: LoadSpec) -> Candidate:
    return await (launch_in_process if spec.loader == "scripted" else launch_engine)(spec)


def lay(folder: Path, *talkers: str) -> None:
    models = folder / "models"
    models.mkdir()
    write_bert(models / NAME)
    for name in talkers:
        (models / name).write_bytes(b"GGUF")
    (models / "config-user.yaml").write_text("talker:\n  loader: scripted\n", "utf-8")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("embeddings")
    lay(folder, TALKER)
    async with served(folder, launch=launch, loader=None) as api:
        yield api


async def vectors(api: Served, given: object, **fields: Any) -> list[list[float]]:
    response = await api.post(PATH, {"input": given, **fields})
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["model"] == NAME
    assert [entry["index"] for entry in body["data"]] == list(range(len(body["data"])))
    return [entry["embedding"] for entry in body["data"]]


async def test_a_text_becomes_a_vector_of_length_one(api: Served) -> None:
    response = await api.post(PATH, {"input": "abc", "model": "text-embedding-3-small"})
    body = response.json()
    (vector,) = (entry["embedding"] for entry in body["data"])
    assert len(vector) == SIZE
    assert math.isclose(math.hypot(*vector), 1, rel_tol=1e-6)
    assert body["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    assert (body["object"], body["data"][0]["object"]) == ("list", "embedding")


async def test_many_texts_say_what_each_says_alone(api: Served) -> None:
    texts = ["abc", "", "z" * 30, "hello you", *(chr(97 + number % 26) * (number % 20 + 1) for number in range(300))]
    together = await vectors(api, texts)
    for text, vector in list(zip(texts, together, strict=True))[:20]:
        (alone,) = await vectors(api, text)
        assert np.allclose(alone, vector, atol=1e-5)
    assert not np.allclose(together[0], together[2], atol=0.01)


async def test_token_ids_are_those_of_openai(api: Served) -> None:
    """Clients encode with cl100k_base whatever the model is."""
    (as_text,) = await vectors(api, "hello you")
    ids = [15339, 499]
    for given in (ids, [ids]):
        assert np.allclose(await vectors(api, given), as_text, atol=1e-6)
    assert len(await vectors(api, [ids, [64]])) == 2


async def test_texts_may_come_as_parts(api: Served) -> None:
    parts = [{"type": "text", "text": "hello"}, {"type": "text", "text": "you"}]
    hello, both = await vectors(api, ["hello", "hello\nyou"])
    for given, expected in (
        ([{"content": parts}, "hello", {"content": "hello"}], [both, hello, hello]),
        ({"content": parts}, [both]),
        ([{"role": "user", "content": ["hello", "you"]}], [both]),
    ):
        assert np.allclose(await vectors(api, given), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("part", "param", "code"),
    [
        (
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
            "input[1].content[1].image_url",
            "image_not_supported",
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AA=="}},
            "input[1].content[1].input_audio",
            "audio_not_supported",
        ),
        ({"type": "file", "file": {"file_data": "AA=="}}, "input[1].content[1].file_data", "file_not_supported"),
        (
            {"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}},
            "input[1].content[1].type",
            "not_supported",
        ),
        ({"type": "text"}, "input[1].content[1].text", None),
        ({"type": "table"}, "input[1].content[1].type", None),
    ],
)
async def test_parts_that_it_cannot_read_are_named(
    api: Served, part: dict[str, Any], param: str, code: str | None
) -> None:
    given = ["hello", {"content": [{"type": "text", "text": "hello"}, part]}]
    response = await api.post(PATH, {"input": given})
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (400, param)
    assert code is None or error["code"] == code


async def test_llama_index_s_bodies(api: Served) -> None:
    """Batches of a hundred in base64, line breaks as blanks, the number of dimensions, and a model of OpenAI's."""
    texts = [f"the words of chunk {chr(97 + number % 26)} " * (number % 4) for number in range(100)]
    batch = {"input": texts, "model": "text-embedding-ada-002", "encoding_format": "base64"}
    whole = (await api.post(PATH, batch)).json()["data"]
    short = (await api.post(PATH, {**batch, "model": "text-embedding-3-large", "dimensions": 8})).json()["data"]
    assert [entry["index"] for entry in whole] == [entry["index"] for entry in short] == list(range(100))
    for entry, cut in zip(whole, short, strict=True):
        vector, first = (np.frombuffer(base64.b64decode(each["embedding"]), "<f4") for each in (entry, cut))
        assert (len(vector), len(first)) == (SIZE, 8)
        assert np.allclose(vector[:8] / np.linalg.norm(vector[:8]), first, atol=1e-6)
    query = {"input": ["the words"], "model": "text-embedding-ada-002", "encoding_format": "base64", "user": None}
    assert (await api.post(PATH, query)).status_code == 200


async def test_token_ids_may_be_those_of_the_model(tmp_path: Path) -> None:
    lay(tmp_path, TALKER)
    async with served(tmp_path, launch=launch, loader=None, embedding_token_ids="own") as api:
        (as_text,) = await vectors(api, "abc")
        for given in ([5, 32, 33], [[5, 32, 33]]):
            assert np.allclose(await vectors(api, given), as_text, atol=1e-6)
        assert (await api.post(PATH, {"input": [[10_000]]})).status_code == 400


async def test_long_texts_are_cut_and_the_answer_says_so(api: Served) -> None:
    response = await api.post(PATH, {"input": ["a" * 500, "abc"]})
    assert response.headers["X-Truncated-Inputs"] == "1"
    assert response.json()["usage"]["prompt_tokens"] == CONTEXT + 5
    (whole,) = await vectors(api, "a" * (CONTEXT - 2))
    assert np.allclose(response.json()["data"][0]["embedding"], whole, atol=1e-6)
    # The letter in front begins a word, those after it go on with it.
    words = "b c d e f g h i j k " * 10
    assert await vectors(api, words, truncate="start") == await vectors(api, words[-2 * (CONTEXT - 2) :])
    assert "X-Truncated-Inputs" not in (await api.post(PATH, {"input": "abc"})).headers


@pytest.mark.parametrize("truncate", [False, "NONE", "none"])
async def test_what_may_not_be_cut_is_refused(api: Served, truncate: object) -> None:
    response = await api.post(PATH, {"input": "a" * CONTEXT, "truncate": truncate})
    error = response.json()["error"]
    assert (response.status_code, error["param"], error["code"]) == (400, "input", "context_length_exceeded")
    assert f"maximum context length is {CONTEXT - 2} tokens, however you requested {CONTEXT} tokens" in error["message"]


async def test_raw_vectors_point_the_same_way(api: Served) -> None:
    (unit,), (raw,) = await vectors(api, "abc"), await vectors(api, "abc", normalize=False)
    assert not math.isclose(math.hypot(*raw), 1, rel_tol=1e-3)
    assert np.allclose(np.array(raw) / math.hypot(*raw), unit, atol=1e-6)


async def test_a_prompt_goes_before_each_text(api: Served) -> None:
    assert await vectors(api, "you", prompt="hello ") == await vectors(api, "hello you")
    assert await vectors(api, "you", input_type="query") == await vectors(api, "you")


async def test_base64_holds_the_same_numbers(api: Served) -> None:
    response = await api.post(PATH, {"input": "abc", "encoding_format": "base64"})
    data = base64.b64decode(response.json()["data"][0]["embedding"], validate=True)
    assert np.frombuffer(data, "<f4").tolist() == (await vectors(api, "abc", encoding_format="float"))[0]


async def test_fewer_dimensions_are_the_first_ones_at_length_one(api: Served) -> None:
    (whole,) = await vectors(api, "abc")
    (few,) = await vectors(api, "abc", dimensions=4)
    assert np.allclose(few, np.array(whole[:4]) / math.hypot(*whole[:4]), atol=1e-6)
    assert await vectors(api, "abc", dimensions=SIZE) == [whole]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": None}, "input"),
        ({"input": 5}, "input"),
        ({"input": ["a", 5]}, "input"),
        ({"input": [{"content": []}]}, "input"),
        ({"input": [{"content": 5}]}, "input"),
        ({"input": [{"text": "a"}]}, "input"),
        ({"input": {}}, "input"),
        ({"input": [[200_000]]}, "input"),
        ({"input": [-1]}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": "a", "truncate": "middle"}, "truncate"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": SIZE + 1}, "dimensions"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ({"input": "a", "keep_alive": "5m"}, "keep_alive"),
        ({"input": "a", "model": TALKER}, "model"),
    ],
)
async def test_what_cannot_be_embedded_is_refused(api: Served, body: dict[str, Any], param: str) -> None:
    response = await api.post(PATH, body)
    assert response.status_code == 400
    assert response.json()["error"]["param"].startswith(param)


async def test_it_stands_beside_the_chat_model_and_does_not_chat(api: Served) -> None:
    await vectors(api, "abc")
    spoken = await api.post(CHAT, says("echo: hi", model="gpt-4o"))
    assert spoken.json().get("model") == TALKER, spoken.text
    for name in (NAME, "tiny-bert"):
        refused = await api.post(CHAT, says("hi", model=name))
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "model")
    entries = {entry["id"]: entry for entry in (await api.http.get("/v1/models")).json()["data"]}
    assert {name: (entry["type"], entry["status"]) for name, entry in entries.items()} == {
        TALKER: ("chat", "loaded"),
        NAME: ("embedding", "loaded"),
    }
    assert entries[NAME]["capabilities"] == ["embedding"]
    assert (await api.http.get("/v1/internal/model/info")).json()["model_name"] == TALKER


async def test_it_is_unloaded_and_comes_back(api: Served) -> None:
    before = await vectors(api, "abc")
    assert (await api.post("/v1/internal/model/unload", {"model_name": NAME})).status_code == 200
    entries = {entry["id"]: entry for entry in (await api.http.get("/v1/models")).json()["data"]}
    assert (entries[NAME]["type"], entries[NAME]["status"]) == ("embedding", "sleeping")
    assert await vectors(api, "abc") == before
    loaded = await api.post("/v1/internal/model/load", {"model_name": NAME})
    assert loaded.status_code == 200
    assert (await api.post(CHAT, says("echo: hi"))).json()["model"] == TALKER


async def test_it_does_not_wait_for_a_chat_model_that_waits_for_room(tmp_path: Path) -> None:
    lay(tmp_path, TALKER, "talker2.gguf")
    async with served(tmp_path, launch=launch, loader=None, model=TALKER, model_swap=True) as api:
        async with api.runtime.models.lease(TALKER):
            waiting = asyncio.create_task(api.post(CHAT, says("echo: hi", model="talker2")))
            await vectors(api, "abc")
            assert not waiting.done()
        assert (await waiting).json()["model"] == "talker2.gguf"


async def test_the_official_client_reads_both_formats(api: Served) -> None:
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(api.app))
    async with AsyncOpenAI(base_url=f"{BASE_URL}/v1", api_key="none", http_client=http) as client:
        plain = await client.embeddings.create(model="text-embedding-3-small", input=["abc"])
        numbers = await client.embeddings.create(model=NAME, input=["abc"], encoding_format="float")
    assert np.allclose(plain.data[0].embedding, numbers.data[0].embedding, atol=1e-6)


async def test_without_an_embedding_model_there_is_a_clear_answer(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        response = await api.post(PATH, {"input": "abc"})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (501, "not_available")
    assert response.headers["x-should-retry"] == "false"
    assert "python3 one_click.py fetch embedding" in error["message"]


async def test_an_embedding_model_that_was_chosen_and_is_missing_is_not_replaced(tmp_path: Path) -> None:
    lay(tmp_path, TALKER)
    async with served(tmp_path, launch=launch, loader=None, openai_embedding_model="all-mpnet-base-v2") as api:
        response = await api.post(PATH, {"input": "abc"})
        assert response.status_code == 501
        assert "fetch embedding all-mpnet-base-v2" in response.json()["error"]["message"]
        assert await vectors(api, "abc", model=NAME)
