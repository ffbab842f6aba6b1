"""/v1/moderations with MiniLM in a process of its own, read by the official client."""

import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from openai.types import ModerationTextInputParam
from PIL import Image

from modules.engine.types import LoadSpec
from modules.models.loading import Candidate, launch_engine, launch_in_process
from tests.api.serving import BASE_URL, Served, served
from tests.media.moderation_cases import HARMFUL, HARMLESS
from tests.model_files import model_folder

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/moderations"
CATEGORIES = tuple(HARMFUL)
MINILM = "sentence-transformers_all-MiniLM-L6-v2"


async def launch(spec: LoadSpec) -> Candidate:
    return await (launch_in_process if spec.loader == "scripted" else launch_engine)(spec)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("moderations")
    (folder / "models").mkdir()
    (folder / "models" / MINILM).symlink_to(model_folder(MINILM), target_is_directory=True)
    async with served(folder, launch=launch, loader=None) as api:
        yield api


async def judged(api: Served, texts: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for start in range(0, len(texts), 32):
        response = await api.post(PATH, {"input": texts[start : start + 32]})
        assert response.status_code == 200, response.text
        found += response.json()["results"]
    return found


async def test_harmless_texts_are_hardly_ever_flagged(api: Served) -> None:
    results = await judged(api, list(HARMLESS))
    flagged = [text for text, result in zip(HARMLESS, results, strict=True) if result["flagged"]]
    assert len(flagged) <= len(HARMLESS) * 0.02
    middle = sorted(max(result["category_scores"].values()) for result in results)[len(results) // 2]
    assert middle < 0.1


async def test_harmful_texts_are_found(api: Served) -> None:
    texts = [text for each in HARMFUL.values() for text in each]
    wanted = [name for name, each in HARMFUL.items() for _ in each]
    results = await judged(api, texts)
    assert sum(result["flagged"] for result in results) >= 0.9 * len(texts)
    assert sum(result["categories"][name] for result, name in zip(results, wanted, strict=True)) >= 0.8 * len(texts)


async def test_the_official_client_reads_every_category(api: Served) -> None:
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(api.app))
    async with AsyncOpenAI(base_url=f"{BASE_URL}/v1", api_key="none", http_client=http) as client:
        one = await client.moderations.create(input="hello", model="omni-moderation-latest")
        parts = await client.moderations.create(
            input=[
                ModerationTextInputParam(type="text", text="I want to kill"),
                ModerationTextInputParam(type="text", text="myself."),
            ]
        )
    (result,) = one.results
    assert one.id.startswith("modr-")
    assert not result.flagged
    assert set(CATEGORIES) <= set(result.category_scores.model_dump(by_alias=True))
    assert set(CATEGORIES) <= set(result.categories.model_dump(by_alias=True))
    assert result.category_applied_input_types.sexual_minors == ["text"]
    assert len(parts.results) == 1


async def test_one_bad_sentence_in_a_long_text_is_enough(api: Served) -> None:
    text = " ".join([*HARMLESS[:10], "I am going to kill myself tonight.", *HARMLESS[10:20]])
    (result,) = await judged(api, [text])
    assert result["categories"]["self-harm/intent"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("", None),
        ([], None),
        (["a", " "], None),
        (None, None),
        (["a"] * 33, None),
        ([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}], "image_moderation_not_available"),
    ],
)
async def test_what_cannot_be_judged_is_refused(api: Served, given: object, code: str | None) -> None:
    response = await api.post(PATH, {"input": given})
    error = response.json()["error"]
    assert response.status_code == 400
    assert error["param"].startswith("input")
    assert code is None or error["code"] == code


def picture(colour: str) -> str:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def parts(*pictures: str, text: str = "") -> list[dict[str, Any]]:
    given: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": each}} for each in pictures]
    return [*([{"type": "text", "text": text}] if text else []), *given]


async def test_pictures_are_never_called_harmless_unseen(api: Served) -> None:
    response = await api.post(PATH, {"input": parts(picture("red"))})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "image_moderation_not_available")
    assert "fetch moderation" in error["message"]


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ([{"type": "image_url"}], "input.[0].image_url"),
        (["text", {"type": "text", "text": "x"}], "input"),
        ([{"type": "text", "text": " "}], "input"),
    ],
)
async def test_parts_that_hold_nothing_are_refused(api: Served, given: object, param: str) -> None:
    response = await api.post(PATH, {"input": given})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


@pytest.mark.extended
async def test_pictures_are_judged_by_the_classifier(api: Served) -> None:
    """Which `fetch moderation` gets; its scores are those of the package that carries it."""
    folder = api.runtime.data.models
    (folder / "open_nsfw").symlink_to(model_folder("open_nsfw"), target_is_directory=True)
    try:
        alone = (await api.post(PATH, {"input": parts(picture("red"))})).json()
        both = (await api.post(PATH, {"input": parts(picture("red"), picture("green"), text="hello")})).json()
        damaged = await api.post(PATH, {"input": parts("data:image/png;base64,AAAA")})
    finally:
        (folder / "open_nsfw").unlink()
    (result,) = alone["results"]
    assert alone["model"] == "open_nsfw"
    assert 0 < result["category_scores"]["sexual"] < 0.5
    assert {name: types for name, types in result["category_applied_input_types"].items() if types} == {
        "sexual": ["image"]
    }
    (result,) = both["results"]
    assert both["model"] == MINILM
    assert result["category_applied_input_types"]["sexual"] == ["text", "image"]
    assert result["category_applied_input_types"]["hate"] == ["text"]
    assert damaged.status_code == 400
