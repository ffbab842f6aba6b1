"""A call with real voices: Whisper hears, the reply is spoken by Kokoro, and the caller's words go on from there."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import av
import pytest
import pytest_asyncio
from av.audio.resampler import AudioResampler
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.chromium import chromium
from tests.browser.sites import scripted_site
from tests.browser.visits import visiting
from tests.model_files import KOKORO, WHISPER_BASE, model_folder
from tests.sound_files import silence, wav

pytestmark = [
    pytest.mark.browser,
    pytest.mark.model,
    pytest.mark.extended,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="session"),
]

_RATE: Final = 48_000
_FOX: Final = Path(__file__).parents[1] / "golden" / "fox.ogg"
_TURNS: Final = 3
# Notes what the page plays, before the page's own scripts run.
_EAR: Final = """
window.played = [];
addEventListener("playing", (event) => window.played.push(event.target.currentSrc), true);
"""


def fox() -> bytes:
    """16-bit samples of the sentence."""
    resampler = AudioResampler(format="s16", layout="mono", rate=_RATE)
    samples = bytearray()
    with av.open(io.BytesIO(_FOX.read_bytes()), "r") as file:
        for frame in file.decode(audio=0):
            frame.pts = None
            for out in resampler.resample(frame):
                samples += bytes(out.planes[0])[: out.samples * 2]
    return bytes(samples)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hearing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    file = tmp_path_factory.mktemp("microphone") / "said.wav"
    file.write_bytes(wav(silence(2, rate=_RATE) + fox() + silence(22, rate=_RATE), rate=_RATE))
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    allowed = "--autoplay-policy=no-user-gesture-required"
    async with chromium(*flags, allowed, f"--use-file-for-fake-audio-capture={file}") as running:
        yield running


async def test_three_turns_are_heard_and_spoken(hearing: Browser, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for name in (KOKORO, WHISPER_BASE):
        (models / name).symlink_to(model_folder(name))
    async with scripted_site(tmp_path) as site, visiting(hearing, site.url, permissions=["microphone"]) as page:
        await page.add_init_script(_EAR)
        await page.reload()
        chat = ChatPage(page)
        await expect(chat.chosen).to_have_count(1)
        await chat.new()
        await page.click("#call")
        await expect(chat.sent).to_have_count(_TURNS, timeout=200_000)
        await page.wait_for_function(f"window.played.length >= {_TURNS - 1}", timeout=40_000)
        await page.click("#call")
        await expect(page.locator("#voice-line")).to_have_count(0)
        said = await chat.sent.all_inner_texts()
        # Who interrupts is heard from the first word but one.
        assert all("brown fox jumps over the lazy dog" in text.lower() for text in said), said
