"""Models within a budget of memory: what is refused, what is booked, who leaves."""

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest

from modules.errors import NoRoom, NotLoaded
from modules.settings.values import Settings
from tests.models.launches import Launches, pool_of_several
from tests.models.watching import PLAIN, A, B, C, D, answerer, loaded, state_of, until_loaded


@pytest.fixture
def launches() -> Launches:
    return Launches()


async def test_what_cannot_fit_is_refused_with_numbers(tmp_path: Path, launches: Launches) -> None:
    needs = {A: 1.0, B: 1.0, C: 3.0, D: 0.5}
    pool = pool_of_several(tmp_path, launches, needs=needs, models_max=4, models_memory=2.25)
    await answerer(pool, A)
    await answerer(pool, B)
    for attempt in (answerer(pool, C), pool.load(C, PLAIN)):
        with pytest.raises(
            NoRoom, match=r"not enough memory for c\.gguf: it needs about 3\.00 GiB, and there is 2\.25"
        ):
            await attempt
    assert loaded(pool) == {A, B}
    assert launches.probed == [A, B]
    await answerer(pool, D)
    assert loaded(pool) == {B, D}
    await pool.aclose()


async def test_the_first_model_says_that_it_cannot_fit(tmp_path: Path, launches: Launches) -> None:
    pool = pool_of_several(tmp_path, launches, needs={A: 1.0}, model=A, models_max=1, models_memory=0.5)
    pool.start()
    with pytest.raises(NotLoaded, match="not enough memory"):
        await answerer(pool, None)
    assert "not enough memory" in (pool.state.message or "")
    await pool.aclose()


async def test_what_a_model_really_took_is_booked(tmp_path: Path, launches: Launches) -> None:
    launches.pids, launches.taken = {A: 1, B: 2, C: 3}, {1: 0.5, 2: 1.0, 3: 1.0}
    needs = {A: 1.0, B: 1.0, C: 1.0}
    pool = pool_of_several(tmp_path, launches, needs=needs, models_max=4, models_memory=2.5)
    for name in (A, B, C):
        await answerer(pool, name)
    assert loaded(pool) == {A, B, C}
    assert state_of(pool, A).memory == 2**29
    launches.taken[1] = 0.75
    await until_loaded(pool, B, C)
    assert "grown" in (state_of(pool, A).message or "")
    # The next time it needs what it took.
    assert await answerer(pool, A) == A
    assert loaded(pool) == {A, C}
    await pool.aclose()


async def test_what_a_model_took_on_a_graphics_card_is_booked(tmp_path: Path, launches: Launches) -> None:
    """A was expected to leave room for B there, and does not; C, which takes less than expected, does."""
    launches.on_gpu = {A: 2.0, B: 1.5, C: 0.5}
    expected = {A: 1.0, B: 1.5, C: 2.0}
    needs = dict.fromkeys((A, B, C), 0.1)
    pool = pool_of_several(tmp_path, launches, needs=needs, on_gpu=expected, models_max=4, models_memory=3.0)
    await answerer(pool, A)
    assert state_of(pool, A).memory == round(2.1 * 2**30)
    await answerer(pool, B)
    assert loaded(pool) == {B}
    await answerer(pool, C)
    assert loaded(pool) == {C}
    await answerer(pool, A)
    assert loaded(pool) == {A, C}
    await pool.aclose()


async def test_what_a_model_will_grow_by_is_booked(tmp_path: Path, launches: Launches) -> None:
    """B would fit beside what A has taken, and not beside what A will take once it is used."""
    launches.pids, launches.taken = {A: 1, B: 2, C: 3}, {1: 0.5, 2: 1.0, 3: 0.5}
    launches.growing = {A: 0.75}
    needs = {A: 1.25, B: 1.0, C: 0.5}
    pool = pool_of_several(tmp_path, launches, needs=needs, models_max=4, models_memory=2.0)
    await answerer(pool, A)
    assert state_of(pool, A).memory == 1.25 * 2**30
    launches.taken[1] = 0.75
    await answerer(pool, C)
    assert (state_of(pool, A).memory, loaded(pool)) == (1.25 * 2**30, {A, C})
    await answerer(pool, B)
    assert loaded(pool) == {B, C}
    await pool.aclose()


async def test_a_full_house_makes_room_before_the_next_file_is_read(tmp_path: Path, launches: Launches) -> None:
    pool = pool_of_several(tmp_path, launches, needs={A: 1.0, B: 1.0}, models_memory=1.0)
    await answerer(pool, A)
    launches.gate.clear()
    asking = asyncio.create_task(answerer(pool, B))
    await until_probed(launches, B)
    assert not launches.engines[0].is_alive
    launches.gate.set()
    assert await asking == B
    await pool.aclose()


async def test_who_takes_more_to_look_waits_for_more_room(
    tmp_path: Path, launches: Launches, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.25 GiB are free: enough to look at a file with little, not with a library that takes 0.4."""
    beside = []
    for taken in (96 * 2**20, 448 * 2**20):
        for spec in Settings().backends:
            monkeypatch.setattr(type(spec), "probe_bytes", taken)
        pool = pool_of_several(tmp_path, launches, needs={A: 1.0, B: 1.0}, models_memory=1.25)
        await answerer(pool, A)
        assert await answerer(pool, B) == B
        beside.append(launches.beside[B])
        await pool.aclose()
    assert beside == [[A], []]


async def until_probed(launches: Launches, name: str) -> None:
    async with asyncio.timeout(10):
        while name not in launches.probed:  # noqa: ASYNC110 - what is launched tells nobody
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("limits", "needs"),
    [({"models_max": 2}, None), ({"models_max": 9, "models_memory": 3.0}, {A: 1.0, B: 1.0, C: 1.0, D: 2.5})],
    ids=["number", "memory"],
)
async def test_a_thousand_random_requests(
    tmp_path: Path, launches: Launches, limits: dict[str, Any], needs: dict[str, float] | None
) -> None:
    """Everybody is answered by the model he named, to the end, and never are there more than there may be."""
    pool = pool_of_several(tmp_path, launches, needs=needs, **limits)
    names = Random(7).choices((A, B, C, D), k=1000)
    gate = asyncio.Semaphore(16)

    async def ask(number: int, name: str) -> str:
        async with gate, pool.lease(name, keep_alive=0 if number % 50 == 0 else None) as engine:
            living = [each.card.name for each in launches.engines if each.is_alive]
            assert len(living) <= limits["models_max"]
            assert sum(needs[each] for each in living) <= limits["models_memory"] if needs else True
            for _ in range(number % 4):
                await asyncio.sleep(0)
            assert engine.is_alive
            return engine.card.name

    answers = await asyncio.wait_for(asyncio.gather(*(ask(*each) for each in enumerate(names))), 60)
    assert answers == names
    await pool.aclose()
