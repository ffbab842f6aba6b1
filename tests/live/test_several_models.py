"""Three real models at once: the same answers as alone, within a budget, and apart from each other."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest
import pytest_asyncio

from tests.live.client import ask, endless, finish_of, rest_of, says, streaming, text_of, until_text
from tests.live.server import LiveServer, live_server
from tests.model_files import GEMMA, QWEN, SMOLLM2, model_path

pytestmark = [pytest.mark.live, pytest.mark.model]

NAMES = (SMOLLM2, QWEN, GEMMA)
QUESTION = "Name the planets of the solar system, and say one thing about each."
_SAMPLES_A_SECOND = 5
_GIB = 2**30


@asynccontextmanager
async def serving(folder: Path, *flags: object) -> AsyncIterator[tuple[LiveServer, httpx.AsyncClient]]:
    await asyncio.to_thread(folder.mkdir)
    for name in NAMES:
        model_path(name)
    usual = ("--ctx-size", 1024, "--parallel", 2)
    async with live_server(folder, *usual, *flags) as server, server.client() as http:
        yield server, http


async def answer(http: httpx.AsyncClient, name: str, tokens: int = 16) -> str:
    reply = await ask(http, says(QUESTION, model=name, max_tokens=tokens))
    assert reply["model"] == name
    return text_of(reply)


async def entries(http: httpx.AsyncClient) -> dict[str, dict[str, object]]:
    return {entry["id"]: entry for entry in (await http.get("/v1/models")).json()["data"]}


def model_memory(server: LiveServer) -> int:
    """Of all model processes that are there at one moment. Pages that they share count once, and files that they map
    count whole: other tests map the same ones. Reading takes a while, so what has ended meanwhile does not count."""
    taken: dict[psutil.Process, int] = {}
    for process in server.processes():
        with suppress(psutil.Error):
            if process.pid != server.process.pid:
                maps = process.memory_maps(grouped=True)
                taken[process] = sum(each.rss if each.path.endswith(".gguf") else each.pss for each in maps)
    return sum(memory for process, memory in taken.items() if is_there(process))


def is_there(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


@contextmanager
def sampled(server: LiveServer) -> Iterator[list[int]]:
    """What the model processes take together, five times a second while the block runs."""
    samples: list[int] = []

    async def sample() -> None:
        while True:
            samples.append(await asyncio.to_thread(model_memory, server))
            await asyncio.sleep(1 / _SAMPLES_A_SECOND)

    task = asyncio.create_task(sample())
    try:
        yield samples
        assert not task.done() or task.result() is None
    finally:
        task.cancel()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def together(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """Room for all three."""
    async with serving(tmp_path_factory.mktemp("together") / "data", "--models-max", 3) as (server, _):
        yield server


async def test_three_at_once_answer_what_each_answers_alone(tmp_path: Path, together: LiveServer) -> None:
    async with serving(tmp_path / "alone", "--model-swap") as (_, http):
        alone = [await answer(http, name) for name in NAMES]
        assert [entry["status"] for entry in (await entries(http)).values()].count("loaded") == 1
    async with together.client() as http:
        assert await asyncio.gather(*(answer(http, name) for name in NAMES)) == alone
        found = await entries(http)
        assert {found[name]["status"] for name in NAMES} == {"loaded"}
        assert await asyncio.gather(*(answer(http, name) for name in NAMES)) == alone
        await expect_deaths_to_stay_apart(together, http)


async def expect_deaths_to_stay_apart(server: LiveServer, http: httpx.AsyncClient) -> None:
    """kill -9 of the largest model's process, while all three speak."""
    async with (
        streaming(http, endless(60, model=SMOLLM2)) as small,
        streaming(http, endless(400, model=QWEN)) as large,
        streaming(http, endless(60, model=GEMMA)) as middle,
    ):
        for events in (small, large, middle):
            await until_text(events)
        models = [process for process in server.processes() if process.pid != server.process.pid]
        max(models, key=lambda process: process.memory_info().rss).kill()
        assert finish_of(await rest_of(small)) == finish_of(await rest_of(middle)) == ["length"]
        assert finish_of(await rest_of(large)) == []
    assert await answer(http, QWEN, 5)


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(12, id="short"),
        pytest.param(1000, id="long", marks=[pytest.mark.extended, pytest.mark.timeout(3600)]),
    ],
)
async def test_random_requests_stay_within_a_budget_for_two(
    tmp_path: Path, together: LiveServer, count: int, record_property: Callable[[str, object], None]
) -> None:
    async with together.client() as http:
        await asyncio.gather(*(answer(http, name, 5) for name in NAMES))
        found = await entries(http)
        sizes = sorted(int(str(found[name]["memory"])) for name in NAMES)
        assert sum(sizes) * 0.9 < model_memory(together) < sum(sizes) * 1.1
    budget = sum(sizes[1:])
    order = random.Random(10).choices(NAMES, k=count)
    waits: list[float] = []
    gate = asyncio.Semaphore(6)

    async def ask_for(name: str, http: httpx.AsyncClient) -> str:
        async with gate:
            began = time.monotonic()
            reply = await ask(http, says("Say hello.", model=name, max_tokens=4))
            waits.append(time.monotonic() - began)
            return str(reply["model"])

    flags = ("--models-max", 3, "--models-memory", budget / _GIB)
    async with serving(tmp_path / "bounded", *flags) as (server, http):
        with sampled(server) as samples:
            answers = await asyncio.gather(*(ask_for(name, http) for name in order))
    assert answers == order
    assert max(samples) <= budget * 1.1
    assert set(answers) == set(NAMES)
    waits.sort()
    record_property("p50_wait_seconds", round(waits[count // 2], 2))
    record_property("p95_wait_seconds", round(waits[count * 95 // 100], 2))
    record_property("most_memory_percent_of_budget", round(100 * max(samples) / budget))
    record_property("memory_samples", len(samples))
    record_property("loads", server.log.count("INFO    loaded"))
