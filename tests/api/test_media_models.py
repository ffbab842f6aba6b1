"""Models of media engines, as the API lists, loads, unloads and misses them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from extensions.openai.app import create_app
from modules.engine.types import LoadSpec, ModelKind
from modules.models.loading import Candidate, launch_engine, launch_in_process
from modules.models.state import Status
from modules.runtime import Runtime
from modules.settings.values import settings_with
from tests.api.serving import BASE_URL, until
from tests.backends.toy_media import WITH_MEDIA


async def launch(spec: LoadSpec) -> Candidate:
    return await (launch_engine(spec, backends=WITH_MEDIA) if spec.kind.is_media else launch_in_process(spec))


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[Runtime, httpx.AsyncClient]]:
    (folder / "models").mkdir()
    (folder / "models" / "anna.voice").write_text("voice of anna", encoding="utf-8")
    (folder / "models" / "z.gguf").write_bytes(b"GGUF")
    settings = settings_with(WITH_MEDIA).model_validate(
        {"loader": "scripted", "user_data_dir": folder, "image_model": "toy-image"}
    )
    async with Runtime(settings, launch=launch) as runtime:
        await until(runtime, Status.READY)
        transport = httpx.ASGITransport(create_app(runtime))
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
            yield runtime, http


async def test_they_are_listed_loaded_and_unloaded_like_any(tmp_path: Path) -> None:
    async with serving(tmp_path) as (runtime, http):
        listed = (await http.get("/v1/models")).json()["data"]
        kinds = [(entry["id"], entry["type"]) for entry in listed]
        assert kinds[:3] == [("scripted", "chat"), ("z.gguf", "chat"), ("anna.voice", "speech")]
        assert ("toy-image", "image") in kinds[3:]
        assert (await http.get("/health")).json() == {"status": "ok"}

        assert (await http.post("/v1/internal/model/load", json={"model_name": "anna.voice"})).status_code == 200
        voice = (await http.get("/v1/models/anna.voice")).json()
        assert (voice["status"], voice["capabilities"]) == ("loaded", ["speech"])
        assert voice["memory"] > 0
        assert "max_model_len" not in voice
        assert (await http.get("/health")).json() == {"status": "ok", "media": {"speech": "loaded"}}
        info = (await http.get("/v1/internal/model/info")).json()
        assert info["model_name"] == "scripted"

        unloaded = await http.post("/v1/internal/model/unload", json={"model_name": "anna.voice"})
        assert unloaded.status_code == 200
        assert (await http.get("/v1/models/anna.voice")).json()["status"] == "sleeping"
        assert (await http.get("/v1/internal/model/info")).json()["model_name"] == "scripted"
        async with runtime.models.lease("tts-1", kind=ModelKind.SPEECH, keep_alive=-1) as engine:
            assert engine.card.name == "anna.voice"


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/v1/chat/completions", "chat", {"messages": [{"role": "user", "content": "hi"}]}),
        ("/v1/embeddings", "embedding", {"input": "hi"}),
    ],
)
async def test_a_model_of_another_kind_is_refused(tmp_path: Path, path: str, kind: str, body: dict[str, Any]) -> None:
    async with serving(tmp_path) as (_, http):
        answer = await http.post(path, json={**body, "model": "anna.voice"})
        assert answer.status_code == 400
        assert f"anna.voice is a model for speech, not for {kind}" in answer.json()["error"]["message"]
