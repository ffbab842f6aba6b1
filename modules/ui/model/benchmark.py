"""The benchmark of the loaded model on the Model page: a button, a table to paste, a plot."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.errors import ServiceError
from modules.models.benchmark.measuring import BenchmarkPoint, benchmark
from modules.models.benchmark.report import ReportWords, machine_text, plot, recommended, table
from modules.models.pool import ModelPool
from modules.ui.model.texts import plain
from modules.ui.page.languages import text

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 1}


@dataclass(frozen=True, slots=True)
class BenchmarkParts:
    start: gr.Button
    table: gr.Markdown
    plot: gr.HTML


def benchmark_parts() -> BenchmarkParts:
    return BenchmarkParts(
        gr.Button("Benchmark", size="sm", elem_id="start-benchmark"),
        gr.Markdown("", elem_id="benchmark", buttons=["copy"]),
        gr.HTML("", elem_id="benchmark-plot", padding=False, apply_default_css=False),
    )


def _words() -> ReportWords:
    return ReportWords(
        what=text("What"),
        streams=text("Replies at once"),
        tokens=text("Tokens"),
        rate=text("Tokens/s"),
        first=text("First token"),
        prefill=text("Read a prompt"),
        decode=text("Write"),
        enough=text("More replies at once than these write no more together."),
        more=text("It could be worth it to try more."),
        chosen=text("Chosen by the self-test"),
    )


def connect_benchmark(parts: BenchmarkParts, models: ModelPool) -> None:
    async def measured() -> AsyncGenerator[dict[Component, Any], None]:
        """Ends with the visit: who closes the page ends the measurement."""
        points: list[BenchmarkPoint] = []
        try:
            async with models.lease(None) as engine:
                card = engine.card
                yield {
                    parts.table: text("Measuring **{name}**, for a minute at most …", name=plain(card.name)),
                    parts.plot: "",
                }
                async with aclosing(benchmark(engine)) as found:
                    async for point in found:
                        points.append(point)
                        yield {parts.table: table(card, machine_text(), points, _words())}
        except ServiceError as error:
            yield {parts.table: plain(error.message)}
            return
        shown = table(card, machine_text(), points, _words())
        yield {
            parts.table: f"{shown}\n\n{recommended(card, points, _words())}",
            parts.plot: plot(points, text("Tokens per second by replies at once")),
        }

    parts.start.click(measured, None, [parts.table, parts.plot], **_QUIET)
