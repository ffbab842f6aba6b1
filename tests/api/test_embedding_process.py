"""The process of an embedding model: it leaves when nobody asks, hangs without harm, and leaves the chat its cores."""

import asyncio
import os
import signal
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from modules.engine.types import LoadSpec, ModelKind
from modules.models.loading import Candidate, launch_engine, launch_in_process
from tests.api.serving import CHAT, Served, on_port, says, served, text_of
from tests.encoder_folder import write_encoder
from tests.golden.embedding_texts import texts
from tests.model_files import SMOLLM2, model_folder, model_path

PATH = "/v1/embeddings"
MINILM = "sentence-transformers_all-MiniLM-L6-v2"


async def launch(spec: LoadSpec) -> Candidate:
    return await (launch_in_process if spec.loader == "scripted" else launch_engine)(spec)


async def pid_of_embedder(api: Served) -> int:
    async with api.runtime.models.lease(None, kind=ModelKind.EMBEDDING) as engine:
        found: Any = engine
        return int(found.pid)


async def test_an_idle_one_leaves_and_comes_back(tmp_path: Path) -> None:
    write_encoder(tmp_path / "models" / "tiny")
    async with served(tmp_path, launch=launch, idle_timeout=0.002) as api:
        first = await api.post(PATH, {"input": "hello"})
        process = psutil.Process(await pid_of_embedder(api))
        await asyncio.to_thread(process.wait, 60)
        assert (await api.post(PATH, {"input": "hello"})).json() == first.json()


@pytest.mark.extended
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems")
async def test_a_stopped_one_is_ended_and_no_reply_notices(tmp_path: Path) -> None:
    write_encoder(tmp_path / "models" / "tiny")
    async with served(tmp_path, launch=launch) as api:
        before = (await api.post(PATH, {"input": "hello"})).json()
        os.kill(await pid_of_embedder(api), signal.SIGSTOP)
        asked = asyncio.create_task(api.post(PATH, {"input": "hello"}))
        async with api.http.stream("POST", CHAT, json=says("count 400", stream=True)) as stream:
            assert text_of((await stream.aread()).decode()).endswith("399 400")
        assert (await asked).json()["error"]["code"] == "engine_failed"
        assert (await api.post(PATH, {"input": "hello"})).json() == before


async def token_times(http: httpx.AsyncClient, tokens: int) -> AsyncGenerator[float, None]:
    body: Mapping[str, Any] = says("Tell a long story.", stream=True, max_tokens=tokens, ignore_eos=True)
    async with http.stream("POST", "chat/completions", json=body) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("data: {"):
                yield time.perf_counter()


@pytest.mark.extended
@pytest.mark.timeout(600)
async def test_a_chat_keeps_half_its_speed_while_a_thousand_texts_are_embedded(tmp_path: Path) -> None:
    """The texts are asked for until the reply ends, so that all of it is written beside them."""
    models = tmp_path / "models"
    models.mkdir()
    (models / MINILM).symlink_to(model_folder(MINILM), target_is_directory=True)
    (models / SMOLLM2).symlink_to(model_path(SMOLLM2))
    settings: dict[str, Any] = {"loader": None, "model": SMOLLM2, "ctx_size": 2048, "self_test": False}
    async with (
        on_port(tmp_path, launch=launch_engine, **settings) as (url, _, _),
        httpx.AsyncClient(base_url=url, timeout=300) as http,
    ):

        async def embed() -> None:
            while not is_over.is_set():
                assert (await http.post("embeddings", json={"input": texts() * 5})).status_code == 200

        is_over = asyncio.Event()
        await http.post("embeddings", json={"input": "hello"})
        async with aclosing(token_times(http, 400)) as stream:
            alone = [at async for at in stream]
        embedding = asyncio.create_task(embed())
        async with aclosing(token_times(http, 400)) as stream:
            beside = [at async for at in stream]
        is_over.set()
        await embedding
    gaps, gaps_alone = ([after - before for before, after in pairwise(times)] for times in (beside, alone))
    assert len(gaps) > 100
    assert sum(gaps) <= 2 * sum(gaps_alone) * len(gaps) / len(gaps_alone)
    assert max(gaps) <= 12 * statistics.median(gaps)
