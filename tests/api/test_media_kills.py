"""The process of each kind of media model killed, stopped and taking too much memory while it works: the request is told,
text goes on, the next request of the kind is answered, and an idle kind takes no memory."""

import asyncio
import io
import os
import signal
import sys
import wave
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import pytest

from modules.engine.types import ModelKind
from modules.models.state import Status
from modules.runtime import Runtime
from tests.api.serving import CHAT, Served, says, served, text_of
from tests.backends.diffusers.tiny_folder import write_pipeline
from tests.model_files import KOKORO, WHISPER_BASE, model_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems")

WORDS: Final = "This goes on for as long as anybody listens, and says one thing after the other. "


@dataclass(frozen=True, slots=True)
class Kind:
    """A request that takes long, and one that is answered soon. `changes` are settings."""

    kind: ModelKind
    path: str
    long: Mapping[str, Any]
    short: Mapping[str, Any]
    changes: Mapping[str, Any]


def noise(seconds: int) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(os.urandom(32_000) * seconds)
    return made.getvalue()


def spoken(text: str) -> dict[str, Any]:
    return {"json": {"input": text, "model": "tts-1", "voice": "alloy", "response_format": "wav"}}


def heard(sound: bytes, prompt: str = "") -> dict[str, Any]:
    return {"files": {"file": ("a.wav", sound)}, "data": {"model": "whisper-1", "prompt": prompt}}


def drawn(prompt: str) -> dict[str, Any]:
    return {"json": {"prompt": prompt, "model": "dall-e-3", "size": "64x64"}}


IMAGES: Final = Kind(
    ModelKind.IMAGE, "/v1/images/generations", drawn("stall"), drawn("red"), {"image_model": "scripted-images"}
)
TINY: Final = "tiny-pipeline"
DRAWING: Final = Kind(
    ModelKind.IMAGE,
    "/v1/images/generations",
    {"json": {**drawn("a red circle")["json"], "steps": 100, "size": "256x256"}},
    {"json": {**drawn("a red circle")["json"], "steps": 1}},
    {"image_model": TINY},
)
HEARING: Final = Kind(
    ModelKind.TRANSCRIPTION,
    "/v1/audio/transcriptions",
    heard(noise(3), "stall"),
    heard(noise(1)),
    {"transcription_model": "scripted-transcription"},
)
REAL_SPEECH: Final = Kind(
    ModelKind.SPEECH, "/v1/audio/speech", spoken(WORDS * 40), spoken("Yes."), {"speech_model": KOKORO}
)
REAL_HEARING: Final = Kind(
    ModelKind.TRANSCRIPTION,
    "/v1/audio/transcriptions",
    heard(noise(240)),
    heard(noise(1)),
    {"transcription_model": WHISPER_BASE},
)


EVERY: Final = [IMAGES, DRAWING, REAL_SPEECH, REAL_HEARING]
EVERY_NAME: Final = ["images", "diffusers", "speech", "transcription"]


@asynccontextmanager
async def serving(folder: Path, kind: Kind) -> AsyncIterator[Served]:
    models = folder / "models"
    models.mkdir()
    for name in (KOKORO, WHISPER_BASE):
        if name in kind.changes.values():
            (models / name).symlink_to(model_folder(name))
    if TINY in kind.changes.values():
        write_pipeline(folder / "image_models" / TINY)
    async with served(folder, **kind.changes) as api:
        yield api


async def pid_at_work(runtime: Runtime, kind: ModelKind) -> int:
    """Of the kind's process, when it has begun to work for a request."""
    async with asyncio.timeout(60):
        while True:
            for name in runtime.models._loaded.recent(kind):
                loaded = runtime.models._loaded.live(name)
                if loaded is not None and loaded.is_used and loaded.pid is not None:
                    return loaded.pid
            await asyncio.sleep(0.05)


def to_the_process(number: int, pid: int) -> None:
    os.kill(pid, number)


def to_its_memory(monkeypatch: pytest.MonkeyPatch, _pid: int) -> None:
    """As if it had taken more than it may: its memory is looked at once a tick."""
    monkeypatch.setattr("modules.process.heartbeat.Heartbeat._excess", lambda _self: "takes more memory than it may")


async def hurt(api: Served, kind: Kind, hit: Callable[[int], None]) -> int:
    """The status of a long request whose process is hit."""
    request = asyncio.ensure_future(api.http.post(kind.path, **kind.long))
    pid = await pid_at_work(api.runtime, kind.kind)
    hit(pid)
    try:
        answer = await request
    except httpx.HTTPError:
        # A reply that had begun breaks off.
        return 0
    await until_gone(pid)
    return answer.status_code


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while True:
            if not psutil.pid_exists(pid):
                return
            await asyncio.sleep(0.05)


async def check(folder: Path, kind: Kind, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.process.heartbeat.TICK_SECONDS", 0.1)
    hits = {
        "kill": partial(to_the_process, signal.SIGKILL),
        "stop": partial(to_the_process, signal.SIGSTOP),
        "memory": partial(to_its_memory, monkeypatch),
    }
    async with serving(folder, kind) as api:
        text = asyncio.ensure_future(api.post(CHAT, says("count 300", stream=True)))
        status = await hurt(api, kind, hits[how])
        assert status in {0, 500, 503}
        monkeypatch.undo()
        answer = await api.http.post(kind.path, **kind.short)
        assert answer.status_code == 200, answer.text
        assert text_of((await text).text).split()[-1] == "300"


@pytest.mark.parametrize("kind", [IMAGES, HEARING], ids=["images", "transcription"])
async def test_a_kill_is_told_and_got_over(tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    await check(tmp_path, kind, "kill", monkeypatch)


@pytest.mark.extended
@pytest.mark.parametrize("how", ["kill", "stop", "memory"])
@pytest.mark.parametrize("kind", EVERY, ids=EVERY_NAME)
async def test_each_kind_gets_over_each_end(
    tmp_path: Path, kind: Kind, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await check(tmp_path, kind, how, monkeypatch)


@pytest.mark.extended
@pytest.mark.parametrize("kind", EVERY, ids=EVERY_NAME)
async def test_an_idle_kind_takes_no_memory(tmp_path: Path, kind: Kind) -> None:
    """Ten minutes are a hundredth of a second here."""
    changed = Kind(kind.kind, kind.path, kind.long, kind.short, {**kind.changes, "media_idle_timeout": 0.0002})
    async with serving(tmp_path, changed) as api:
        before = {child.pid for child in psutil.Process().children(recursive=True)}
        assert (await api.http.post(kind.path, **kind.short)).status_code == 200
        async with asyncio.timeout(30), aclosing(api.runtime.models.changes()) as changes:
            async for _ in changes:
                of_kind = [state.status for state in api.runtime.models.models if state.kind is kind.kind]
                if Status.READY not in of_kind:
                    break
        engines = [child for child in psutil.Process().children(recursive=True) if "run_media" in str(child.cmdline())]
        assert not {child.pid for child in engines} - before
