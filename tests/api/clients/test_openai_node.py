"""openai-node on what `test_programs` does not ask it for: every other endpoint that it has calls for, with real models
for sounds."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from modules.engine.types import LoadSpec
from modules.models.loading import Candidate, launch_engine
from tests.api.clients.conftest import launch_constraining
from tests.api.clients.running import HERE, output_of
from tests.api.clients.test_programs import OSLO, ROME, installed
from tests.api.clients.words import ANSWER, TWO_CALLS
from tests.api.picture_parts import RED, png, seen
from tests.api.serving import on_port
from tests.api.test_embeddings import TALKER, lay
from tests.golden.strict import STRICT_TEMPLATE
from tests.model_files import WHISPER_BASE, model_folder
from tests.speech_models import lay_kokoro

pytestmark = [pytest.mark.model, pytest.mark.extended]

SPOKEN: Final = "The quick brown fox jumps over the lazy dog."


async def launch(spec: LoadSpec) -> Candidate:
    return await (launch_constraining if spec.loader == "scripted" and not spec.kind.is_media else launch_engine)(spec)


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    lay(tmp_path, TALKER)
    lay_kokoro(tmp_path / "models")
    (tmp_path / "models" / WHISPER_BASE).symlink_to(model_folder(WHISPER_BASE))
    settings: dict[str, Any] = {"loader": None, "model": TALKER, "image_model": "scripted-images"}
    settings |= {"chat_template_file": STRICT_TEMPLATE}
    async with on_port(tmp_path, launch=launch, **settings) as (address, _, _):
        yield address if address.endswith("/v1") else f"{address}/v1"


async def test_every_other_endpoint(url: str) -> None:
    asked = {"answer": ANSWER, "calls": TWO_CALLS, "picture": png(RED), "spoken": SPOKEN}
    script = str(HERE / "node_surface_calls.cjs")
    modules = installed("node_modules")
    told = json.loads(await output_of("node", script, url, json.dumps(asked), NODE_PATH=str(modules)))
    assert told.pop("pictured").count(seen(RED)) == 1
    heard, streamed, kinds = told.pop("audio")
    assert heard == streamed == SPOKEN
    assert kinds == ["transcript.text.delta", "transcript.text.done"]
    assert told == {
        "models": [True, True],
        "completions": ["1 2 3", "1 2 3"],
        "responses": ["hello", "1 2 3 4 5", "1 2 3 4 5", "again", len("1 2 3 4 5")],
        "structured": [ROME, ROME],
        "called": [["forecast", ROME], ["forecast", OSLO]],
        "embeddings": [2, True, True],
        "images": [[64, 64], 64, ["image_generation.partial_image", "image_generation.completed"]],
        "refused": [
            [400, "invalid_value", "BadRequestError"],
            [400, None, "BadRequestError"],
            [404, "model_not_found", "NotFoundError"],
        ],
    }
