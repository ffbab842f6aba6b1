"""Measures replies with and without speculation, and beside llama-server with its n-gram drafts.

Usage: python -m bench.speculation MODEL.gguf [--rounds 5] [--peers ngram-simple,ngram-mod] [--scenarios copy,edit]
All servers run all the time but only one is asked at once, in alternating order. What is timed is a whole reply to a prompt
that the server has read before; the figures are seconds for each token of it. Of several peers the quickest in each
scenario counts. Whether the replies to copy and edit are what was asked for is said with each.
"""

import argparse
import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

import aiohttp

from bench.repetitive import SCENARIOS, outcome
from bench.servers import free_port, llama_server_command, our_command, running

_GOALS: Final = {"copy": 2.0, "edit": 1.6, "json": 1.4, "tool": 1.3, "prose": 0.98, "chat": 0.98}
_OURS: Final = "auto"
_OFF: Final = "off"


@dataclass(frozen=True, slots=True)
class Timing:
    """One reply."""

    seconds: float
    tokens: int
    text: str
    accepted: int
    rejected: int

    @property
    def pace(self) -> float:
        """Seconds for a token."""
        return self.seconds / max(1, self.tokens)


async def ask(session: aiohttp.ClientSession, base: str, body: Mapping[str, Any]) -> Timing:
    started = time.perf_counter()
    async with session.post(f"{base}/chat/completions", json={"model": "x", "temperature": 0, **body}) as response:
        answer = await response.json()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {answer}")
    seconds = time.perf_counter() - started
    usage, message = answer["usage"], answer["choices"][0]["message"]
    details = usage.get("completion_tokens_details") or {}
    return Timing(
        seconds,
        usage["completion_tokens"],
        message.get("content") or json.dumps(message.get("tool_calls")),
        details.get("accepted_prediction_tokens") or 0,
        details.get("rejected_prediction_tokens") or 0,
    )


async def timed(session: aiohttp.ClientSession, base: str, name: str, seed: int) -> Timing:
    """The prompt is read first, by a request of one token."""
    body = SCENARIOS[name](seed)
    await ask(session, base, {**body, "max_tokens": 1})
    return await ask(session, base, body)


async def measure(
    session: aiohttp.ClientSession, bases: Mapping[str, str], names: Sequence[str], rounds: int
) -> Mapping[str, list[Mapping[str, Timing]]]:
    found: defaultdict[str, list[Mapping[str, Timing]]] = defaultdict(list)
    for base in bases.values():
        for name in names:
            await ask(session, base, {**SCENARIOS[name](0), "max_tokens": 24})
    for number in range(rounds):
        for name in names:
            order = list(bases) if number % 2 == 0 else list(reversed(bases))
            timings = {server: await timed(session, bases[server], name, number + 1) for server in order}
            found[name].append(timings)
            paces = " ".join(f"{server} {1e3 * timings[server].pace:6.1f} ms" for server in bases)
            drafted = timings[_OURS]
            is_same = timings[_OURS].text == timings[_OFF].text
            outcomes = [outcome(name, number + 1, timings[each].text) for each in bases]
            print(
                f"{name:6} {paces}  tokens {[timings[each].tokens for each in bases]}, accepted {drafted.accepted}, "
                f"rejected {drafted.rejected}, {'same text' if is_same else 'OTHER TEXT'} {outcomes if any(outcomes) else ''}",
                flush=True,
            )
    return found


def table(found: Mapping[str, Sequence[Mapping[str, Timing]]], model: Path, peers: Sequence[str]) -> str:
    """Rows of ratios: how many times as fast as without speculation, and as the quickest peer."""
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d} · {model.name} · llama-cpp-python {version('llama-cpp-python')} · llama-server core "
        f"from xllamacpp {version('xllamacpp')} with {' or '.join(peers)} · medians of {len(next(iter(found.values())))} pairs, and the "
        "range",
        "",
        "| scenario | off, ms a token | auto, ms a token | auto : off | goal | llama-server, ms a token | auto : llama-server |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, rounds in found.items():
        off, auto = (1e3 * median(each[server].pace for each in rounds) for server in (_OFF, _OURS))
        ratios = sorted(each[_OFF].pace / each[_OURS].pace for each in rounds)
        row = f"| {name} | {off:.1f} | {auto:.1f} | {_range(ratios)} | ≥ {_GOALS[name]} |"
        if peers:
            paces = {peer: median(each[peer].pace for each in rounds) for peer in peers}
            best = min(paces, key=paces.__getitem__)
            theirs = sorted(each[best].pace / each[_OURS].pace for each in rounds)
            row += f" {1e3 * paces[best]:.1f}, {best} | {_range(theirs)} |"
        lines.append(row)
    return "\n".join(lines)


def _range(ratios: Sequence[float]) -> str:
    return f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


async def run(arguments: argparse.Namespace) -> None:
    ports = {_OFF: free_port(), _OURS: free_port()}
    commands: dict[str, Sequence[str]] = {
        server: [*our_command(arguments.model, port), "--speculation", server] for server, port in ports.items()
    }
    for peer in arguments.peers:
        ports[peer] = free_port()
        commands[peer] = llama_server_command(arguments.model, ports[peer], drafts=peer)
    async with AsyncExitStack() as stack:
        for server, port in ports.items():
            await stack.enter_async_context(running(commands[server], port))
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600)))
        bases = {server: f"http://127.0.0.1:{port}/v1" for server, port in ports.items()}
        found = await measure(session, bases, arguments.scenarios, arguments.rounds)
    print(table(found, arguments.model, arguments.peers))


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--peers", type=_names, default=["ngram-simple"], help="how llama-server drafts; empty: not at all"
    )
    parser.add_argument("--scenarios", type=_names, default=list(SCENARIOS))
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
