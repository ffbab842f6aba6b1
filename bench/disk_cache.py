"""Measures how soon a conversation goes on after a restart of the server, beside the same turn undisturbed.

Usage: python -m bench.disk_cache MODEL.gguf [--rounds 5] [--tokens 3000]
Each round holds a conversation of its own of two turns and times the first token of the third, once on the server that held
it and once, after that was killed with all its processes, on a new one with the same --cache-disk. A third time, on a new
server without the cache, tells what computing it all would take.
"""

import argparse
import asyncio
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp
import psutil

from bench.client import Client, Message
from bench.servers import free_port, our_command, running

_GOAL: Final = 1.5
_CACHE_GIB: Final = 8
_REPLY_TOKENS: Final = 24
_QUIET_POLLS: Final = 20
_POLL_SECONDS: Final = 0.1
# Of a sentence of the prompt, about.
_SENTENCE_TOKENS: Final = 14


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds to the first token of the third turn."""

    undisturbed: float
    restarted: float
    computed: float

    @property
    def ratio(self) -> float:
        return self.restarted / self.undisturbed


@dataclass(frozen=True, slots=True)
class _Running:
    client: Client
    session: aiohttp.ClientSession
    base: str
    process: psutil.Process

    async def until_written(self) -> None:
        """Until the count of written files was the same for a while."""
        seen: list[str] = []
        while len(seen) < _QUIET_POLLS or len(set(seen[-_QUIET_POLLS:])) > 1:
            async with self.session.get(f"{self.base}/metrics") as response:
                lines = (await response.text()).splitlines()
            seen.append(next(line for line in lines if line.startswith("llm_disk_cache_writes_total")))
            await asyncio.sleep(_POLL_SECONDS)

    def kill(self) -> None:
        """At once, with all that it started."""
        for process in (self.process, *self.process.children(recursive=True)):
            process.send_signal(signal.SIGKILL)


@asynccontextmanager
async def _server(model: Path, folder: Path, gib: int) -> AsyncIterator[_Running]:
    port = free_port()
    command = [*our_command(model, port), "--user-data-dir", str(folder), "--cache-disk", str(gib)]
    base = f"http://127.0.0.1:{port}"
    async with running(command, port) as process, aiohttp.ClientSession() as session:
        client = Client(session, f"{base}/v1")
        # What the first request of a process costs is not what is measured.
        await client.chat([{"role": "user", "content": "Hello."}], 4)
        yield _Running(client, session, base, process)


def _conversation(number: int, tokens: int) -> list[Message]:
    facts = " ".join(
        f"Fact {number}-{line}: the ship number {line} carries salt." for line in range(tokens // _SENTENCE_TOKENS)
    )
    return [{"role": "system", "content": facts}]


async def _turn(server: _Running, messages: list[Message], text: str) -> float:
    """Adds the question and the reply; returns seconds to its first token."""
    messages.append({"role": "user", "content": text})
    reply = await server.client.chat(messages, _REPLY_TOKENS)
    messages.append({"role": "assistant", "content": reply.text})
    return reply.first_token_seconds


async def measured(model: Path, number: int, tokens: int) -> Round:
    """The third turn is asked in two wordings of one length: after the first, both of its servers have only seen two turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        messages = _conversation(number, tokens)
        async with _server(model, folder, _CACHE_GIB) as server:
            await _turn(server, messages, "What do the ships carry?")
            await _turn(server, messages, "How many are there?")
            held = list(messages)
            await server.until_written()
            undisturbed = await _turn(server, messages, "Which ship is the last one?")
            await server.until_written()
            server.kill()
        async with _server(model, folder, _CACHE_GIB) as server:
            restarted = await _turn(server, list(held), "Which ship is the first one?")
        async with _server(model, folder, 0) as server:
            computed = await _turn(server, list(held), "Which ship is the first one?")
    return Round(undisturbed, restarted, computed)


def table(rounds: Sequence[Round], model: Path, tokens: int) -> str:
    ratios = sorted(each.ratio for each in rounds)
    undisturbed, restarted, computed = (
        1e3 * median(times)
        for times in zip(*((each.undisturbed, each.restarted, each.computed) for each in rounds), strict=True)
    )
    return "\n".join(
        [
            f"{datetime.now(UTC):%Y-%m-%d} · {model.name} · llama-cpp-python {version('llama-cpp-python')} · about {tokens} "
            f"tokens · medians of {len(rounds)} rounds, and the range",
            "",
            "| undisturbed, ms | after a restart, ms | without the cache, ms | restart : undisturbed | goal |",
            "|---|---|---|---|---|",
            f"| {undisturbed:.0f} | {restarted:.0f} | {computed:.0f} | {median(ratios):.2f} ({ratios[0]:.2f} to "
            f"{ratios[-1]:.2f}) | ≤ {_GOAL} |",
        ]
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=3000)
    chosen = parser.parse_args()
    rounds: list[Round] = []
    for number in range(chosen.rounds):
        rounds.append(await measured(chosen.model.absolute(), number, chosen.tokens))
        print(f"round {number + 1}: {rounds[-1]}", flush=True)
    print(table(rounds, chosen.model, chosen.tokens))


if __name__ == "__main__":
    asyncio.run(main())
