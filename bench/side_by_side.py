"""Measures this server beside llama.cpp's own server core and writes the table into docs/PERFORMANCE.md.

Usage: python -m bench.side_by_side MODEL.gguf [--rounds 5] [--scenarios single,conc8,streams32] [--dry-run]
Both servers run all the time but only one is asked at once, in turn: A B, B A, A B …
"""

import argparse
import asyncio
import platform
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp

from bench.client import Client
from bench.scenarios import MIXED_CONTEXT, MIXED_SLOTS, SCENARIOS, STREAM_COUNTS, USUAL, Figure
from bench.servers import CONTEXT, PARALLEL, ROOT, free_port, llama_server_command, our_command, running, tree_mib

_DOCUMENT: Final = ROOT / "docs" / "PERFORMANCE.md"
_BEGIN: Final = "<!-- side by side: begin -->"
_END: Final = "<!-- side by side: end -->"
_SEED_STEP: Final = 1000
_GOALS: Final = {
    "single": "≥ 1.05",
    "conc8": "≥ 1.12",
    "prefill": "≤ 1.00",
    "shared8": "≤ 0.20",
    "multi": "≤ 0.90",
    "stall": "ours ≤ 12",
    "behind": "ours ≤ 2",
    "mixed12": "≥ 1.05",
    "mixed12gap": "ours ≤ 12",
    **{f"streams{count}": "≥ 1.05" for count in STREAM_COUNTS},
}


@dataclass(frozen=True, slots=True)
class Pair:
    """The same scenario, measured on both right after each other."""

    ours: Figure
    theirs: Figure

    @property
    def ratio(self) -> float:
        return self.ours.value / self.theirs.value


async def measure(ours: Client, theirs: Client, names: Sequence[str], rounds: int) -> Mapping[str, list[Pair]]:
    pairs: defaultdict[str, list[Pair]] = defaultdict(list)
    for client in (ours, theirs):
        await client.chat([{"role": "user", "content": "Say hi."}], 8)
    for number in range(rounds):
        for name in names:
            seed = (number + 1) * _SEED_STEP
            order = (ours, theirs) if number % 2 == 0 else (theirs, ours)
            figures = {client: await SCENARIOS[name](client, seed) for client in order}
            pairs[name].append(Pair(figures[ours], figures[theirs]))
            print(f"{name:8} {figures[ours].value:9.1f} {figures[theirs].value:9.1f} {pairs[name][-1].ratio:6.3f}")
    return pairs


def table(pairs: Mapping[str, list[Pair]], memory: tuple[float, float], model: Path) -> str:
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d} · {model.name} · {platform.machine()}, 2 threads each · "
        f"llama-cpp-python {version('llama-cpp-python')} · llama-server core from xllamacpp {version('xllamacpp')} · "
        f"medians of {len(next(iter(pairs.values())))}",
        "",
        "| scenario | ours | llama-server | unit | ratio (median of pairs) | goal |",
        "|---|---|---|---|---|---|",
    ]
    for name, measured in pairs.items():
        ours, theirs = (median(p.ours.value for p in measured), median(p.theirs.value for p in measured))
        ratio = median(pair.ratio for pair in measured)
        lines.append(
            f"| {name} | {ours:.1f} | {theirs:.1f} | {measured[0].ours.unit} | {ratio:.3f} | {_GOALS.get(name, '')} |"
        )
    lines.append(
        f"| memory of the process tree | {memory[0]:.0f} | {memory[1]:.0f} | MiB | "
        f"{memory[0] - memory[1]:+.0f} MiB | ≤ +250 MiB |"
    )
    return "\n".join(lines)


def write(text: str) -> None:
    document = _DOCUMENT.read_text(encoding="utf-8")
    before, rest = document.split(_BEGIN, 1)
    _, after = rest.split(_END, 1)
    _DOCUMENT.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}", encoding="utf-8")


async def run(arguments: argparse.Namespace) -> None:
    ports = free_port(), free_port()
    slots = max([PARALLEL, *(count for count in STREAM_COUNTS if f"streams{count}" in arguments.scenarios)])
    context = CONTEXT
    if any(name.startswith("mixed") for name in arguments.scenarios):
        slots, context = max(slots, MIXED_SLOTS), MIXED_CONTEXT
    timeout = aiohttp.ClientTimeout(total=600)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with (
        running(our_command(arguments.model, ports[0], parallel=slots, context=context), ports[0]) as ours,
        running(llama_server_command(arguments.model, ports[1], parallel=slots, context=context), ports[1]) as theirs,
        aiohttp.ClientSession(timeout=timeout, connector=connector, read_bufsize=1 << 20) as session,
    ):
        clients = [Client(session, f"http://127.0.0.1:{port}/v1") for port in ports]
        pairs = await measure(clients[0], clients[1], arguments.scenarios, arguments.rounds)
        text = table(pairs, (tree_mib(ours), tree_mib(theirs)), arguments.model)
    print(text)
    if not arguments.dry_run:
        write(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scenarios", type=lambda text: text.split(","), default=list(USUAL))
    parser.add_argument("--dry-run", action="store_true", help="print the table, leave the document alone")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
