"""POST /v1/audio/transcriptions and translations, with the scripted model: forms, formats, events, refusals."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, BadRequestError
from openai.types.audio import TranscriptionVerbose
from openai.types.audio.transcription_text_delta_event import TranscriptionTextDeltaEvent
from openai.types.audio.transcription_text_done_event import TranscriptionTextDoneEvent

from tests.api.serving import Served, served
from tests.sound_files import recording, silence, tone, wav

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRANSCRIPTIONS = "/v1/audio/transcriptions"
TRANSLATIONS = "/v1/audio/translations"
TWO_SOUNDS = silence(0.5) + tone(0.5) + silence(1) + tone(0.7) + silence(0.3)
SOUND = wav(TWO_SOUNDS)
SAYS = "Sound 1. Sound 2."
SRT_TIMES = re.compile(r"(\d\d):(\d\d):(\d\d),(\d{3}) --> (\d\d):(\d\d):(\d\d),(\d{3})")


async def sent(
    api: Served, path: str = TRANSCRIPTIONS, *, content: bytes = SOUND, name: str = "audio.wav", **fields: Any
) -> httpx.Response:
    """Names of fields are written with __ where a bracket opens."""
    data = {key.replace("__", "[") + ("]" if "__" in key else ""): value for key, value in fields.items()}
    return await api.http.post(path, files={"file": (name, content)}, data=data)


def error_of(response: httpx.Response) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["param"], error["message"]


def events_in(text: str) -> list[dict[str, Any]]:
    """Named as their type says; the last of all is `[DONE]`."""
    blocks = text.strip().split("\n\n")
    assert blocks[-1] == "data: [DONE]"
    found = []
    for block in blocks[:-1]:
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


async def test_json_has_text_and_usage_and_names_the_model(api: Served) -> None:
    answer = await sent(api, model="whisper-1")
    assert answer.json() == {"text": SAYS, "usage": {"type": "duration", "seconds": 3}}
    assert answer.headers["x-model"] == "scripted-transcription"


async def test_plain_formats_are_plain_bodies(api: Served) -> None:
    text = await sent(api, response_format="text")
    assert (text.text, text.headers["content-type"]) == (f"{SAYS}\n", "text/plain; charset=utf-8")
    srt = await sent(api, response_format="srt")
    captions = srt.text.split("\n\n")
    assert [caption.split("\n")[0] for caption in captions] == ["1", "2"]
    assert [caption.split("\n")[2].strip() for caption in captions] == ["Sound 1.", "Sound 2."]
    times = [[int(number) for number in match] for match in SRT_TIMES.findall(srt.text)]
    assert times[0][:4] == [0, 0, 0, 500]
    assert times[1][4:] == [0, 0, 2, 700]
    vtt = await sent(api, response_format="vtt")
    assert vtt.headers["content-type"] == "text/vtt; charset=utf-8"
    assert vtt.text.startswith("WEBVTT\n\n00:00:00.500 --> 00:00:01.000\nSound 1.\n\n00:00:02.000 --> ")


async def test_captions_cannot_be_forged_by_what_is_said(api: Served) -> None:
    vtt = await sent(api, response_format="vtt", prompt="say 1 --> 2 <b> & c")
    assert "1 -> 2 &lt;b> &amp; c" in vtt.text.replace("-&gt;", "->")


@pytest.mark.parametrize(
    ("fields", "segments", "words"),
    [
        ({}, True, False),
        ({"timestamp_granularities__": "word"}, False, True),
        ({"timestamp_granularities__": "segment"}, True, False),
        ({"timestamp_granularities__": ["word", "segment"]}, True, True),
        ({"timestamp_granularities": "word,segment"}, True, True),
        ({"timestamp_granularities": '["word"]'}, False, True),
    ],
)
async def test_verbose_has_what_was_asked_for(api: Served, fields: dict[str, Any], segments: bool, words: bool) -> None:
    body = (await sent(api, response_format="verbose_json", language="en-US", **fields)).json()
    assert ("segments" in body, "words" in body) == (segments, words)
    assert TranscriptionVerbose.model_validate(body, strict=True).text == SAYS
    assert (body["task"], body["language"], body["duration"]) == ("transcribe", "english", 3.0)
    if segments:
        assert [(each["id"], each["start"], each["end"], each["text"]) for each in body["segments"]] == [
            (0, 0.5, 1.0, " Sound 1."),
            (1, 2.0, 2.7, " Sound 2."),
        ]
        assert set(body["segments"][0]) == {
            *("id", "seek", "start", "end", "text", "tokens"),
            *("temperature", "avg_logprob", "compression_ratio", "no_speech_prob"),
        }
    if words:
        assert [word["word"] for word in body["words"]] == ["Sound", "1.", "Sound", "2."]


async def test_deltas_join_to_the_text_of_the_end(api: Served) -> None:
    answer = await sent(api, stream="true", include__="logprobs")
    assert answer.headers["content-type"].startswith("text/event-stream")
    *deltas, done = events_in(answer.text)
    typed = [TranscriptionTextDeltaEvent.model_validate(delta, strict=True) for delta in deltas]
    assert "".join(delta.delta for delta in typed) == SAYS
    end = TranscriptionTextDoneEvent.model_validate(done, strict=True)
    assert (end.text, end.usage and end.usage.input_tokens) == (SAYS, 150)
    assert "".join(each.token or "" for each in end.logprobs or ()) == SAYS


async def test_text_without_blanks_is_joined_without_any(api: Served) -> None:
    *deltas, done = events_in((await sent(api, stream="true", prompt="say 你好")).text)
    assert "".join(delta["delta"] for delta in deltas) == done["text"] == "你好 你好"


async def test_stream_false_is_no_stream(api: Served) -> None:
    assert (await sent(api, stream="false")).json()["text"] == SAYS


async def test_languages_are_told_where_they_were_asked_for(api: Served) -> None:
    body = (await sent(api, languages__=["de", "English"], keywords__=["Kepler", "a, b"])).json()
    assert body["languages"] == [{"code": "en"}]


@pytest.mark.parametrize("response_format", ["json", "text", "srt", "vtt", "verbose_json"])
async def test_silence_is_no_text(api: Served, response_format: str) -> None:
    answer = await sent(api, content=wav(silence(60)), response_format=response_format)
    assert answer.status_code == 200
    text = answer.json()["text"] if "json" in response_format else answer.text.strip()
    assert text == ("WEBVTT" if response_format == "vtt" else "")


async def test_silence_is_a_stream_of_one_event(api: Served) -> None:
    (done,) = events_in((await sent(api, content=wav(silence(1)), stream="true")).text)
    assert done["text"] == ""


@pytest.mark.parametrize("name", ["flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm"])
async def test_every_format_of_openai_is_read_whatever_it_is_called(api: Served, name: str) -> None:
    answer = await sent(api, content=recording(name, TWO_SOUNDS), name="upload")
    assert answer.json()["text"] == SAYS


async def test_what_browsers_record_is_read(api: Served) -> None:
    answer = await sent(api, content=recording("webm", TWO_SOUNDS, is_live=True), name="blob")
    assert answer.json()["text"] == SAYS


async def test_translation_is_english(api: Served) -> None:
    body = (await sent(api, TRANSLATIONS, response_format="verbose_json")).json()
    assert (body["task"], body["language"], body["text"]) == ("translate", "english", SAYS)
    assert error_of(await sent(api, TRANSLATIONS, response_format="diarized_json"))[:2] == (400, "response_format")


async def test_empty_fields_are_no_fields(api: Served) -> None:
    fields: dict[str, Any] = dict.fromkeys(
        ("model", "language", "prompt", "temperature", "stream", "response_format"), ""
    )
    assert (await sent(api, **fields)).json()["text"] == SAYS


@pytest.mark.parametrize("language", ["auto", "de", "de-DE", "pt_br", "German", "zh-Hans"])
async def test_languages_have_many_names(api: Served, language: str) -> None:
    assert (await sent(api, language=language)).status_code == 200


@pytest.mark.parametrize(
    "strategy",
    [
        {"chunking_strategy": "auto"},
        {"chunking_strategy__type": "server_vad", "chunking_strategy__threshold": "0.6"},
        {"chunking_strategy": '{"type": "server_vad", "silence_duration_ms": 300}'},
        {"vad_filter": "false"},
        {"without_timestamps": "true", "hotwords": "Kepler"},
    ],
)
async def test_strategies_are_taken(api: Served, strategy: dict[str, Any]) -> None:
    assert (await sent(api, **strategy)).json()["text"] == SAYS


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"language": "klingon"}, "language"),
        ({"languages__": ["en", "xx"]}, "languages"),
        ({"temperature": "1.5"}, "temperature"),
        ({"temperature": "nan"}, "temperature"),
        ({"response_format": "xml"}, "response_format"),
        ({"response_format": "diarized_json"}, "response_format"),
        ({"timestamp_granularities__": "word"}, "timestamp_granularities"),
        ({"timestamp_granularities__": "letter", "response_format": "verbose_json"}, "timestamp_granularities[0]"),
        ({"include__": "logprobs", "response_format": "text"}, "include"),
        ({"stream": "true", "response_format": "srt"}, "stream"),
        ({"stream": "perhaps"}, "stream"),
        ({"known_speaker_names__": "Anna"}, "known_speaker_names"),
        ({"chunking_strategy__type": "client_vad"}, "chunking_strategy.type"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(api: Served, fields: dict[str, Any], param: str) -> None:
    status, named, _ = error_of(await sent(api, **fields))
    assert (status, named) == (400, param)


async def test_files_and_text_are_told_apart(api: Served) -> None:
    post = api.http.post
    assert error_of(await post(TRANSCRIPTIONS, files={"language": ("a.txt", b"en")}))[1] == "language"
    assert error_of(await post(TRANSCRIPTIONS, files={"model": (None, b"x")}))[:2] == (400, "file")
    assert error_of(await post(TRANSCRIPTIONS, files={"file": (None, b"text")}))[1] == "file"
    two = [("file", ("a.wav", SOUND)), ("file", ("b.wav", SOUND))]
    assert "2 times" in error_of(await post(TRANSCRIPTIONS, files=two))[2]
    other = [("file", ("a.wav", SOUND)), ("mask", ("b.png", b"x"))]
    assert error_of(await post(TRANSCRIPTIONS, files=other))[1] == "mask"
    assert (await post(TRANSCRIPTIONS, files={"file[]": ("a.wav", SOUND)})).json()["text"] == SAYS


async def test_a_body_that_is_no_form_is_refused(api: Served) -> None:
    status, _, message = error_of(await api.post(TRANSCRIPTIONS, {"file": "data:audio/wav;base64,AAAA"}))
    assert (status, message.startswith("Send the body as multipart/form-data, not application/json")) == (400, True)


async def test_what_is_no_recording_is_refused(api: Served) -> None:
    status, param, message = error_of(await sent(api, content=b"no sound at all", stream="true"))
    assert (status, param) == (400, "file")
    assert message.startswith("Unrecognized file format. Supported formats: [")
    assert error_of(await sent(api, content=b""))[2] == "The file is empty."


async def test_a_recording_that_is_too_large_is_a_413(tmp_path: Path) -> None:
    async with served(tmp_path, api_max_audio_mb=1) as api:
        answer = await sent(api, content=wav(silence(70)))
        assert answer.status_code == 413
        assert "--api-max-audio-mb" in answer.json()["error"]["message"]
        # Other bodies have a limit of their own.
        assert (await sent(api, content=wav(tone(1)))).json()["text"] == "Sound 1."


async def test_without_a_model_the_command_that_gets_one_is_named(tmp_path: Path) -> None:
    async with served(tmp_path, loader=None) as api:
        answer = await sent(api, model="whisper-1")
        assert (answer.status_code, answer.headers["x-should-retry"]) == (501, "false")
        assert "python3 one_click.py fetch transcription" in answer.json()["error"]["message"]
        assert answer.json()["error"]["code"] == "not_available"


async def test_a_crash_ends_that_request_alone(api: Served) -> None:
    crash = await sent(api, prompt="crash")
    assert (crash.status_code, crash.headers["x-should-retry"]) == (503, "false")
    assert (await sent(api)).json()["text"] == SAYS


async def test_a_crash_within_a_stream_is_an_event(api: Served) -> None:
    answer = await sent(api, prompt="fail", stream="true")
    assert answer.status_code == 200
    assert "Sound 1." in answer.text
    assert '"error"' in answer.text
    assert "transcript.text.done" not in answer.text


async def test_the_official_client_reads_all_of_it(client: AsyncOpenAI) -> None:
    create = client.audio.transcriptions.create
    assert (await create(file=SOUND, model="whisper-1")).text == SAYS
    assert await create(file=("a.wav", SOUND), model="whisper-1", response_format="srt") != ""
    assert await create(file=("a.wav", SOUND), model="whisper-1", response_format="text") == f"{SAYS}\n"
    verbose = await create(
        file=("a.wav", SOUND),
        model="whisper-1",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert verbose.words is not None
    assert [word.word for word in verbose.words] == ["Sound", "1.", "Sound", "2."]
    with pytest.warns(DeprecationWarning, match="deprecated"):
        translation = await client.audio.translations.create(file=("a.wav", SOUND), model="whisper-1")
    assert translation.text == SAYS
    with pytest.raises(BadRequestError) as refusal:
        await create(file=("a.wav", b"no"), model="whisper-1")
    assert refusal.value.param == "file"


async def test_the_official_client_streams(client: AsyncOpenAI) -> None:
    stream = await client.audio.transcriptions.create(
        file=("a.wav", SOUND),
        model="gpt-4o-transcribe",
        stream=True,
        include=["logprobs"],
        chunking_strategy={"type": "server_vad", "threshold": 0.5},
        languages=["en", "de"],
        keywords=["Kepler"],
    )
    async with stream:
        events = [event async for event in stream]
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    end = events[-1]
    assert end.type == "transcript.text.done"
    assert "".join(deltas) == end.text == SAYS


async def test_front_ends_get_what_they_read(api: Served) -> None:
    """Open WebUI, SillyTavern, and LiteLLM, which asks for verbose_json whatever its caller wants."""
    open_webui = await sent(
        api, name="audio.mp3", content=recording("mp3", TWO_SOUNDS), model="whisper-1", language="en"
    )
    assert open_webui.json()["text"] == SAYS
    silly_tavern = await sent(api, "/audio/transcriptions", model="whisper-1", language="en")
    assert silly_tavern.json()["text"] == SAYS
    litellm = await sent(api, model="whisper-1", response_format="verbose_json", timestamp_granularities="segment")
    assert litellm.json()["duration"] == 3.0
