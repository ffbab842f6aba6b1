"""Long recordings are asked in windows, whose segments keep their times."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from modules.backends.transcription import SpokenSegment
from modules.media.transcription import service
from modules.media.transcription.service import Transcribed, TranscriptionRequest
from modules.models.loading import launch_in_process
from modules.runtime import Runtime
from modules.settings.values import Settings
from tests.sound_files import recording, silence, tone, wav


class Upload:
    def __init__(self, content: bytes) -> None:
        self.content = content

    async def read(self, size: int = -1) -> bytes:
        return self.content


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[Runtime]:
    settings = Settings(loader="scripted", user_data_dir=tmp_path)
    async with Runtime(settings, launch=launch_in_process) as runtime:
        yield runtime


async def test_windows_are_joined_without_a_seam(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_WINDOW_SECONDS", 5)
    beat = silence(1.2) + tone(0.8)
    request = TranscriptionRequest(file=Upload(recording("flac", beat * 12)), words=True)
    async with aclosing(runtime.transcription.transcribe(request)) as events:
        *segments, end = [event async for event in events]
    assert end == Transcribed("scripted-transcription", "en", 24.0)
    starts = [round(segment.start, 2) for segment in segments if isinstance(segment, SpokenSegment)]
    # A sound that a window cuts is two; none is lost, none is heard twice.
    wanted = [1.2 + 2 * number for number in range(12)]
    assert all(any(abs(start - each) < 0.05 for start in starts) for each in wanted)
    ends = [segment.end for segment in segments if isinstance(segment, SpokenSegment)]
    assert starts == sorted(starts)
    assert sum(ends) - sum(starts) == pytest.approx(12 * 0.8, abs=0.5)


async def test_a_recording_of_nothing_is_no_text(runtime: Runtime) -> None:
    async with aclosing(runtime.transcription.transcribe(TranscriptionRequest(file=Upload(wav(b""))))) as events:
        assert [event async for event in events] == [Transcribed("scripted-transcription", "", 0.0)]
