"""/v1/audio/speech with the real Kokoro in a process of its own, beside a scripted chat model."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from modules.backends.speaking.questions import SoundFormat
from modules.engine.types import LoadSpec
from modules.media.speech.service import SpeechRequest
from modules.models.loading import Candidate, launch_engine, launch_in_process
from tests.api.serving import BASE_URL, RawCall, Served, served
from tests.speech_models import FORMATS, KOKORO, lay_kokoro, seconds_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.model]

PATH = "/v1/audio/speech"
OPENAI_NAMES = "alloy ash ballad coral echo fable onyx nova sage shimmer verse marin cedar".split()
TEXT = "One two. Three four! Five, six?"
KINDS = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


async def launch(spec: LoadSpec) -> Candidate:
    return await (launch_in_process if spec.loader == "scripted" else launch_engine)(spec)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("speech")
    (folder / "models").mkdir()
    lay_kokoro(folder / "models")
    async with served(folder, launch=launch) as api:
        yield api


async def spoken(api: Served, text: str = TEXT, **fields: Any) -> bytes:
    response = await api.post(PATH, {"input": text, **fields})
    assert response.status_code == 200, response.text
    return response.content


async def refusal(api: Served, **fields: Any) -> dict[str, Any]:
    response = await api.post(PATH, {"input": "Hello.", **fields})
    assert response.status_code == 400, response.text
    error: dict[str, Any] = response.json()["error"]
    return error


async def test_all_formats_last_as_long(api: Served) -> None:
    seconds = {}
    for name in FORMATS:
        response = await api.post(PATH, {"input": "One two. Three!", "response_format": name})
        assert response.headers["content-type"] == KINDS[name]
        seconds[name] = seconds_of(response.content, name)
    assert seconds["wav"] > 1
    assert all(abs(each - seconds["wav"]) <= 0.06 for each in seconds.values()), seconds


async def test_mp3_is_the_default_and_a_whole_sound_has_its_length(api: Served) -> None:
    streamed = await api.post(PATH, {"input": "Hi."})
    assert streamed.headers["content-type"] == "audio/mpeg"
    assert "content-length" not in streamed.headers
    whole = await api.post(PATH, {"input": "Hi.", "stream": False, "response_format": "wav"})
    assert int(whole.headers["content-length"]) == len(whole.content)
    assert int.from_bytes(whole.content[4:8], "little") == len(whole.content) - 8


async def test_events_carry_the_sound_and_end_with_usage(api: Served) -> None:
    response = await api.post(PATH, {"input": TEXT, "response_format": "pcm", "stream_format": "sse"})
    assert response.headers["content-type"].startswith("text/event-stream")
    blocks = [block.split("\n", 1) for block in response.text.strip().split("\n\n")]
    events = [json.loads(data.removeprefix("data: ")) for _, data in blocks]
    assert [name for name, _ in blocks] == [f"event: {event['type']}" for event in events]
    assert [event["type"] for event in events] == ["speech.audio.delta"] * 3 + ["speech.audio.done"]
    sound = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    usage = events[-1]["usage"]
    assert usage["output_tokens"] == pytest.approx(seconds_of(sound, "pcm") * 20, abs=1)
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_tokens"] > 10


@pytest.mark.parametrize("voice", OPENAI_NAMES)
async def test_every_voice_of_openai_is_taken(api: Served, voice: str) -> None:
    assert seconds_of(await spoken(api, "Hi.", voice=voice, model="tts-1", response_format="pcm"), "pcm") > 0.2


async def test_voices_are_listed_taken_by_id_and_mixed(api: Served) -> None:
    listed = (await api.http.get("/v1/audio/voices")).json()["voices"]
    own = [entry["id"] for entry in listed if entry["id"] not in OPENAI_NAMES]
    assert len(own) >= 5
    assert {entry["id"] for entry in listed} >= set(OPENAI_NAMES)
    first, second = own[:2]
    for voice in ({"id": first}, f"{first}(2)+{second}", f" {second.upper()} "):
        assert seconds_of(await spoken(api, "Hello.", voice=voice, response_format="pcm"), "pcm") > 0.3


async def test_models_are_listed_and_marked(api: Served) -> None:
    assert (await api.http.get("/audio/models")).json() == {"models": [{"id": KOKORO}]}
    listed = (await api.http.get("/v1/models")).json()["data"]
    assert {entry["id"]: entry["type"] for entry in listed}[KOKORO] == "speech"


async def test_speed_and_volume_count(api: Served) -> None:
    usual, fast, slow = [
        seconds_of(await spoken(api, "A short sentence.", speed=speed, response_format="pcm"), "pcm")
        for speed in (1, 4, 0.5)
    ]
    assert usual / 4 == pytest.approx(fast, rel=0.3)
    assert usual * 2 == pytest.approx(slow, rel=0.3)
    assert set(await spoken(api, "Hi.", volume_multiplier=0, response_format="pcm")) == {0}


async def test_rates_of_plain_formats_can_be_chosen(api: Served) -> None:
    sound = await spoken(api, "Hi.", response_format="wav", sample_rate=16_000, stream=False)
    assert int.from_bytes(sound[24:28], "little") == 16_000
    assert (await refusal(api, sample_rate=16_000))["param"] == "sample_rate"


async def test_a_text_without_words_is_a_moment_of_silence(api: Served) -> None:
    assert 0 < seconds_of(await spoken(api, "😀", response_format="wav"), "wav") < 0.2


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"voice": "nobody"}, "voice", "'nobody' is unknown. Choose one of: "),
        ({"voice": "nobody"}, "voice", "alloy, ash, ballad"),
        ({"voice": "af_bella(0)+af_bella"}, "voice", ""),
        ({"input": " \n"}, "input", "empty"),
        ({"input": "a" * 65_537}, "input", "65536"),
        ({"speed": 0.2}, "speed", "0.25"),
        ({"speed": 4.1}, "speed", "4"),
        ({"speed": True}, "speed", "number"),
        ({"response_format": "midi"}, "response_format", "'pcm'"),
        ({"stream_format": "ws"}, "stream_format", "'sse'"),
        ({"volume_multiplier": -1}, "volume_multiplier", "0"),
        ({"lang_code": "xx"}, "lang_code", "unknown"),
        ({"input": "日本語", "lang_code": "j"}, "input", "kana"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(api: Served, fields: dict[str, Any], param: str, words: str) -> None:
    error = await refusal(api, **fields)
    assert error["param"] == param
    assert words in error["message"]


async def test_nulls_and_fields_of_others_are_no_errors(api: Served) -> None:
    nulls = dict.fromkeys(("voice", "speed", "response_format", "instructions", "stream", "lang_code", "sample_rate"))
    assert await spoken(api, "Hi.", **nulls, user="x", return_download_link=False)
    response = await api.post(PATH, {"input": "Hi.", "instructions": "Whisper.", "output_format": "WAV"})
    assert response.headers["content-type"] == "audio/wav"
    assert response.headers["x-ignored-parameters"] == "instructions"


async def test_openais_client_reads_the_stream(api: Served, tmp_path: Path) -> None:
    transport = httpx2.ASGITransport(api.app)
    async with httpx2.AsyncClient(transport=transport) as http:
        client = AsyncOpenAI(api_key="x", base_url=f"{BASE_URL}/v1", http_client=http)
        speech = client.audio.speech.with_streaming_response
        async with speech.create(model="tts-1", voice="nova", input="Hello.", response_format="flac") as response:
            await response.stream_to_file(tmp_path / "sound")
        whole = await client.audio.speech.create(model="gpt-4o-mini-tts", voice="sage", input="Hello.")
    assert 0.3 < seconds_of((tmp_path / "sound").read_bytes(), "flac") < 3
    assert 0.3 < seconds_of(whole.content, "mp3") < 3


async def test_front_ends_get_what_they_play(api: Served) -> None:
    """Open WebUI, which caches what comes as .mp3 by the hash of its body, and SillyTavern, which posts to a full address."""
    bearer = {"authorization": "Bearer sk-any", "x-openwebui-user-name": "Anna"}
    open_webui = await api.post(PATH, {"model": "tts-1", "input": "Hello.", "voice": "alloy"}, **bearer)
    silly_tavern = await api.post(
        PATH, {"input": "Hello.", "response_format": "mp3", "voice": "af_bella", "speed": 1, "model": "tts-1"}
    )
    for answer in (open_webui, silly_tavern):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/mpeg")
        assert 0.3 < seconds_of(answer.content, "mp3") < 3
    # What the first one's menus show.
    voices = (await api.http.get("/v1/audio/voices", headers=bearer)).json()["voices"]
    assert all(entry["id"] and entry["name"] for entry in voices)
    models = (await api.http.get("/v1/audio/models", headers=bearer)).json()["models"]
    assert [set(entry) for entry in models] == [{"id"}]


async def test_each_sentence_leaves_before_the_next_is_spoken(api: Served) -> None:
    request = SpeechRequest(text=TEXT, format=SoundFormat("pcm"))
    async with aclosing(api.runtime.speech.speak(request)) as sentences:
        sizes = [len(sentence.data) async for sentence in sentences]
    assert len(sizes) == 3
    assert min(sizes) > 10_000


async def test_a_hang_up_ends_the_reply_within_a_sentence(api: Served) -> None:
    call = RawCall(api.app, PATH, orjson.dumps({"input": "This is a sentence. " * 200, "response_format": "pcm"}))
    running = asyncio.create_task(call.run())
    await call.until_sends()
    call.hang_up()
    await running
    async with aclosing(api.runtime.models.use_counts(KOKORO)) as counts:
        async for count in counts:
            if count == 0:
                break
    assert len([message for message in call.sent if message.get("body")]) < 10
    assert await spoken(api, "Hi.")


async def test_replies_take_turns_and_too_many_are_told_to_wait(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    lay_kokoro(tmp_path / "models")
    async with served(tmp_path, launch=launch, max_queue=1) as api:
        long = {"input": "This is a sentence. " * 40, "response_format": "pcm"}
        calls = [RawCall(api.app, PATH, orjson.dumps(long)) for _ in range(3)]
        tasks = [asyncio.create_task(call.run()) for call in calls]
        heard = {asyncio.create_task(call.until_sends()) for call in calls}
        _, waiting = await asyncio.wait(heard, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        response = await api.post(PATH, long)
        assert response.status_code == 429
        assert response.headers["retry-after"] == "5"
        for call in calls:
            call.hang_up()
        await asyncio.gather(*tasks)
        for task in heard:
            task.cancel()
        assert await spoken(api, "Hi.")


async def test_without_a_model_it_says_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    async with served(tmp_path, launch=launch) as api:
        response = await api.post(PATH, {"input": "Hello."})
        assert response.status_code == 501
        assert response.headers["x-should-retry"] == "false"
        error = response.json()["error"]
        assert error["code"] == "not_available"
        assert "python3 one_click.py fetch speech" in error["message"]
        assert (await api.http.get("/v1/audio/voices")).json() == {"voices": []}
        assert (await api.http.get("/v1/audio/models")).json() == {"models": []}


async def test_no_log_holds_the_text(api: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await spoken(api, "Marmalade marmalade.")
        await refusal(api, input="Marmalade.", voice="x")
    assert "armalade" not in caplog.text
