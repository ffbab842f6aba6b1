"""Requests that choose their model, and adapters that come and go."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from modules.errors import LoadFailed, NotFound, NotLoaded, SettingsError
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


async def test_request_brings_up_the_model_it_names(tmp_path: Path, launches: Launches) -> None:
    manager = scripted_pool(tmp_path, launches, model_swap=True)
    for name in ("a.gguf", "b", "b.gguf", "gpt-4o", None, "a"):
        async with manager.lease(name) as engine:
            assert await say(engine, "echo: hi") == "hi"
            assert engine.card.name == ("b.gguf" if name in ("b", "b.gguf", "gpt-4o", None) else "a.gguf")
    assert launches.loaded == ["a.gguf", "b.gguf", "a.gguf"]
    await manager.aclose()


async def test_requests_choose_nothing_unless_allowed(manager: ModelPool) -> None:
    await manager.load("a.gguf", PLAIN)
    async with manager.lease("b.gguf") as engine:
        assert engine.card.name == "a.gguf"


async def test_chosen_model_waits_for_the_replies_of_the_one_before(tmp_path: Path, launches: Launches) -> None:
    manager = scripted_pool(tmp_path, launches, drain_seconds=0.01, model_swap=True)

    async def ask(name: str) -> str:
        async with manager.lease(name) as engine:
            return engine.card.name + await say(engine, "echo: !")

    async with manager.lease("a.gguf") as old:
        questions = [asyncio.create_task(ask("b.gguf")) for _ in range(4)]
        await until(manager, Status.LOADING)
        assert await say(old, "slow 5") == "abcde"
        assert not any(question.done() for question in questions)
    assert await asyncio.gather(*questions) == ["b.gguf!"] * 4
    assert launches.loaded == ["a.gguf", "b.gguf"]
    await manager.aclose()


async def test_replies_of_a_model_that_is_being_replaced_are_counted(tmp_path: Path, launches: Launches) -> None:
    """Whoever unloads then would cut them unasked."""
    manager = scripted_pool(tmp_path, launches)
    await manager.load("a.gguf", PLAIN)
    async with manager.lease(None):
        load = asyncio.create_task(manager.load("a.gguf", PLAIN))
        # Its file was read, and the model of before is on its way out.
        while manager._loaded.names():  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)
        assert (manager.uses(), manager.uses("a.gguf"), manager.uses("b.gguf")) == (1, 1, 0)
        assert not load.done()
    await load
    assert manager.uses() == 0
    await manager.aclose()


async def test_everyone_gets_the_model_he_named(tmp_path: Path, launches: Launches) -> None:
    manager = scripted_pool(tmp_path, launches, model_swap=True)

    async def ask(name: str) -> str:
        async with manager.lease(name) as engine:
            await say(engine, "slow 2")
            return engine.card.name

    names = ["a.gguf", "b.gguf"] * 6
    assert await asyncio.gather(*map(ask, names)) == names
    assert len(launches.loaded) < len(names)
    await manager.aclose()


async def test_chosen_model_that_is_bad_leaves_the_old_one_serving(tmp_path: Path, launches: Launches) -> None:
    manager = scripted_pool(tmp_path, launches, model_swap=True)
    launches.bad_files.add("b.gguf")
    async with manager.lease("a.gguf") as old:
        with pytest.raises(LoadFailed, match="is no model"):
            async with manager.lease("b.gguf"):
                pass
        assert await say(old, "echo: still here") == "still here"
    await manager.aclose()


async def test_adapters_are_applied_by_name_and_taken_off_again(tmp_path: Path, launches: Launches) -> None:
    folder = tmp_path / "adapters"
    folder.mkdir()
    (folder / "one.gguf").touch()
    (folder / "peft").mkdir()
    (folder / "peft" / "adapter_config.json").touch()
    (folder / "notes.txt").touch()
    manager = scripted_pool(tmp_path, launches, lora_dir=folder, model="a.gguf")
    assert manager.list_adapters() == ["one.gguf", "peft"]
    with pytest.raises(NotLoaded):
        await manager.apply_adapters(["one"])
    await manager.load("a.gguf", LoadOptions.parse({"ctx_size": 512}))
    card = await manager.apply_adapters(["one", "peft", "one.gguf"])
    assert (card.adapters, card.context) == (("one.gguf", "peft"), 512)
    with pytest.raises(NotFound, match="no adapter named"):
        await manager.apply_adapters(["../one.gguf"])
    assert (await manager.apply_adapters([])).adapters == ()
    await manager.aclose()


async def test_start_applies_the_operators_adapters(tmp_path: Path, launches: Launches) -> None:
    (tmp_path / "loras").mkdir()
    (tmp_path / "loras" / "one.gguf").touch()
    manager = scripted_pool(tmp_path, launches, model="a.gguf", lora=("one",))
    manager.start()
    async with manager.lease(None) as engine:
        assert engine.card.adapters == ("one.gguf",)
    await manager.aclose()
    with pytest.raises(SettingsError, match="--lora"):
        scripted_pool(tmp_path, launches, model="a.gguf", lora=("two",)).start()
