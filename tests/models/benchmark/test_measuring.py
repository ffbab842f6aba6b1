"""A benchmark asks what it says, stops in time, and recommends by what it has measured."""

from contextlib import aclosing
from dataclasses import replace

import pytest

from modules.backends.scripted.backend import ScriptedLoader
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import LoadSpec, ModelCard
from modules.models.benchmark.measuring import BenchmarkKind, BenchmarkPoint, benchmark
from modules.models.benchmark.report import plot, recommended, table, worthwhile_streams

CARD = ModelCard(
    name="a|b.gguf", loader="llama.cpp", context=4096, vocabulary=9, parallel=8, tuning="flash attention on"
)


def written(streams: int, rate: float) -> BenchmarkPoint:
    return BenchmarkPoint(BenchmarkKind.DECODE, streams, round(rate * 10), 10.0, 0.1)


POINTS = [BenchmarkPoint(BenchmarkKind.PREFILL, 1, 128, 0.5, 0.5), written(1, 50), written(2, 90), written(4, 92)]


async def points_of(spec: LoadSpec, *, most_seconds: float) -> list[BenchmarkPoint]:
    engine = ThreadedEngine(ScriptedLoader().load(spec, lambda fraction: None), max_queue=64)
    try:
        async with aclosing(benchmark(engine, most_seconds=most_seconds)) as found:
            return [point async for point in found]
    finally:
        await engine.aclose()


SPEC = LoadSpec(name="scripted", path="", loader="scripted", context=4096, parallel=8)


async def test_prefill_decode_and_many_at_once() -> None:
    points = await points_of(SPEC, most_seconds=1e9)
    assert [(point.kind.value, point.streams) for point in points] == [
        ("prefill", 1),
        ("prefill", 1),
        ("prefill", 1),
        ("decode", 1),
        ("decode", 2),
        ("decode", 4),
        ("decode", 8),
    ]
    assert [point.tokens for point in points[:3]] == [128, 512, 2048]
    assert all(point.tokens == point.streams * 47 for point in points[3:])
    assert all(point.rate > 0 and point.first > 0 for point in points)


async def test_no_prompt_is_longer_than_the_context() -> None:
    points = await points_of(replace(SPEC, context=600), most_seconds=1e9)
    assert [point.tokens for point in points if point.kind is BenchmarkKind.PREFILL] == [128, 512]


async def test_without_time_the_least_is_measured_all_the_same() -> None:
    points = await points_of(SPEC, most_seconds=0.0)
    assert [(point.kind.value, point.streams) for point in points] == [("prefill", 1), ("decode", 1)]


@pytest.mark.parametrize(
    ("rates", "streams"),
    [((50, 90, 160, 250), 8), ((50, 90, 92, 93), 2), ((50, 40, 30, 20), 1), ((50, 51, 60, 61), 4), ((50,), 1)],
)
def test_more_streams_are_recommended_while_they_write_more(rates: tuple[float, ...], streams: int) -> None:
    found = [written(count, rate) for count, rate in zip((1, 2, 4, 8), rates, strict=False)]
    assert worthwhile_streams(found) == streams


def test_a_table_to_paste() -> None:
    lines = table(CARD, "a machine", POINTS).splitlines()
    assert lines[0].startswith("**a\\|b.gguf**")
    rows = lines[2:]
    assert len(rows) == 2 + len(POINTS)
    assert {row.count("|") for row in rows} == {6}
    assert "| Write | 2 | 900 | 90.0 | 100 ms |" in rows


def test_flags_to_take() -> None:
    said = recommended(CARD, POINTS)
    assert "`--parallel 2`" in said
    assert "flash attention on" in said


def test_the_plot_has_a_point_for_each_count() -> None:
    drawn = plot(POINTS, 'by "streams"')
    assert drawn.count("<circle") == 3
    assert "&quot;streams&quot;" in drawn
    assert plot(POINTS[:2], "") == ""
