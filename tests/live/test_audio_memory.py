"""What the process tree weighs after many recordings were spoken and written down."""

from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest
import pytest_asyncio

from tests.live.server import LiveServer, launch
from tests.model_files import KOKORO, WHISPER_BASE, model_folder

pytestmark = [pytest.mark.live, pytest.mark.model, pytest.mark.extended, pytest.mark.asyncio(loop_scope="module")]

# The longest comes first: what a model computes with grows with it.
TEXTS: Final = (
    "The children ran into the garden, where the old apple tree stood, and looked for the ball. " * 3,
    "The train leaves at half past seven. It is never late.",
    "Thank you.",
)
VOICES: Final = ("af_heart", "am_michael", "bf_emma")
FORMS: Final = ("mp3", "opus", "aac", "flac", "wav", "pcm")
SPOKEN: Final = 50
WRITTEN: Final = 20
GROWTH_MIB: Final = 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    folder = tmp_path_factory.mktemp("audio") / "user_data"
    models = folder / "models"
    models.mkdir(parents=True)
    for name in (KOKORO, WHISPER_BASE):
        (models / name).symlink_to(model_folder(name))
    server = launch(folder, "--nowebui", "--loader", "scripted")
    try:
        await server.until_listening()
        await server.until_healthy()
        yield server
        await server.stop()
    finally:
        server.kill()


async def speak(http: httpx.AsyncClient, number: int, form: str = "") -> bytes:
    fields = {"voice": VOICES[number % len(VOICES)], "response_format": form or FORMS[number % len(FORMS)]}
    answer = await http.post("/v1/audio/speech", json={"input": TEXTS[number % len(TEXTS)], **fields})
    assert answer.status_code == 200, answer.text
    return answer.content


async def write_down(http: httpx.AsyncClient, sound: bytes, number: int) -> None:
    fields = {"response_format": "verbose_json"} if number % 2 else {"stream": "true"}
    answer = await http.post("/v1/audio/transcriptions", files={"file": ("a.wav", sound)}, data=fields)
    assert answer.status_code == 200, answer.text
    assert "train" in answer.text


@pytest.mark.timeout(600)
async def test_speech_leaves_memory_as_it_was(server: LiveServer) -> None:
    async with server.client() as http:
        for number in range(2 * len(FORMS)):
            await speak(http, number)
        warm, processes = server.memory_mib(), len(server.processes())
        for number in range(SPOKEN):
            await speak(http, number)
        assert server.memory_mib() - warm < GROWTH_MIB
        assert len(server.processes()) == processes


@pytest.mark.timeout(600)
async def test_transcription_leaves_memory_as_it_was(server: LiveServer) -> None:
    async with server.client() as http:
        sound = await speak(http, 1, "wav")
        for number in range(4):
            await write_down(http, sound, number)
        processes = await server.until(lambda: len(server.processes()))
        warm = server.memory_mib()
        for number in range(WRITTEN):
            await write_down(http, sound, number)
        # Each recording is decoded by a process of its own, which ends by itself.
        await server.until(lambda: len(server.processes()) <= processes)
        assert server.memory_mib() - warm < GROWTH_MIB
