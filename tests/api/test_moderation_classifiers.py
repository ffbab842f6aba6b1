"""/v1/moderations by text classifiers on disk: tiny ones whose scores are known."""

import json
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx2
import numpy as np
import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from safetensors.numpy import load_file, save_file

from modules.models.loading import launch_engine
from tests.api.serving import BASE_URL, Served, served
from tests.encoder_folder import write_encoder

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH: Final = "/v1/moderations"
JIGSAW: Final = {"toxic": 2.0, "obscene": -1.0, "threat": 0.5, "insult": -3.0, "identity_attack": -4.0, "muslim": 5.0}
SHORT: Final = {"H": 0.0, "H2": -1.0, "HR": 1.0, "OK": 2.0, "S3": -2.0}


def write_classifier(folder: Path, labels: Mapping[str, float], **config: str) -> Path:
    """It gives every text these scores."""
    write_encoder(folder, labels=len(labels))
    relabelled(folder, tuple(labels), **config)
    tensors = load_file(folder / "model.safetensors")
    tensors["classifier.weight"] = np.zeros_like(tensors["classifier.weight"])
    tensors["classifier.bias"] = np.array(list(labels.values()), np.float32)
    save_file(tensors, folder / "model.safetensors")
    return folder


def relabelled(folder: Path, labels: Sequence[str], **config: str) -> Path:
    path = folder / "config.json"
    values = json.loads(path.read_text("utf-8"))
    values |= {"id2label": {str(place): label for place, label in enumerate(labels)}, **config}
    path.write_text(json.dumps(values), "utf-8")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("classifiers")
    write_classifier(folder / "models" / "jigsaw", JIGSAW, problem_type="multi_label_classification")
    write_classifier(folder / "models" / "short", SHORT)
    relabelled(write_encoder(folder / "models" / "random", labels=2), ("neutral", "toxic"))
    async with served(folder, launch=launch_engine, loader=None, moderation_model="jigsaw") as api:
        yield api


async def judged(api: Served, given: object, **fields: object) -> list[dict[str, Any]]:
    response = await api.post(PATH, {"input": given, **fields})
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["results"]
    return found


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


async def test_labels_that_may_be_true_together_are_judged_each_by_itself(api: Served) -> None:
    response = await api.post(PATH, {"input": ["hello", "you"], "model": "omni-moderation-latest"})
    assert response.json()["model"] == "jigsaw"
    for result in response.json()["results"]:
        scores = {name: score for name, score in result["category_scores"].items() if score}
        assert scores == {
            "harassment": pytest.approx(sigmoid(2.0), abs=1e-6),
            "violence": pytest.approx(sigmoid(0.5), abs=1e-6),
            "harassment/threatening": pytest.approx(sigmoid(0.5), abs=1e-6),
            "hate": pytest.approx(sigmoid(-4.0), abs=1e-6),
        }
        assert len(result["categories"]) == 13
        assert {name for name, is_true in result["categories"].items() if is_true} == set(scores) - {"hate"}
        assert result["flagged"]
        applied = result["category_applied_input_types"]
        assert {name for name, types in applied.items() if types == ["text"]} == set(scores)
        assert all(applied[name] == [] for name in set(applied) - set(scores))


async def test_labels_beside_a_harmless_one_exclude_each_other(api: Served) -> None:
    (result,) = await judged(api, "hello", model="short")
    total = sum(map(math.exp, SHORT.values()))
    assert {name: score for name, score in result["category_scores"].items() if score} == {
        "hate": pytest.approx(math.exp(0.0) / total, abs=1e-6),
        "hate/threatening": pytest.approx(math.exp(-1.0) / total, abs=1e-6),
        "harassment": pytest.approx(math.exp(1.0) / total, abs=1e-6),
        "sexual/minors": pytest.approx(math.exp(-2.0) / total, abs=1e-6),
    }
    assert not result["flagged"]


async def test_of_a_long_text_the_worst_part_decides(api: Served) -> None:
    """A text of single letters has a token for each; 64 of them are read at once, and 16 are read twice."""
    words = [chr(97 + number * number % 26) for number in range(100)]
    parts = [" ".join(words[:64]), " ".join(words[48:])]
    whole, *halves = await judged(api, [" ".join(words), *parts], model="random")
    scores = [result["category_scores"]["harassment"] for result in halves]
    assert whole["category_scores"]["harassment"] == pytest.approx(max(scores), abs=1e-6)
    assert abs(scores[0] - scores[1]) > 1e-4
    response = await api.post(PATH, {"input": "a " * 20_000, "model": "random"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "input")


async def test_it_is_listed_and_ranks_nothing(api: Served) -> None:
    await judged(api, "hello")
    entries = {entry["id"]: entry for entry in (await api.http.get("/v1/models")).json()["data"]}
    assert {entry["type"] for entry in entries.values()} == {"moderation"}
    assert entries["jigsaw"]["capabilities"] == ["moderation"]
    for path, body in (
        ("/v1/rerank", {"query": "hello", "documents": ["you"]}),
        ("/v1/embeddings", {"input": "hello"}),
    ):
        response = await api.post(path, {**body, "model": "jigsaw"})
        assert (response.status_code, response.json()["error"]["param"]) == (400, "model")
        assert (await api.post(path, body)).status_code == 501


async def test_the_official_client_reads_it(api: Served) -> None:
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(api.app))
    async with AsyncOpenAI(base_url=f"{BASE_URL}/v1", api_key="none", http_client=http) as client:
        found = await client.moderations.create(input="hello", model="jigsaw")
    assert found.model == "jigsaw"
    assert found.results[0].categories.harassment_threatening
    assert found.results[0].category_applied_input_types.sexual == []


async def test_a_classifier_that_was_chosen_and_is_missing_is_not_replaced(tmp_path: Path) -> None:
    write_classifier(tmp_path / "models" / "jigsaw", JIGSAW)
    write_encoder(tmp_path / "models" / "ranks", labels=2)
    for name, words in (("other", "is not in the model folder"), ("ranks", "is a model for rerank")):
        async with served(tmp_path, loader=None, moderation_model=name) as api:
            response = await api.post(PATH, {"input": "hello"})
            assert response.status_code == 501
            assert words in response.json()["error"]["message"]
            assert "--moderation-model" in response.json()["error"]["message"]
