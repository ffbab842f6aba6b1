"""A real Whisper model: what it hears, when, and that silence stays silent."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.api.serving import Served, served
from tests.model_files import WHISPER_BASE, model_folder
from tests.sound_files import silence, wav

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

# Spoken by Kokoro's voice af_heart: "The quick brown fox jumps over the lazy dog."
FOX: Final = (Path(__file__).parents[2] / "golden" / "fox.ogg").read_bytes()
SAYS: Final = "The quick brown fox jumps over the lazy dog."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whisper(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("user_data")
    (folder / "models").mkdir()
    (folder / "models" / WHISPER_BASE).symlink_to(model_folder(WHISPER_BASE))
    async with served(folder) as serving:
        yield serving


async def heard(
    api: Served, fields: dict[str, Any], content: bytes = FOX, path: str = "transcriptions"
) -> dict[str, Any]:
    answer = await api.http.post(f"/v1/audio/{path}", files={"file": ("a", content)}, data=fields)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_words_have_their_times(whisper: Served) -> None:
    body = await heard(
        whisper,
        {"response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"], "language": "en"},
    )
    assert (body["text"], body["language"]) == (SAYS, "english")
    words = body["words"]
    assert " ".join(word["word"] for word in words) == SAYS
    times = [time for word in words for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert 1.5 < times[-1] <= body["duration"]
    assert all(segment["text"].startswith(" ") and segment["tokens"] for segment in body["segments"])


async def test_the_language_is_found_out_among_those_that_may_be(whisper: Served) -> None:
    body = await heard(whisper, {"languages[]": ["de", "en"]})
    assert (body["text"], body["languages"]) == (SAYS, [{"code": "en"}])


async def test_silence_stays_silent(whisper: Served) -> None:
    body = await heard(whisper, {"response_format": "verbose_json"}, wav(silence(60)))
    assert (body["text"], body["segments"], body["duration"]) == ("", [], 60.0)


async def test_translations_are_made_by_a_model_that_can(whisper: Served) -> None:
    body = await heard(whisper, {"response_format": "verbose_json"}, path="translations")
    assert (body["task"], body["language"]) == ("translate", "english")
    assert "fox" in body["text"]
