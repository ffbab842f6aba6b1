"""A picture of a diffusers pipeline, through the API and the pool. What such pipelines do is tried at length in
tests/backends/diffusers."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import psutil
import pytest

from modules.engine.types import ModelKind
from tests.api.images.pictures import opened
from tests.api.serving import Served, served
from tests.backends.diffusers.tiny_folder import write_pipeline

pytestmark = pytest.mark.asyncio


async def pictures(api: Served, **fields: Any) -> list[bytes]:
    """Their pixels; the files also say when they were made."""
    body = {"prompt": "a red circle", "size": "64x64", "steps": 2, "image_seed": 7, **fields}
    response = await api.post("/v1/images/generations", body)
    assert response.status_code == 200, response.text
    found = [opened(base64.b64decode(entry["b64_json"])) for entry in response.json()["data"]]
    assert all(picture.size == (64, 64) for picture in found)
    return [picture.tobytes() for picture in found]


async def test_a_pipeline_draws_for_the_api(tmp_path: Path) -> None:
    write_pipeline(tmp_path / "image_models" / "tiny")
    async with served(tmp_path, image_model="tiny") as api:
        (first,) = await pictures(api)
        assert (await pictures(api, n=2, image_seed=6))[1] == first
        assert await pictures(api, image_seed=8) != [first]
        entries = {entry["id"]: entry for entry in (await api.http.get("/v1/models")).json()["data"]}
        assert (entries["tiny"]["type"], entries["tiny"]["status"]) == ("image", "loaded")
        async with api.runtime.models.lease(None, kind=ModelKind.IMAGE) as engine:
            process = psutil.Process(engine.pid)  # type: ignore[attr-defined] # only engines in processes have one
        assert (await api.post("/v1/internal/model/unload", {"model_name": "tiny"})).status_code == 200
        await asyncio.to_thread(process.wait, 60)
