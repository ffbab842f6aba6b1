"""A draft model lives and ends with the process of its main model."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from modules.engine.process import ProcessEngine
from modules.engine.types import DraftSpec, Generation, LoadSpec, Prompt
from modules.errors import EngineFailed
from modules.models.gauge import SystemMemory
from modules.sampling import Sampling
from modules.settings.values import Settings
from tests.backends.llamacpp.texts import PROMPTS
from tests.backends.loading import changed_spec, llama_spec
from tests.model_files import SMOLLM2
from tests.processes import child_processes
from tests.streams import whole

pytestmark = pytest.mark.model


@pytest.fixture
def drafted(model_file: Callable[[str], Path]) -> LoadSpec:
    path = model_file(SMOLLM2)
    return llama_spec(path, draft=DraftSpec(name=path.name, path=str(path)))


@asynccontextmanager
async def running(spec: LoadSpec) -> AsyncIterator[ProcessEngine]:
    engine = await ProcessEngine.probe(spec)
    try:
        await engine.load(lambda fraction: None)
        yield engine
    finally:
        await engine.aclose()
        assert not psutil.pid_exists(engine.pid)


async def greedy(engine: ProcessEngine, count: int) -> Generation:
    tokens = await engine.tokenize(PROMPTS[0], special=True)
    return Generation(prompt=Prompt(tuple(tokens)), sampling=Sampling(temperature=0), max_tokens=count)


async def test_its_memory_is_estimated_taken_and_given_back(drafted: LoadSpec) -> None:
    """Files are read, not mapped: pages of a file that is mapped twice belong to nobody alone."""
    drafted = changed_spec(drafted, no_mmap=True)
    before = child_processes()
    gauge = SystemMemory(Settings())
    needs = [gauge.need(spec).host for spec in (replace(drafted, draft=None), drafted)]
    taken = []
    for spec in (replace(drafted, draft=None), drafted):
        async with running(spec) as engine:
            reply = await whole(engine, await greedy(engine, 8))
            assert engine.card.draft == (spec.draft.name if spec.draft else "")
            assert len(reply.tokens) == 8
            taken.append(psutil.Process(engine.pid).memory_full_info().uss)
    assert needs[1] - needs[0] > 100 * 2**20
    assert taken[1] - taken[0] > 50 * 2**20
    assert taken[1] < needs[1] * 1.1
    assert child_processes() == before


async def test_progress_of_loading_never_falls(drafted: LoadSpec) -> None:
    engine, reports = await ProcessEngine.probe(drafted), list[float]()
    await engine.load(reports.append)
    await engine.aclose()
    assert reports == sorted(reports)
    assert reports[-1] == pytest.approx(1)
    assert any(0.4 < fraction < 0.6 for fraction in reports)


async def test_a_killed_process_ends_its_streams(drafted: LoadSpec) -> None:
    async with running(drafted) as engine:
        generation = await greedy(engine, 400)
        async with aclosing(engine.generate(generation)) as stream:
            await anext(stream)
            os.kill(engine.pid, signal.SIGKILL)
            with pytest.raises(EngineFailed):
                [chunk async for chunk in stream]
        assert not engine.is_alive


async def test_unloading_ends_what_is_being_said(drafted: LoadSpec) -> None:
    async with running(drafted) as engine:
        saying = asyncio.ensure_future(whole(engine, await greedy(engine, 1500)))
        await whole(engine, await greedy(engine, 4))
        await engine.aclose()
        with pytest.raises(EngineFailed):
            await saying
