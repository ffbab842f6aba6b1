"""Whoever hangs up while a recording is sent, waits or is transcribed leaves nothing behind; who is too many is told so."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.api.serving import RawCall, Served, calling, served
from tests.sound_files import silence, tone, wav

_BOUNDARY: Final = "----part"
_TYPE: Final = {"content-type": f"multipart/form-data; boundary={_BOUNDARY}"}
_PATH: Final = "/v1/audio/transcriptions"
# Large enough to be spooled to disk.
_SOUND: Final = wav(silence(0.5) + tone(0.5) + silence(40) + tone(0.5))


def body(**fields: str) -> bytes:
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    return "".join(parts).encode() + head.encode() + _SOUND + f"\r\n--{_BOUNDARY}--\r\n".encode()


def spooled_files() -> int:
    """Temporary files that this process holds open: they have no name any more."""
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    targets = [os.readlink(link) for link in links if os.path.lexists(link)]
    return sum("(deleted)" in target or "/#" in target for target in targets)


async def is_answered(api: Served) -> bool:
    async with asyncio.timeout(20):
        answer = await api.http.post(_PATH, files={"file": ("a.wav", _SOUND)})
    return bool(answer.json()["text"] == "Sound 1. Sound 2.")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("stream", ["true", "false"])
async def test_a_hang_up_frees_the_model_and_the_file(tmp_path: Path, stream: str) -> None:
    async with served(tmp_path) as api:
        assert await is_answered(api)
        before = spooled_files()
        call = RawCall(api.app, _PATH, body(prompt="stall", stream=stream), _TYPE)
        async with calling(call) as running:
            if stream == "true":
                await call.until_body(b"Sound 1.")
                # It was read when it was its turn.
            call.hang_up()
            await running
        assert spooled_files() == before
        assert await is_answered(api)


async def test_who_is_too_many_is_told_when_to_come_again(tmp_path: Path) -> None:
    async with served(tmp_path, max_queue=0) as api:
        calls = [RawCall(api.app, _PATH, body(prompt="stall", stream="true"), _TYPE) for _ in range(4)]
        runs = [asyncio.create_task(call.run()) for call in calls]
        news = [asyncio.create_task(call.until_body(b"Sound 1.")) for call in calls]
        # Which of them has its turn first is not said; the others hold their places.
        _, waiting = await asyncio.wait(news, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        refused = await api.http.post(_PATH, files={"file": ("a.wav", _SOUND)})
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "queue_full")
        assert int(refused.headers["retry-after"]) > 0
        for call in calls:
            call.hang_up()
        await asyncio.gather(*runs)
        assert await is_answered(api)
