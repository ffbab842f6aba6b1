"""Several models at once: who answers, who leaves, who waits, who is refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from modules.errors import EngineFailed, LoadFailed, NoRoom, NotFound, NotLoaded, SettingsError
from modules.models.options import LoadOptions
from modules.models.pool import ModelPool
from modules.models.state import Status
from tests.models.launches import Launches, pool_of_several
from tests.models.watching import PLAIN, A, B, C, D, answerer, loaded, say, state_of, until_loaded


@pytest.fixture
def launches() -> Launches:
    return Launches()


@pytest.fixture
async def pool(tmp_path: Path, launches: Launches) -> AsyncIterator[ModelPool]:
    pool = pool_of_several(tmp_path, launches)
    yield pool
    await pool.aclose()


async def turns(count: int = 20) -> None:
    """Lets tasks that can go on do so."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_each_request_is_answered_by_the_model_it_names(pool: ModelPool, launches: Launches) -> None:
    names = [A, B, A, "b", B, "a"]
    assert [await answerer(pool, name) for name in names] == [A, B, A, B, B, A]
    assert launches.loaded == [A, B]
    assert loaded(pool) == {A, B}


async def test_other_names_mean_the_first_model(tmp_path: Path, launches: Launches) -> None:
    pool = pool_of_several(tmp_path, launches, model=A)
    pool.start()
    assert await answerer(pool, B) == B
    assert [await answerer(pool, name) for name in ("gpt-4o", None, "", "scripted-x")] == [A] * 4
    assert pool.state.name == A
    await answerer(pool, C)
    await answerer(pool, D)
    assert loaded(pool) == {C, D}
    assert await answerer(pool, "gpt-4o") == A
    await pool.aclose()


async def test_without_a_first_model_the_one_that_was_loaded_last_answers(pool: ModelPool) -> None:
    with pytest.raises(NotLoaded):
        await answerer(pool, "gpt-4o")
    await pool.load(A, PLAIN)
    await pool.load(B, PLAIN)
    await answerer(pool, A)
    assert await answerer(pool, "gpt-4o") == B


async def test_the_least_recently_used_leaves(pool: ModelPool) -> None:
    for name in (A, B, A, C):
        await answerer(pool, name)
    assert loaded(pool) == {A, C}
    assert (state_of(pool, B).status, state_of(pool, B).card is not None) == (Status.EMPTY, True)


async def test_use_counts_until_the_end_of_a_reply(pool: ModelPool) -> None:
    async with pool.lease(A):
        await answerer(pool, B)
    await answerer(pool, C)
    assert loaded(pool) == {A, C}


async def test_no_reply_is_cut_for_another_model(pool: ModelPool) -> None:
    async with pool.lease(A) as first, pool.lease(B) as second:
        third = asyncio.create_task(answerer(pool, C))
        load = asyncio.create_task(pool.load(D, PLAIN))
        await asyncio.sleep(0.2)
        assert [await say(engine, "echo: on") for engine in (first, second)] == ["on", "on"]
        assert not third.done()
    assert await third == C
    assert (await load).name == D


async def test_who_needs_room_is_not_overtaken_by_requests_for_loaded_models(pool: ModelPool) -> None:
    """Requests for A and B never stop. C gets its turn as soon as the replies that were under way have ended."""
    await answerer(pool, A)
    await answerer(pool, B)
    begun = asyncio.Event()
    order: list[str] = []

    async def keep_busy(name: str) -> None:
        while C not in order:
            async with pool.lease(name):
                begun.set()
                order.append(name)
                await asyncio.sleep(0.01)

    busy = [asyncio.create_task(keep_busy(name)) for name in (A, A, A, B, B, B)]
    await begun.wait()
    order.append(await answerer(pool, C))
    await asyncio.wait_for(asyncio.gather(*busy), 10)
    assert order.count(C) == 1
    assert {A, B} <= set(order)


async def test_who_is_held_back_has_its_turn_next(pool: ModelPool) -> None:
    async with pool.lease(A), pool.lease(B):
        order: list[str] = []

        async def ask(name: str) -> None:
            async with pool.lease(name):
                order.append(name)

        waiting = [asyncio.create_task(ask(C))]
        await asyncio.sleep(0.05)
        waiting += [asyncio.create_task(ask(A)), asyncio.create_task(ask(B))]
        await asyncio.sleep(0.05)
        # One of them has to leave, and is held; the other one answers meanwhile.
        assert len(order) == 1
    await asyncio.wait_for(asyncio.gather(*waiting), 10)
    assert sorted(order) == [A, B, C]


async def test_one_load_for_all_who_wait(pool: ModelPool, launches: Launches) -> None:
    launches.gate.clear()
    asking = [asyncio.create_task(answerer(pool, name)) for name in (A, "a", A, A)]
    await turns()
    launches.gate.set()
    assert await asyncio.gather(*asking) == [A] * 4
    assert launches.loaded == [A]


async def test_who_waited_for_a_model_gets_it_before_it_may_leave(tmp_path: Path, launches: Launches) -> None:
    pool = pool_of_several(tmp_path, launches, models_max=1, model_swap=True)
    names = [A, B, C, D] * 5
    assert await asyncio.gather(*(answerer(pool, name) for name in names)) == names
    assert len(launches.loaded) < len(names) // 2
    await pool.aclose()


async def test_a_waiter_who_hangs_up_leaves_no_use_behind(pool: ModelPool, launches: Launches) -> None:
    launches.gate.clear()
    asking = [asyncio.create_task(answerer(pool, A)) for _ in range(3)]
    await turns()
    asking[0].cancel()
    launches.gate.set()
    assert (await asyncio.gather(*asking, return_exceptions=True))[1:] == [A, A]
    for name in (B, C, D):
        assert await asyncio.wait_for(answerer(pool, name), 10) == name
    assert loaded(pool) == {C, D}


async def test_without_swaps_requests_reach_what_is_loaded_and_load_nothing(tmp_path: Path, launches: Launches) -> None:
    pool = pool_of_several(tmp_path, launches, model=A, model_swap=False)
    pool.start()
    await pool.load(B, PLAIN)
    assert [await answerer(pool, name) for name in (A, B, "b", C, "gpt-4o")] == [A, B, B, A, A]
    await pool.load(C, PLAIN)
    assert launches.loaded == [A, B, C]
    await pool.unload()
    with pytest.raises(NotLoaded):
        await answerer(pool, A)
    await pool.aclose()


async def test_a_load_adds_a_model_with_options_of_its_own(pool: ModelPool, launches: Launches) -> None:
    await pool.load(A, LoadOptions.parse({"ctx_size": 512}))
    await pool.load(B, PLAIN)
    async with pool.lease(A) as a, pool.lease(B) as b:
        assert (a.card.context, b.card.context) == (512, 8192)
    await answerer(pool, C)
    await answerer(pool, D)
    async with pool.lease(A) as a:
        assert a.card.context == 512


async def test_loading_a_model_again_replaces_it_alone(pool: ModelPool, launches: Launches) -> None:
    await pool.load(A, PLAIN)
    await pool.load(B, PLAIN)
    async with pool.lease(B) as b:
        assert (await pool.load(A, LoadOptions.parse({"ctx_size": 512}))).context == 512
        assert await say(b, "echo: on") == "on"
    assert launches.loaded == [A, B, A]


async def test_one_model_is_unloaded(pool: ModelPool) -> None:
    await pool.load(A, PLAIN)
    await pool.load(B, PLAIN)
    async with pool.lease(B) as b:
        await pool.unload("a")
        assert await say(b, "echo: on") == "on"
    assert loaded(pool) == {B}
    await pool.unload(A)
    with pytest.raises(NotFound):
        await pool.unload("nothing.gguf")
    await pool.load(A, PLAIN)
    await pool.unload()
    assert loaded(pool) == set()


async def test_a_dead_model_touches_no_other(pool: ModelPool, launches: Launches) -> None:
    async with pool.lease(A) as a, pool.lease(B) as b:
        with pytest.raises(EngineFailed):
            await say(b, "fail")
        assert await say(a, "echo: on") == "on"
    assert state_of(pool, B).status is Status.FAILED
    assert loaded(pool) == {A}
    assert await answerer(pool, B) == B
    assert launches.loaded == [A, B, B]


async def test_a_bad_file_leaves_all_others(pool: ModelPool, launches: Launches) -> None:
    await answerer(pool, A)
    await answerer(pool, B)
    launches.bad_files.add(C)
    for attempt in (answerer(pool, C), pool.load(C, PLAIN)):
        with pytest.raises(LoadFailed, match="is no model"):
            await attempt
    assert loaded(pool) == {A, B}
    launches.too_big.add(D)
    with pytest.raises(LoadFailed, match=r"a\.gguf had been unloaded"):
        await answerer(pool, D)
    assert loaded(pool) == {B}
    assert await answerer(pool, A) == A


async def test_pinned_models_stay(tmp_path: Path, launches: Launches) -> None:
    pool = pool_of_several(tmp_path, launches, pin=("a",), idle_timeout=0.01 / 60)
    pool.start()
    async with pool.lease(A, keep_alive=0):
        pass
    for name in (B, C, D):
        assert await answerer(pool, name) == name
    await until_loaded(pool, A)
    await pool.unload(A)
    assert loaded(pool) == set()
    await pool.aclose()


async def test_no_room_beside_pinned_models_is_said_at_once(tmp_path: Path, launches: Launches) -> None:
    pool = pool_of_several(tmp_path, launches, pin=(A, B))
    pool.start()
    async with pool.lease(A), pool.lease(B):
        for attempt in (answerer(pool, C), pool.load(C, PLAIN)):
            with pytest.raises(NoRoom, match="pinned"):
                await attempt
    assert loaded(pool) == {A, B}
    await pool.aclose()


async def test_an_unknown_pinned_model_ends_the_start(tmp_path: Path, launches: Launches) -> None:
    pool = pool_of_several(tmp_path, launches, pin=("bb",))
    with pytest.raises(SettingsError, match="--pin: There is no model named 'bb'"):
        pool.start()


async def test_keep_alive_is_each_models_own(pool: ModelPool) -> None:
    await answerer(pool, A)
    async with pool.lease(B, keep_alive=0), pool.lease(B):
        pass
    await until_loaded(pool, A)
    assert state_of(pool, B).status is Status.EMPTY
    assert await answerer(pool, B) == B
    await turns()
    assert loaded(pool) == {A, B}


async def test_the_last_keep_alive_counts(tmp_path: Path, launches: Launches) -> None:
    pool = pool_of_several(tmp_path, launches, idle_timeout=0.01 / 60)
    for seconds in (0, 0.01, 1e308, -1):
        async with pool.lease(A, keep_alive=seconds), pool.lease(A, keep_alive=-1):
            pass
    async with pool.lease(B):
        pass
    await until_loaded(pool, A)
    async with pool.lease(A):
        pass
    await asyncio.sleep(0.05)
    assert loaded(pool) == {A}
    await pool.aclose()


async def test_an_unload_makes_room_for_who_waits(pool: ModelPool) -> None:
    async with pool.lease(A), pool.lease(B):
        third = asyncio.create_task(answerer(pool, C))
        await asyncio.sleep(0.05)
        await pool.unload(A)
        assert await asyncio.wait_for(third, 10) == C
