"""Loading, swapping, leasing, losing and getting back the model."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from modules.errors import BadRequest, EngineFailed, LoadFailed, NotFound, NotLoaded, SettingsError
from modules.models.catalog import AdapterCatalog, Catalog
from modules.models.options import LoadOptions
from modules.models.pool import ModelPool
from modules.models.state import Status
from tests.models.launches import Launches, scripted_pool
from tests.models.watching import PLAIN, say, until


@pytest.fixture
def launches() -> Launches:
    return Launches()


@pytest.fixture
async def manager(tmp_path: Path, launches: Launches) -> AsyncIterator[ModelPool]:
    manager = scripted_pool(tmp_path, launches)
    yield manager
    await manager.aclose()


async def break_engine(manager: ModelPool) -> None:
    with pytest.raises(EngineFailed):
        async with manager.lease(None) as engine:
            await say(engine, "fail")


async def test_nothing_is_loaded_at_first(manager: ModelPool) -> None:
    assert manager.state.status is Status.EMPTY
    with pytest.raises(NotLoaded, match="--model"):
        async with manager.lease("a.gguf"):
            pass


async def test_loaded_model_is_leased_under_any_name(manager: ModelPool) -> None:
    card = await manager.load("a.gguf", PLAIN)
    assert card.name == "a.gguf"
    for name in (None, "a.gguf", "gpt-4o"):
        async with manager.lease(name) as engine:
            assert await say(engine, "echo: hi") == "hi"
    state = manager.state
    assert (state.status, state.name, state.card, state.progress) == (Status.READY, "a.gguf", card, 1.0)
    assert state.loaded_at > 0


async def test_load_options_reach_the_engine_and_do_not_stay(manager: ModelPool) -> None:
    assert (await manager.load("a.gguf", LoadOptions.parse({"n_ctx": 1024, "parallel": 2}))).context == 1024
    card = await manager.load("a.gguf", PLAIN)
    assert (card.context, card.parallel) == (8192, 8)


async def test_unknown_name_leaves_the_model_loaded(manager: ModelPool, launches: Launches) -> None:
    await manager.load("a.gguf", PLAIN)
    with pytest.raises(NotFound, match=r"did you mean b\.gguf"):
        await manager.load("bb.gguf", PLAIN)
    assert manager.state.name == "a.gguf"
    assert launches.probed == ["a.gguf"]


async def test_bad_file_leaves_the_old_model_serving(manager: ModelPool, launches: Launches) -> None:
    await manager.load("a.gguf", PLAIN)
    launches.bad_files.add("b.gguf")
    async with manager.lease(None) as engine:
        with pytest.raises(LoadFailed, match="is no model"):
            await manager.load("b.gguf", PLAIN)
        assert await say(engine, "echo: still here") == "still here"
    assert (manager.state.status, manager.state.name) == (Status.READY, "a.gguf")


async def test_bad_first_file_is_told_to_later_requests(manager: ModelPool, launches: Launches) -> None:
    launches.bad_files.add("a.gguf")
    with pytest.raises(LoadFailed):
        await manager.load("a.gguf", PLAIN)
    assert manager.state.status is Status.FAILED
    with pytest.raises(NotLoaded, match="is no model"):
        async with manager.lease(None):
            pass
    assert launches.probed == ["a.gguf"]


async def test_swap_lets_a_running_stream_end(manager: ModelPool, launches: Launches) -> None:
    await manager.load("a.gguf", PLAIN)
    async with manager.lease(None) as old:
        swap = asyncio.create_task(manager.load("b.gguf", PLAIN))
        await until(manager, Status.LOADING)
        assert await say(old, "count 3") == "1 2 3"
        assert launches.loaded == ["a.gguf"]
        assert not swap.done()
    assert (await swap).name == "b.gguf"
    assert not old.is_alive
    assert launches.loaded == ["a.gguf", "b.gguf"]


async def test_swap_does_not_wait_for_ever(tmp_path: Path, launches: Launches) -> None:
    manager = scripted_pool(tmp_path, launches, drain_seconds=0.05)
    await manager.load("a.gguf", PLAIN)
    async with manager.lease(None) as old:
        stream = asyncio.create_task(say(old, "stall"))
        assert (await manager.load("b.gguf", PLAIN)).name == "b.gguf"
        with pytest.raises(EngineFailed):
            await stream
    await manager.aclose()


async def test_request_during_a_swap_waits_for_the_new_model(manager: ModelPool, launches: Launches) -> None:
    await manager.load("a.gguf", PLAIN)
    launches.gate.clear()
    swap = asyncio.create_task(manager.load("b.gguf", PLAIN))
    await until(manager, Status.LOADING)

    async def ask() -> str:
        async with manager.lease(None) as engine:
            return engine.card.name

    questions = [asyncio.create_task(ask()) for _ in range(5)]
    await asyncio.sleep(0)
    assert not any(question.done() for question in questions)
    launches.gate.set()
    assert await asyncio.gather(*questions) == ["b.gguf"] * 5
    await swap


async def test_failure_after_the_old_model_was_closed_says_so(manager: ModelPool, launches: Launches) -> None:
    await manager.load("a.gguf", PLAIN)
    launches.too_big.add("b.gguf")
    with pytest.raises(LoadFailed, match=r"does not fit into memory\. a\.gguf had been unloaded"):
        await manager.load("b.gguf", PLAIN)
    assert (manager.state.status, manager.state.name) == (Status.FAILED, "b.gguf")
    async with manager.lease(None) as engine:
        assert engine.card.name == "a.gguf"
    assert manager.state.status is Status.READY


async def test_loads_happen_one_after_the_other(manager: ModelPool, launches: Launches) -> None:
    cards = await asyncio.gather(manager.load("a.gguf", PLAIN), manager.load("b.gguf", PLAIN))
    assert [card.name for card in cards] == ["a.gguf", "b.gguf"]
    assert [engine.is_alive for engine in launches.engines] == [False, True]
    assert manager.state.name == "b.gguf"


async def test_caller_who_goes_away_does_not_stop_a_load(manager: ModelPool, launches: Launches) -> None:
    launches.gate.clear()
    caller = asyncio.create_task(manager.load("a.gguf", PLAIN))
    await until(manager, Status.LOADING)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    launches.gate.set()
    await until(manager, Status.READY)


async def test_dead_engine_is_replaced_once_for_all_who_ask(manager: ModelPool, launches: Launches) -> None:
    await manager.load("a.gguf", LoadOptions.parse({"ctx_size": 512}))
    await break_engine(manager)
    assert manager.state.status is Status.FAILED
    assert "loads the model again" in (manager.state.message or "")

    async def ask() -> str:
        async with manager.lease(None) as engine:
            return await say(engine, "echo: back")

    assert await asyncio.gather(*(ask() for _ in range(4))) == ["back"] * 4
    assert len(launches.engines) == 2
    assert manager.state.card is not None
    assert manager.state.card.context == 512


async def test_reload_that_fails_is_told_to_all_and_tried_again_later(manager: ModelPool, launches: Launches) -> None:
    await manager.load("a.gguf", PLAIN)
    await break_engine(manager)
    launches.bad_files.add("a.gguf")

    async def ask() -> str:
        async with manager.lease(None) as engine:
            return engine.card.name

    answers = await asyncio.gather(*(ask() for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [LoadFailed] * 3
    assert launches.probed == ["a.gguf", "a.gguf"]
    launches.bad_files.clear()
    assert await ask() == "a.gguf"


async def test_client_who_hangs_up_does_not_stop_a_reload(manager: ModelPool, launches: Launches) -> None:
    await manager.load("a.gguf", PLAIN)
    await break_engine(manager)
    launches.gate.clear()

    async def ask() -> str:
        async with manager.lease(None) as engine:
            return engine.card.name

    impatient, patient = asyncio.create_task(ask()), asyncio.create_task(ask())
    await until(manager, Status.LOADING)
    impatient.cancel()
    launches.gate.set()
    assert await patient == "a.gguf"
    assert impatient.cancelled()
    assert len(launches.engines) == 2


async def test_unload_closes_and_forgets(manager: ModelPool, launches: Launches) -> None:
    await manager.load("a.gguf", PLAIN)
    await manager.unload()
    assert not launches.engines[0].is_alive
    assert (manager.state.status, manager.state.name) == (Status.EMPTY, None)
    with pytest.raises(NotLoaded):
        async with manager.lease(None):
            pass


async def test_unload_with_nothing_loaded_is_harmless(manager: ModelPool) -> None:
    await manager.unload()
    assert manager.state.status is Status.EMPTY


async def test_idle_model_is_unloaded_and_comes_back_once(tmp_path: Path, launches: Launches) -> None:
    manager = scripted_pool(tmp_path, launches, idle_timeout=0.05 / 60)
    await manager.load("a.gguf", PLAIN)
    await until(manager, Status.EMPTY)
    assert (manager.state.name, manager.state.card) == ("a.gguf", launches.engines[0].card)
    assert not launches.engines[0].is_alive

    async def ask() -> str:
        async with manager.lease(None) as engine:
            return await say(engine, "echo: again")

    assert await asyncio.gather(*(ask() for _ in range(4))) == ["again"] * 4
    assert launches.loaded == ["a.gguf"] * 2
    await manager.aclose()


async def test_used_model_is_not_idle(tmp_path: Path, launches: Launches) -> None:
    manager = scripted_pool(tmp_path, launches, idle_timeout=0.02 / 60)
    await manager.load("a.gguf", PLAIN)
    async with manager.lease(None) as engine:
        assert await say(engine, "slow 5") == "abcde"
        assert engine.is_alive
    await until(manager, Status.EMPTY)
    await manager.aclose()


async def test_start_loads_in_the_background(tmp_path: Path, launches: Launches) -> None:
    manager = scripted_pool(tmp_path, launches, model="anything")
    launches.gate.clear()
    manager.start()
    assert (manager.state.status, manager.state.name) == (Status.LOADING, "anything")
    await until_progress(manager, 0.5)
    launches.gate.set()
    async with manager.lease(None) as engine:
        assert engine.card.name == "anything"
    await manager.aclose()


async def until_progress(manager: ModelPool, progress: float) -> None:
    async with asyncio.timeout(10), aclosing(manager.changes()) as changes:
        async for state in changes:
            if state.progress >= progress:
                return


async def test_start_refuses_a_model_that_is_not_there(tmp_path: Path, launches: Launches) -> None:
    manager = scripted_pool(tmp_path, launches, loader="llama.cpp", model="typo.gguf")
    with pytest.raises(SettingsError, match="--model"):
        manager.start()


async def test_closing_while_loading_leaves_nothing(tmp_path: Path, launches: Launches) -> None:
    manager = scripted_pool(tmp_path, launches)
    launches.gate.clear()
    loading = asyncio.create_task(manager.load("a.gguf", PLAIN))
    await until(manager, Status.LOADING)
    await manager.aclose()
    with pytest.raises(NotLoaded, match="shutting down"):
        await loading
    assert launches.engines == []


async def test_closing_during_a_drain_gives_the_candidate_up(tmp_path: Path, launches: Launches) -> None:
    manager = scripted_pool(tmp_path, launches)
    await manager.load("a.gguf", PLAIN)
    async with manager.lease(None):
        swap = asyncio.create_task(manager.load("b.gguf", PLAIN))
        await until(manager, Status.LOADING)
        await manager.aclose()
        with pytest.raises(NotLoaded):
            await swap
    assert launches.given_up == ["b.gguf"]
    assert not launches.engines[0].is_alive


async def test_scripted_loader_needs_no_file(manager: ModelPool) -> None:
    assert manager.list_models() == ["scripted", "a.gguf", "b.gguf"]
    assert (await manager.load("scripted", PLAIN)).name == "scripted"


async def test_unfit_options_are_refused_before_anything_happens(manager: ModelPool, launches: Launches) -> None:
    with pytest.raises(BadRequest):
        await manager.load("a.gguf", LoadOptions.parse({"ctx_size": -1}))
    assert launches.probed == []


async def test_unloading_breaks_a_load_off_at_once(manager: ModelPool, launches: Launches) -> None:
    launches.gate.clear()
    loading = asyncio.create_task(manager.load("a.gguf", PLAIN))
    await until(manager, Status.LOADING)
    waiting = asyncio.create_task(manager.load("b.gguf", PLAIN))
    while len(manager._loads) < 2:  # noqa: ASYNC110 - nobody is told who waits
        await asyncio.sleep(0)
    await manager.unload()
    assert manager.state.status is Status.EMPTY
    for task in (loading, waiting):
        with pytest.raises(NotLoaded, match="broken off"):
            await task
    launches.gate.set()
    await manager.load("b.gguf", PLAIN)
    assert launches.loaded == ["b.gguf"]


async def test_the_disk_is_read_beside_the_event_loop(manager: ModelPool, monkeypatch: pytest.MonkeyPatch) -> None:
    here, threads = threading.get_ident(), set()
    for kind in (Catalog, AdapterCatalog):
        find = kind.find

        def watched(self: Any, name: str, find: Any = find) -> Any:
            threads.add(threading.get_ident())
            return find(self, name)

        monkeypatch.setattr(kind, "find", watched)
    await manager.load("a.gguf", PLAIN)
    with pytest.raises(NotFound):
        await manager.apply_adapters(["none"])
    assert threads
    assert here not in threads
