"""Rerank and embeddings as clients ask for them: Cohere's, LiteLLM, and bodies of Open WebUI as they are sent."""

from collections.abc import AsyncIterator
from typing import Any

import cohere
import httpx
import litellm
import numpy as np
import pytest
import pytest_asyncio

from modules.engine.types import LoadSpec
from modules.models.loading import Candidate, launch_engine, launch_in_process
from tests.api.serving import on_port
from tests.encoder_folder import SIZE, write_encoder

pytestmark = pytest.mark.asyncio(loop_scope="module")

CROSS = "cross-encoder_tiny"
TINY = "tiny-embedder"
DOCUMENTS = ["hello you", "abc", "zzz", "hello"]


async def launch(spec: LoadSpec) -> Candidate:
    return await (launch_in_process if spec.loader == "scripted" else launch_engine)(spec)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The server's, as far as a client of OpenAI's puts it."""
    folder = tmp_path_factory.mktemp("clients")
    write_encoder(folder / "models" / CROSS, labels=1)
    write_encoder(folder / "embeddings" / TINY)
    async with on_port(folder, launch=launch) as (url, _, _):
        yield url


async def posted(url: str, path: str, body: object, **headers: str) -> Any:
    async with httpx.AsyncClient(timeout=60) as http:
        response = await http.post(f"{url}/{path}", json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


async def ranked(url: str, **fields: Any) -> Any:
    return await posted(url, "rerank", {"query": "hello", "documents": DOCUMENTS, **fields})


async def test_cohere_s_client(url: str) -> None:
    best = (await ranked(url))["results"][:2]
    async with httpx.AsyncClient(timeout=60) as http:
        client = cohere.AsyncClientV2("none", base_url=url.removesuffix("/v1"), httpx_client=http)
        answer = await client.rerank(model="rerank-v3.5", query="hello", documents=DOCUMENTS, top_n=2)
    assert [(each.index, each.relevance_score) for each in answer.results] == [
        (each["index"], each["relevance_score"]) for each in best
    ]
    assert answer.meta is not None
    assert answer.meta.api_version is not None


async def test_litellm_reranks_and_embeds(url: str) -> None:
    best = (await ranked(url))["results"][0]
    answer = await litellm.arerank(
        model="hosted_vllm/any", query="hello", documents=list(DOCUMENTS), top_n=1, api_base=url, api_key="none"
    )
    vectors = await litellm.aembedding(
        model="openai/text-embedding-3-small", input=["hello", "you"], api_base=url, api_key="none"
    )
    assert answer.results is not None
    assert (answer.results[0]["index"], len(answer.results)) == (best["index"], 1)
    assert [len(each["embedding"]) for each in vectors.data] == [SIZE, SIZE]


async def test_open_webui_ranks_every_document(url: str) -> None:
    """It sorts them by index itself."""
    answer = await ranked(url, model="bge-reranker-v2-m3", top_n=len(DOCUMENTS))
    scores = [each["relevance_score"] for each in sorted(answer["results"], key=lambda each: each["index"])]
    assert [each["index"] for each in sorted(answer["results"], key=lambda each: each["index"])] == [0, 1, 2, 3]
    assert all(isinstance(score, float) for score in scores)


@pytest.mark.parametrize("extra", [{}, {"prefix": "query: "}, {"user": "someone"}])
async def test_open_webui_embeds_in_batches(url: str, extra: dict[str, Any]) -> None:
    headers = {"X-OpenWebUI-User-Name": "A%20User", "X-OpenWebUI-User-Id": "1"}
    body = {"input": ["hello", "hello", ""], "model": "text-embedding-ada-002", **extra}
    answer = await posted(url, "embeddings", body, **headers)
    vectors = np.array([each["embedding"] for each in answer["data"]])
    assert vectors.shape == (3, SIZE)
    assert np.array_equal(vectors[0], vectors[1])
