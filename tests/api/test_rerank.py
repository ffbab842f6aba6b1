"""/v1/rerank and /v1/score over real models: a tiny cross-encoder, MiniLM by cosine, a chat model by yes or no."""

import math
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import gguf
import pytest
import pytest_asyncio

from modules.engine.types import LoadSpec
from modules.models.loading import Candidate, launch_engine, launch_in_process
from tests.api.serving import Served, served
from tests.bert_file import write_bert
from tests.encoder_folder import write_encoder
from tests.model_files import SMOLLM2, model_folder, model_path

pytestmark = pytest.mark.asyncio(loop_scope="module")

CROSS = "cross-encoder_tiny"
GGUF = "rank.gguf"
MINILM = "sentence-transformers_all-MiniLM-L6-v2"
QUERY = "hello"
DOCUMENTS = ["hello you", "abc", "zzz", "hello"]


async def launch(spec: LoadSpec) -> Candidate:
    return await (launch_in_process if spec.loader == "scripted" else launch_engine)(spec)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("rerank")
    models = folder / "models"
    models.mkdir()
    write_encoder(models / CROSS, labels=1)
    write_bert(models / GGUF, pooling=gguf.PoolingType.RANK, has_head=True)
    (models / MINILM).symlink_to(model_folder(MINILM), target_is_directory=True)
    (models / SMOLLM2).symlink_to(model_path(SMOLLM2))
    async with served(folder, launch=launch, loader=None, model=SMOLLM2, ctx_size=512, self_test=False) as api:
        yield api


async def ranked(api: Served, path: str = "/v1/rerank", **fields: Any) -> Any:
    body = {"query": QUERY, "documents": DOCUMENTS, "model": CROSS, **fields}
    response = await api.post(path, {name: value for name, value in body.items() if value is not None})
    assert response.status_code == 200, response.text
    return response.json()


def in_order(results: list[Mapping[str, Any]], key: str = "relevance_score") -> list[float]:
    """The scores, which must fall."""
    scores = [result[key] for result in results]
    assert scores == sorted(scores, reverse=True)
    return scores


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank", "/v1/reranking", "/reranking", "/v2/rerank"])
async def test_every_path_orders_all_documents(api: Served, path: str) -> None:
    body = await ranked(api, path)
    assert sorted(result["index"] for result in body["results"]) == [0, 1, 2, 3]
    assert all(0 < score < 1 for score in in_order(body["results"]))
    assert body["model"] == CROSS
    assert body["usage"]["total_tokens"] == body["meta"]["tokens"]["input_tokens"] > 0
    shown = [result.get("document") for result in body["results"]]
    expected = [{"text": DOCUMENTS[result["index"]]} for result in body["results"]]
    assert shown == ([None] * 4 if path == "/v2/rerank" else expected)


async def test_scores_are_those_of_each_document_alone(api: Served) -> None:
    together = {result["index"]: result["relevance_score"] for result in (await ranked(api))["results"]}
    for at, document in enumerate(DOCUMENTS):
        (alone,) = (await ranked(api, documents=[document]))["results"]
        assert math.isclose(alone["relevance_score"], together[at], abs_tol=1e-5)
    assert len({round(score, 4) for score in together.values()}) > 1


async def test_raw_scores_become_probabilities_once(api: Served) -> None:
    raw = {result["index"]: result["relevance_score"] for result in (await ranked(api, raw_scores=True))["results"]}
    assert raw == {
        result["index"]: result["relevance_score"] for result in (await ranked(api, use_activation=False))["results"]
    }
    for result in (await ranked(api))["results"]:
        assert math.isclose(result["relevance_score"], 1 / (1 + math.exp(-raw[result["index"]])), rel_tol=1e-5)


@pytest.mark.parametrize(
    ("fields", "count"), [({"top_n": 2}, 2), ({"top_n": 0}, 4), ({"top_n": 9}, 4), ({"top_k": 1}, 1)]
)
async def test_the_best_are_kept(api: Served, fields: dict[str, Any], count: int) -> None:
    every = (await ranked(api))["results"]
    assert (await ranked(api, **fields))["results"] == every[:count]


async def test_equal_documents_stand_in_their_order(api: Served) -> None:
    body = await ranked(api, documents=["abc"] * 5)
    assert [result["index"] for result in body["results"]] == [0, 1, 2, 3, 4]


async def test_texts_are_answered_in_the_form_of_tei(api: Served) -> None:
    body = await ranked(api, "/rerank", documents=None, texts=DOCUMENTS)
    assert {frozenset(entry) for entry in body} == {frozenset({"index", "score"})}
    in_order(body, "score")
    body = await ranked(api, "/rerank", documents=None, texts=DOCUMENTS, return_text=True)
    assert [entry["text"] for entry in body] == [DOCUMENTS[entry["index"]] for entry in body]


async def test_objects_are_ranked_by_their_fields(api: Served) -> None:
    plain = (await ranked(api, documents=["abc\nxyz", "hello"]))["results"]
    objects = [{"title": "abc", "body": "xyz"}, {"title": "hello"}]
    assert (await ranked(api, documents=objects, rank_fields=["title", "body"]))["results"] == plain
    texts = (await ranked(api, documents=[{"text": "abc\nxyz"}, {"text": "hello"}]))["results"]
    assert texts == plain


async def test_a_long_document_is_cut_or_refused(api: Served) -> None:
    long = "a " * 500
    assert len((await ranked(api, documents=[long, "abc"]))["results"]) == 2
    response = await api.post("/v1/rerank", {"query": QUERY, "documents": [long], "model": CROSS, "truncate": False})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"documents": []}, "documents"),
        ({"documents": None}, "documents"),
        ({"documents": ["a"] * 1001}, "documents"),
        ({"documents": [{"image": "x"}]}, "documents.0"),
        ({"query": " "}, "query"),
        ({"query": "a " * 500}, "query"),
        ({"top_n": -1}, "top_n"),
    ],
)
async def test_what_cannot_be_ranked_is_refused(api: Served, fields: dict[str, Any], param: str) -> None:
    body = {"query": QUERY, "documents": DOCUMENTS, "model": CROSS, **fields}
    response = await api.post("/v1/rerank", body)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


async def test_a_gguf_rerank_model_scores_too(api: Served) -> None:
    body = await ranked(api, model="rank")
    assert body["model"] == GGUF
    assert len(set(in_order(body["results"]))) > 1


async def test_an_embedding_model_ranks_by_cosine(api: Served) -> None:
    documents = ["Bread is baked in an oven.", "Paris is the capital of France.", "The capital of Germany is Berlin."]
    body = await ranked(api, model=MINILM, query="What is the capital of France?", documents=documents)
    assert body["model"] == f"{MINILM} (cosine)"
    assert [result["index"] for result in body["results"]] == [1, 2, 0]


async def test_a_chat_model_ranks_by_its_yes_or_no(api: Served) -> None:
    body = await ranked(api, model=SMOLLM2, query="capital of France", documents=["Paris is it.", "Bread " * 800])
    assert body["model"] == f"{SMOLLM2} (yes/no)"
    assert all(0 <= score <= 1 for score in in_order(body["results"]))
    again = await ranked(api, model=SMOLLM2, query="capital of France", documents=["Paris is it."])
    first = next(result for result in body["results"] if result["index"] == 0)
    # Beside another prompt the kernels sum in another order: near-ties of half a logit, an eighth at most here.
    assert math.isclose(again["results"][0]["relevance_score"], first["relevance_score"], abs_tol=0.12)


async def test_scores_of_pairs(api: Served) -> None:
    one = await api.post("/v1/score", {"model": CROSS, "text_1": QUERY, "text_2": DOCUMENTS})
    by_rank = {result["index"]: result["relevance_score"] for result in (await ranked(api))["results"]}
    body = one.json()
    assert [entry["object"] for entry in body["data"]] == ["score"] * 4
    for entry in body["data"]:
        assert math.isclose(entry["score"], by_rank[entry["index"]], abs_tol=1e-5)
    several = await api.post("/score", {"model": CROSS, "queries": [QUERY] * 4, "documents": DOCUMENTS})
    assert [entry["index"] for entry in several.json()["data"]] == [0, 1, 2, 3]
    wrong = await api.post("/v1/score", {"model": CROSS, "data_1": ["a", "b"], "data_2": ["a", "b", "c"]})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "text_2")
    empty = await api.post("/v1/score", {"model": CROSS, "text_1": "a"})
    assert (empty.status_code, empty.json()["error"]["param"]) == (400, "text_2")


async def test_without_a_rerank_model_the_command_is_named(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        response = await api.post("/v1/rerank", {"query": "a", "documents": ["b"]})
    assert response.status_code == 501
    assert response.headers["x-should-retry"] == "false"
    assert "python3 one_click.py fetch rerank" in response.json()["error"]["message"]
