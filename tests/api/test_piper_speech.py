"""/v1/audio/speech with voices of Piper, beside Kokoro, which nobody asks for and nobody starts."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

import orjson
import pytest
import pytest_asyncio

from modules.backends.speaking.questions import SoundFormat
from modules.engine.types import ModelKind
from modules.media.speech.service import SpeechRequest
from modules.models.state import Status
from tests.api.serving import RawCall, Served, calling, served
from tests.api.test_speech import launch
from tests.piper_voice import write_piper
from tests.speech_models import FORMATS, KOKORO, lay_kokoro, seconds_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.model]

PATH: Final = "/v1/audio/speech"
SENTENCE: Final = "The ship left the harbour before the sun came up over the hills. "
# As long as OpenAI takes.
LONGEST: Final = (SENTENCE * 80)[:4096]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("speech")
    write_piper(folder / "models", "en_US-hum-medium")
    write_piper(folder / "models", "en_US-choir-low", speakers=["low", "high"], audio={"sample_rate": 16_000})
    lay_kokoro(folder / "models")
    async with served(folder, launch=launch) as api:
        yield api


async def test_voices_and_speakers_are_listed_with_their_model(api: Served) -> None:
    listed = (await api.http.get("/v1/audio/voices")).json()["voices"]
    piper = {entry["id"]: entry["model"] for entry in listed if entry["id"].startswith("en_US")}
    assert set(piper) == {"en_US-hum-medium", "en_US-choir-low", "en_US-choir-low:low", "en_US-choir-low:high"}
    models = (await api.http.get("/v1/audio/models")).json()["models"]
    assert {entry["id"] for entry in models} == {KOKORO, *piper.values()}


async def test_a_voice_chooses_its_model_and_every_format_has_its_rate(api: Served) -> None:
    seconds = {}
    for form in FORMATS:
        answer = await api.post(PATH, {"input": SENTENCE, "voice": "en_US-choir-low:high", "response_format": form})
        assert answer.status_code == 200, answer.text
        seconds[form] = seconds_of(answer.content, form)
    assert all(abs(each - seconds["wav"]) <= 0.06 for each in seconds.values()), seconds


async def test_a_model_is_loaded_for_its_voice_before_anything_is_said(api: Served) -> None:
    await api.runtime.speech.load("en_US-hum-medium")
    loaded = {state.name: state.status for state in api.runtime.models.models if state.kind is ModelKind.SPEECH}
    assert loaded["en_US-hum-medium.onnx"] is Status.READY
    assert KOKORO not in loaded


async def test_the_longest_input_of_openai_is_spoken_to_its_end(api: Served) -> None:
    request = SpeechRequest(text=LONGEST, format=SoundFormat("pcm"), voice="en_US-hum-medium")
    async with aclosing(api.runtime.speech.speak(request)) as spoken:
        seconds = [sentence.seconds async for sentence in spoken]
    assert len(seconds) == -(-len(LONGEST) // len(SENTENCE))
    answer = await api.post(PATH, {"input": LONGEST, "voice": "en_US-hum-medium"})
    assert seconds_of(answer.content, "mp3") == pytest.approx(sum(seconds), abs=0.1)


async def test_the_first_sound_leaves_before_the_last_sentence_is_spoken(api: Served) -> None:
    body = {"input": LONGEST, "voice": "en_US-hum-medium", "response_format": "pcm"}
    call = RawCall(api.app, PATH, orjson.dumps(body))
    async with calling(call) as running:
        await call.until_sends()
        assert not running.done()
        assert seconds_of(call.sent_body, "pcm") < 30
        await running
    assert seconds_of(call.sent_body, "pcm") > 60
