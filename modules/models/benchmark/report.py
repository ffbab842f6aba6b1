"""A benchmark as a table to paste, a plot, and the settings that it recommends."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from modules.backends.cores import processor_name, usable_cores
from modules.engine.types import ModelCard
from modules.models.benchmark.measuring import BenchmarkKind, BenchmarkPoint

# More streams at once are worth it when they write so much more together.
WORTH: Final = 1.05
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 420, 180, 46, 26
_MIB: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportWords:
    """What stands in a report, in the reader's language."""

    what: str = "What"
    streams: str = "Replies at once"
    tokens: str = "Tokens"
    rate: str = "Tokens/s"
    first: str = "First token"
    prefill: str = "Read a prompt"
    decode: str = "Write"
    enough: str = "More replies at once than these write no more together."
    more: str = "It could be worth it to try more."
    chosen: str = "Chosen by the self-test"


ENGLISH: Final = ReportWords()


def machine_text() -> str:
    cores = usable_cores()
    return f"{processor_name()}, {cores} {'core' if cores == 1 else 'cores'}"


def table(card: ModelCard, machine: str, points: Sequence[BenchmarkPoint], words: ReportWords = ENGLISH) -> str:
    """Markdown."""
    head = f"**{_cell(card.name)}** ({card.loader}, {card.size_bytes / _MIB:,.0f} MiB) · {_cell(machine)}"
    titles = (words.what, words.streams, words.tokens, words.rate, words.first)
    rows = [f"| {' | '.join(titles)} |", "|---|---:|---:|---:|---:|"]
    names = {BenchmarkKind.PREFILL: words.prefill, BenchmarkKind.DECODE: words.decode}
    rows += (
        f"| {names[point.kind]} | {point.streams} | {point.tokens} | {point.rate:,.1f} | {1e3 * point.first:,.0f} ms |"
        for point in points
    )
    return "\n".join((head, "", *rows))


def recommended(card: ModelCard, points: Sequence[BenchmarkPoint], words: ReportWords = ENGLISH) -> str:
    """Flags, each with its reason; Markdown."""
    written = [point for point in points if point.kind is BenchmarkKind.DECODE]
    lines = []
    if written:
        streams = worthwhile_streams(written)
        reason = words.more if streams == card.parallel else words.enough
        lines.append(f"- `--parallel {streams}`: {reason}")
    if card.tuning:
        lines.append(f"- {words.chosen}: {_cell(card.tuning)}")
    return "\n".join(lines)


def worthwhile_streams(written: Sequence[BenchmarkPoint]) -> int:
    """The least number of replies at once beyond which the whole hardly grows."""
    best = written[0]
    for point in written[1:]:
        if point.rate >= best.rate * WORTH:
            best = point
    return best.streams


def plot(points: Sequence[BenchmarkPoint], title: str) -> str:
    """Tokens a second by replies at once, as SVG in the page's own colours; "" for fewer than two points."""
    written = [point for point in points if point.kind is BenchmarkKind.DECODE]
    if len(written) < 2:
        return ""
    top = max(point.rate for point in written) or 1.0
    step = (_WIDTH - _LEFT - 20) / (len(written) - 1)
    places = [
        (_LEFT + at * step, (_HEIGHT - _BOTTOM) - point.rate / top * (_HEIGHT - _BOTTOM - 24))
        for at, point in enumerate(written)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="currentColor"/>'
        f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{point.rate:,.0f}</text>'
        f'<text x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{point.streams}</text>'
        for (x, y), point in zip(places, written, strict=True)
    )
    axis = (
        f'<path d="M{_LEFT - 16} 8V{_HEIGHT - _BOTTOM}H{_WIDTH - 8}" fill="none" stroke="currentColor" opacity="0.4"/>'
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}" font-size="11" '
        f'fill="currentColor" width="{_WIDTH}" height="{_HEIGHT}"><title>{escape(title)}</title>{axis}'
        f'<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="2"/>{marks}</svg>'
    )


def _cell(said: str) -> str:
    return said.replace("|", "\\|").replace("\n", " ")
