"""Media engines in the pool: each in a process of its own, asked by its own messages, loaded and unloaded like any model."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil
import pytest

from modules.engine.protocols import MediaEngine
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import BadRequest, EngineFailed, LoadFailed, NoRoom, NotInstalled
from modules.models.loading import Candidate, launch_engine, launch_in_process
from modules.models.pool import ModelPool
from modules.models.state import Status
from modules.settings.values import settings_with
from tests.backends.toy_media import WITH_MEDIA, Count, Fail, Piece, Say, TakeMemory
from tests.models.launches import FixedGauge
from tests.models.watching import PLAIN, answerer, say, state_of

KIND: Final = settings_with(WITH_MEDIA)
PIECES: Final = msgspec.msgpack.Decoder(Piece)
SPEECH: Final = ModelKind.SPEECH
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems")


async def launch(spec: LoadSpec) -> Candidate:
    return await (launch_engine(spec, backends=WITH_MEDIA) if spec.kind.is_media else launch_in_process(spec))


@asynccontextmanager
async def pool_in(folder: Path, *, gauge: Any = None, **changes: Any) -> AsyncIterator[ModelPool]:
    """With the scripted chat model, and two voices."""
    for name in ("anna.voice", "bert.voice"):
        (folder / name).write_text(f"voice of {name}", encoding="utf-8")
    values = {"user_data_dir": folder, "model_dir": folder, "loader": "scripted", **changes}
    settings = KIND.model_validate(values)
    pool = ModelPool(settings, settings.user_data, launch, drain_seconds=0.05, gauge=gauge and gauge(settings))
    try:
        pool.start()
        yield pool
    finally:
        await pool.aclose()


async def spoken(pool: ModelPool, name: str | None, text: str = "one two") -> tuple[str, str]:
    """The voice and the words."""
    async with pool.lease(name, kind=SPEECH) as engine, aclosing(engine.stream(Say(text), PIECES)) as stream:
        pieces = [piece async for piece in stream]
    return pieces[-1].voice, " ".join(piece.sound.decode() for piece in pieces)


def pid_of(engine: MediaEngine) -> int:
    pid: Any = engine
    return int(pid.pid)


async def test_it_answers_by_any_name_and_by_its_own(tmp_path: Path) -> None:
    async with pool_in(tmp_path, speech_model="bert", image_model="toy-image") as pool:
        assert await spoken(pool, "tts-1") == ("voice of bert.voice", "one two")
        assert (await spoken(pool, None))[0] == "voice of bert.voice"
        assert (await spoken(pool, "anna"))[0] == "voice of anna.voice"
        async with pool.lease("anna", kind=SPEECH) as engine:
            assert await engine.ask(Say("once"), PIECES) == Piece(b"once", "voice of anna.voice")
            assert engine.card.kind is SPEECH
        assert [pool.kind_of(name) for name in pool.list_models()] == [
            ModelKind.CHAT,
            SPEECH,
            SPEECH,
            ModelKind.IMAGE,
        ]


async def test_what_an_operator_loads_answers_from_then_on(tmp_path: Path) -> None:
    async with pool_in(tmp_path, speech_model="bert") as pool:
        await pool.load("anna.voice", PLAIN)
        assert (await spoken(pool, "tts-1"))[0] == "voice of anna.voice"
        # The loader of chat models is not for it.
        assert state_of(pool, "anna.voice").card is not None
        await pool.unload("anna.voice")
        assert (await spoken(pool, "tts-1"))[0] == "voice of bert.voice"
        assert pool.state.name == "scripted"
        assert pool.state.status is Status.READY


async def test_what_it_refuses_and_where_it_fails_leaves_it_alive(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool, pool.lease(None, kind=SPEECH) as engine:
        with pytest.raises(BadRequest, match="nothing to say"):
            await engine.ask(Say(""), PIECES)
        with pytest.raises(EngineFailed, match=r"anna.voice could not do what was asked"):
            await engine.ask(Fail(), PIECES)
        with pytest.raises(EngineFailed, match="answered 2 times"):
            await engine.ask(Say("one two"), PIECES)
        assert (await engine.ask(Say("still"), PIECES)).sound == b"still"


async def test_closing_a_stream_frees_the_engine(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool, pool.lease(None, kind=SPEECH) as engine:
        async with aclosing(engine.stream(Count(), PIECES)) as endless:
            await anext(endless)
        assert (await engine.ask(Say("next"), PIECES)).sound == b"next"


async def test_who_hangs_up_leaves_the_queue(tmp_path: Path) -> None:
    async with pool_in(tmp_path, max_queue=1) as pool, pool.lease(None, kind=SPEECH) as engine:
        async with aclosing(engine.stream(Count(), PIECES)) as endless:
            await anext(endless)
            waiting = asyncio.create_task(engine.ask(Say("waits"), PIECES))
            await asyncio.sleep(0)
            with pytest.raises(Exception, match=r"2 requests wait for anna.voice already"):
                await engine.ask(Say("too many"), PIECES)
            waiting.cancel()
            await asyncio.wait([waiting])
            waiting = asyncio.create_task(engine.ask(Say("waits"), PIECES))
        assert (await waiting).sound == b"waits"


async def killed(engine: MediaEngine) -> None:
    os.kill(pid_of(engine), signal.SIGKILL)


async def stopped(engine: MediaEngine) -> None:
    os.kill(pid_of(engine), signal.SIGSTOP)


async def untouched(_engine: MediaEngine) -> None:
    pass


@POSIX
@pytest.mark.parametrize(
    ("question", "hit", "reason"),
    [
        (Count(), killed, "ended unexpectedly"),
        (Count(), stopped, "does not respond"),
        (TakeMemory(), untouched, "takes more memory than it may"),
    ],
)
async def test_its_end_is_nobodys_else(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    question: msgspec.Struct,
    hit: Callable[[MediaEngine], Awaitable[None]],
    reason: str,
) -> None:
    monkeypatch.setattr("modules.process.heartbeat.TICK_SECONDS", 0.1)
    async with pool_in(tmp_path) as pool, pool.lease(None) as chat:
        async with pool.lease(None, kind=SPEECH) as engine:
            stream = engine.stream(question, PIECES)
            async with aclosing(stream):
                await anext(stream)
                await hit(engine)
                with pytest.raises(EngineFailed, match=reason):
                    async for _ in stream:
                        pass
            assert not engine.is_alive
        assert state_of(pool, "anna.voice").status is Status.FAILED
        assert await say(chat, "echo: unharmed") == "unharmed"
        assert (await spoken(pool, None))[1] == "one two"
        assert state_of(pool, "anna.voice").status is Status.READY


async def test_it_leaves_when_it_was_idle_and_comes_back(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        async with pool.lease(None, kind=SPEECH, keep_alive=0) as engine:
            pid = pid_of(engine)
        async with asyncio.timeout(10), aclosing(pool.changes()) as changes:
            async for state in changes:
                if state.kind is SPEECH and state.status is Status.EMPTY:
                    break
        assert not psutil.pid_exists(pid)
        assert (await spoken(pool, "anna"))[1] == "one two"


async def test_it_tells_how_far_a_load_is(tmp_path: Path) -> None:
    seen: list[tuple[Status, float]] = []
    note = seen.append

    async def watch(pool: ModelPool) -> None:
        async with aclosing(pool.changes()) as changes:
            async for state in changes:
                if state.name == "anna.voice":
                    note((state.status, state.progress))

    async with pool_in(tmp_path) as pool:
        watching = asyncio.create_task(watch(pool))
        await spoken(pool, "anna")
        await asyncio.sleep(0)
        watching.cancel()
    assert seen[0] == (Status.LOADING, 0.0)
    assert seen[-1] == (Status.READY, 1.0)
    assert any(status is Status.LOADING and progress > 0 for status, progress in seen)


async def test_its_memory_counts_as_measured(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        async with pool.lease("anna", kind=SPEECH) as engine:
            resident = psutil.Process(pid_of(engine)).memory_info().rss
        assert resident / 3 < state_of(pool, "anna.voice").memory <= resident * 1.1


async def test_it_makes_room_and_is_made_room_for(tmp_path: Path) -> None:
    def gauge(settings: Any) -> FixedGauge:
        return _Gauge(settings, {"scripted": 1, "anna.voice": 2, "bert.voice": 2, "huge.voice": 9})

    async with pool_in(tmp_path, gauge=gauge, models_memory=4) as pool:
        assert await answerer(pool, None) == "scripted"
        await spoken(pool, "anna")
        await spoken(pool, "bert")
        assert state_of(pool, "scripted").status is Status.EMPTY
        assert state_of(pool, "anna.voice").status is Status.READY
        (tmp_path / "huge.voice").write_text("voice of a giant", encoding="utf-8")
        with pytest.raises(NoRoom, match=r"not enough memory for huge.voice"):
            await spoken(pool, "huge")
        # The chat model had left for voices, and comes back.
        assert await answerer(pool, None) == "scripted"
        assert state_of(pool, "anna.voice").status is Status.EMPTY


async def test_a_pinned_one_stays(tmp_path: Path) -> None:
    async with pool_in(tmp_path, pin=["anna"]) as pool:
        async with pool.lease("anna", kind=SPEECH, keep_alive=0) as engine:
            pass
        await spoken(pool, "bert")
        assert engine.is_alive


async def test_what_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        (tmp_path / "broken.voice").write_text("noise", encoding="utf-8")
        with pytest.raises(LoadFailed, match=r"broken.voice is damaged"):
            await spoken(pool, "broken")
        with pytest.raises(BadRequest, match="a model for speech, not for image"):
            async with pool.lease("anna", kind=ModelKind.IMAGE):
                pass
    async with pool_in(tmp_path, loader="llama.cpp") as pool:
        with pytest.raises(NotInstalled, match=r"`python3 one_click.py fetch transcription`"):
            async with pool.lease("whisper-1", kind=ModelKind.TRANSCRIPTION):
                pass


async def test_a_missing_package_names_the_command(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool:
        for name in ("dall-e-3", "toy-image"):
            with pytest.raises(
                NotInstalled, match=r"toy image loader is not installed .* `python3 one_click.py fetch image`"
            ):
                async with pool.lease(name, kind=ModelKind.IMAGE):
                    pass


@pytest.mark.parametrize(
    ("name", "reason"), [("none", None), ("nobody", "is not in the model folder"), ("anna", "a model for speech")]
)
async def test_a_default_that_is_not_there(tmp_path: Path, name: str, reason: str | None) -> None:
    async with pool_in(tmp_path, image_model=name) as pool:
        expected = rf"--image-model .*{reason}" if reason else "is not installed"
        with pytest.raises(NotInstalled, match=expected):
            async with pool.lease("dall-e-3", kind=ModelKind.IMAGE):
                pass


async def test_models_for_images_have_a_folder_of_their_own(tmp_path: Path) -> None:
    pipeline = tmp_path / "image_models" / "painter"
    (pipeline / "unet").mkdir(parents=True)
    (pipeline / "model_index.json").touch()
    (pipeline / "unet" / "weights.gguf").touch()
    (tmp_path / "image_models" / "other.gguf").touch()
    (tmp_path / "models").mkdir()
    async with pool_in(tmp_path, model_dir=None, loader=None) as pool:
        assert pool.list_models() == ["painter"]
        assert pool.kind_of("painter") is ModelKind.IMAGE


async def test_it_is_offline_and_polite(tmp_path: Path) -> None:
    async with pool_in(tmp_path) as pool, pool.lease(None, kind=SPEECH) as engine:
        process = psutil.Process(pid_of(engine))
        variables = process.environ()
        assert variables["HF_HUB_OFFLINE"] == variables["TRANSFORMERS_OFFLINE"] == variables["DO_NOT_TRACK"] == "1"
        assert int(variables["OMP_NUM_THREADS"]) >= 1
        if sys.platform != "win32":
            assert process.nice() >= psutil.Process().nice() + 10


class _Gauge(FixedGauge):
    """What was expected is what is taken."""

    def taken(self, pid: int) -> int:
        return 0
