"""The models as Anthropic's clients ask for them."""

from pathlib import Path

import anthropic
import httpx2
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import ModelInfo

from tests.api.messages.strictness import missing_fields, strict_error
from tests.api.serving import BASE_URL, Served, served
from tests.api.strictness import strict

VERSION = {"anthropic-version": "2023-06-01"}


def lay(folder: Path, count: int) -> None:
    (folder / "models").mkdir(parents=True)
    for number in range(count):
        (folder / "models" / f"m{number:02}.gguf").write_bytes(b"GGUF")


async def test_the_shape(tmp_path: Path) -> None:
    lay(tmp_path, 1)
    async with served(tmp_path, model_alias=("claude-local",)) as api:
        body = (await api.http.get("/v1/models", headers=VERSION)).json()
        assert body.keys() == {"data", "has_more", "first_id", "last_id"}
        assert (body["has_more"], body["first_id"], body["last_id"]) == (False, "scripted", "m00.gguf")
        assert [entry["id"] for entry in body["data"]] == ["scripted", "claude-local", "m00.gguf"]
        for entry in body["data"]:
            # A date is text in JSON, which a strict reading of the client's type takes as well.
            assert missing_fields(strict(ModelInfo, entry, extras=())) == set()
        assert body["data"][0]["max_input_tokens"] == 8192
        assert body["data"][2]["max_input_tokens"] is None
        one = (await api.http.get("/v1/models/scripted", headers=VERSION)).json()
        assert one == body["data"][0]


async def test_the_official_client_turns_the_pages(tmp_path: Path) -> None:
    lay(tmp_path, 7)
    async with served(tmp_path) as api:
        http_client = httpx2.AsyncClient(transport=httpx2.ASGITransport(api.app))
        async with AsyncAnthropic(base_url=BASE_URL, api_key="any", http_client=http_client, max_retries=0) as client:
            names = [model.id async for model in client.models.list(limit=3)]
            assert names == ["scripted", *(f"m{number:02}.gguf" for number in range(7))]
            before = await client.models.list(limit=2, before_id="m03.gguf")
            assert ([model.id for model in before.data], before.has_more) == (["m01.gguf", "m02.gguf"], True)
            assert (await client.models.retrieve("scripted")).display_name == "scripted"
            with pytest.raises(anthropic.NotFoundError):
                await client.models.retrieve("nothing")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=" + "9" * 5000, "limit=x", "limit=²", "after_id=nothing", "before_id=nothing"],
)
async def test_pages_that_are_none(api: Served, query: str) -> None:
    response = await api.http.get(f"/v1/models?{query}", headers=VERSION)
    assert (response.status_code, strict_error(response.json())[0]) == (400, "invalid_request_error")


async def test_other_callers_get_openais_shape(api: Served) -> None:
    assert (await api.http.get("/v1/models?limit=x")).json()["object"] == "list"
    assert (await api.http.get("/v1/models/scripted")).json()["object"] == "model"
