"""/v1/embeddings with MiniLM as a folder: names, aliases, clients, a process that dies."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import litellm
import numpy as np
import pytest
import pytest_asyncio
from langchain_openai import OpenAIEmbeddings
from pydantic import SecretStr

from modules.engine.types import LoadSpec, ModelKind
from modules.models.loading import Candidate, launch_engine, launch_in_process
from tests.api.serving import BASE_URL, CHAT, Served, says, served, text_of
from tests.golden.embedding_texts import texts
from tests.model_files import model_folder

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/embeddings"
MINILM = "sentence-transformers_all-MiniLM-L6-v2"
TALKER = "talker.gguf"


async def launch(spec: LoadSpec) -> Candidate:
    return await (launch_in_process if spec.loader == "scripted" else launch_engine)(spec)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("folders")
    models = folder / "models"
    models.mkdir()
    (models / MINILM).symlink_to(model_folder(MINILM), target_is_directory=True)
    (models / TALKER).write_bytes(b"GGUF")
    (models / "config-user.yaml").write_text("talker:\n  loader: scripted\n", "utf-8")
    async with served(folder, launch=launch, loader=None, openai_embedding_model="all-MiniLM-L6-v2") as api:
        yield api


async def vectors(api: Served, given: object, **fields: object) -> Any:
    response = await api.post(PATH, {"input": given, **fields})
    assert response.status_code == 200, response.text
    assert response.json()["model"] == MINILM
    return np.array([entry["embedding"] for entry in response.json()["data"]])


async def test_it_is_found_by_every_name_that_users_give_it(api: Served) -> None:
    first = await vectors(api, "hello")
    assert first.shape == (1, 384)
    for name in (MINILM, "all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2", "text-embedding-3-small", ""):
        assert np.array_equal(await vectors(api, "hello", model=name), first)


async def test_it_is_listed_with_its_type(api: Served) -> None:
    await vectors(api, "hello")
    entries = {entry["id"]: entry for entry in (await api.http.get("/v1/models")).json()["data"]}
    assert (entries[MINILM]["type"], entries[MINILM]["capabilities"]) == ("embedding", ["embedding"])
    assert not any("1_Pooling" in name for name in entries)


async def test_many_texts_of_all_lengths_at_once(api: Served) -> None:
    given = texts() * 2
    together = await vectors(api, given)
    assert together.shape == (400, 384)
    assert np.abs(together[:200] - together[200:]).max() < 1e-5
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-5


async def test_twenty_thousand_words_are_cut(api: Served) -> None:
    response = await api.post(PATH, {"input": "word " * 20_000})
    assert (response.status_code, response.headers["X-Truncated-Inputs"]) == (200, "1")
    assert response.json()["usage"]["prompt_tokens"] == 256


async def test_langchain_with_its_default_settings(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends token ids of cl100k_base, in base64, in parts of 1,000."""
    tables = Path(litellm.__file__).parent / "litellm_core_utils" / "tokenizers"
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tables))
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(api.app))
    client = OpenAIEmbeddings(base_url=f"{BASE_URL}/v1", api_key=SecretStr("none"), http_async_client=http)
    given = ["The library closes at six.", "Où est la gare ?", "今日は 🐶", "x" * 300]
    made = np.array(await client.aembed_documents(given))
    assert np.abs(made - await vectors(api, given)).max() < 1e-4
    assert np.abs(np.array(await client.aembed_query(given[0])) - made[0]).max() < 1e-4


async def test_its_death_harms_no_reply_and_it_comes_back(api: Served) -> None:
    before = await vectors(api, "hello")
    async with api.runtime.models.lease(None, kind=ModelKind.EMBEDDING) as engine:
        pid = engine.pid  # type: ignore[attr-defined] # only engines in processes have one
    body = says("count 400", stream=True)
    async with api.http.stream("POST", CHAT, json=body) as stream:
        os.kill(pid, signal.SIGKILL)
        said = (await stream.aread()).decode()
    assert text_of(said).endswith("399 400")
    # A request that meets the process in its last moment fails with it.
    while (response := await api.post(PATH, {"input": "hello"})).status_code != 200:
        assert response.json()["error"]["code"] == "engine_failed"
    assert np.array_equal(await vectors(api, "hello"), before)


async def test_the_loader_of_chat_models_does_not_read_it(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / MINILM).symlink_to(model_folder(MINILM), target_is_directory=True)
    async with served(tmp_path, launch=launch) as api:
        assert (await vectors(api, "hello")).shape == (1, 384)
        assert (await api.post(CHAT, says("echo: hi"))).json()["model"] == "scripted"
