"""Jobs that need preparing: beside the others, given up with their listener, and refused for their own sake only."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from typing_extensions import override

from modules.backends.scripted.backend import ScriptedBackend
from modules.engine.constraints.matcher import Guide
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Constraint, Job
from modules.errors import BadRequest, EngineFailed
from tests.scripted import scripted_spec
from tests.streams import asking, reply, whole

pytestmark = pytest.mark.asyncio

SLOW = Constraint(kind="regex", text="slow")
BROKEN = Constraint(kind="regex", text="broken")


class SlowToPrepare(ScriptedBackend):
    """Prepares SLOW when it is told to go on, and fails over BROKEN."""

    def __init__(self) -> None:
        super().__init__(scripted_spec())
        self.has_begun, self.go_on = threading.Event(), threading.Event()
        self.admitted: list[int] = []

    @override
    def prepare(self, job: Job) -> Guide | None:
        if job.generation.constraint == SLOW:
            self.has_begun.set()
            assert self.go_on.wait(10)
        if job.generation.constraint == BROKEN:
            raise ZeroDivisionError
        return super().prepare(job)

    @override
    def admit(self, job: Job, guide: Guide | None) -> None:
        self.admitted.append(job.id)
        super().admit(job, guide)


@asynccontextmanager
async def engine_on(backend: SlowToPrepare) -> AsyncIterator[ThreadedEngine]:
    engine = ThreadedEngine(backend)
    try:
        yield engine
    finally:
        backend.go_on.set()
        await engine.aclose()


async def test_others_are_served_meanwhile() -> None:
    backend = SlowToPrepare()
    async with engine_on(backend) as engine:
        waiting = asyncio.create_task(whole(engine, asking("echo: slow", constraint=SLOW)))
        await asyncio.to_thread(backend.has_begun.wait)
        assert await reply(engine, "echo: quick") == "quick"
        assert not waiting.done()
        backend.go_on.set()
        assert (await waiting).text == "slow"


async def test_what_is_known_does_not_wait_behind_what_takes_long() -> None:
    backend = SlowToPrepare()
    known = Constraint(kind="regex", text="[a-z]+")
    async with engine_on(backend) as engine:
        assert await reply(engine, "echo: first", constraint=known) == "first"
        waiting = [asyncio.create_task(whole(engine, asking("echo: slow", constraint=SLOW))) for _ in range(8)]
        await asyncio.to_thread(backend.has_begun.wait)
        assert await reply(engine, "echo: second", constraint=known) == "second"
        assert not any(each.done() for each in waiting)
        backend.go_on.set()
        assert {each.text for each in await asyncio.gather(*waiting)} == {"slow"}


async def test_who_stops_waiting_is_never_admitted() -> None:
    backend = SlowToPrepare()
    async with engine_on(backend) as engine:
        others = (Constraint(kind="regex", text=f"queued {number}") for number in range(2))
        for constraint in (SLOW, SLOW, *others):
            async with aclosing(engine.generate(asking("echo: x", constraint=constraint))) as stream:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(stream), 0.05)
        backend.go_on.set()
        assert await reply(engine, "echo: yes", constraint=Constraint(kind="regex", text="yes")) == "yes"
        assert len(backend.admitted) == 1


async def test_an_engine_may_be_closed_meanwhile() -> None:
    backend = SlowToPrepare()
    async with engine_on(backend) as engine:
        waiting = asyncio.create_task(whole(engine, asking("echo: slow", constraint=SLOW)))
        await asyncio.to_thread(backend.has_begun.wait)
        threading.Timer(0.05, backend.go_on.set).start()
        await engine.aclose()
        with pytest.raises(EngineFailed):
            await waiting
        assert backend.admitted == []


async def test_a_failure_hurts_its_own_job_only(caplog: pytest.LogCaptureFixture) -> None:
    async with engine_on(SlowToPrepare()) as engine:
        with caplog.at_level(logging.CRITICAL), pytest.raises(EngineFailed):
            await reply(engine, "echo: x", constraint=BROKEN)
        with pytest.raises(BadRequest):
            await reply(engine, "echo: x", constraint=Constraint(kind="regex", text="("))
        assert engine.is_alive
        assert await reply(engine, "echo: fine") == "fine"
