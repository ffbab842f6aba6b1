"""How far ahead of llama.cpp's own server any server over the same library can be with eight replies at once.

Usage: python -m bench.bound MODEL.gguf [--rounds 9]
In turn: llama-server answers `conc8`, and a bare loop over the library computes as many tokens (`bench.bare_loop`).
"""

import argparse
import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import aiohttp

from bench.client import Client
from bench.scenarios import conc8
from bench.servers import ROOT, free_port, llama_server_command, running


async def measure(model: Path, rounds: int) -> list[float]:
    """The loop's speed over the server's, pair by pair."""
    port, ratios = free_port(), []
    async with (
        running(llama_server_command(model, port), port),
        aiohttp.ClientSession() as session,
        bare_loop(model) as ask,
    ):
        client = Client(session, f"http://127.0.0.1:{port}/v1")
        await client.chat([{"role": "user", "content": "Say hi."}], 8)
        for number in range(rounds):
            seed = (number + 1) * 1000
            if number % 2:
                bare, served = await ask(), (await conc8(client, seed)).value
            else:
                served, bare = (await conc8(client, seed)).value, await ask()
            ratios.append(bare / served)
            print(f"bare loop {bare:6.1f}  llama-server {served:6.1f} tokens/s  {ratios[-1]:.3f}", flush=True)
    return ratios


@asynccontextmanager
async def bare_loop(model: Path) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """Lets the loop run once whenever it is asked; the answer is tokens a second."""
    command = [sys.executable, "-m", "bench.bare_loop", str(model)]
    loop = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=PIPE, stdout=PIPE)
    assert loop.stdin is not None
    assert loop.stdout is not None
    asking, answers = loop.stdin, loop.stdout

    async def ask() -> float:
        asking.write(b"again\n")
        return float(await answers.readuntil())

    try:
        await answers.readuntil()
        yield ask
    finally:
        asking.close()
        await loop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    ratios = asyncio.run(measure(arguments.model, arguments.rounds))
    print(f"median of {len(ratios)}: {median(ratios):.3f}")


if __name__ == "__main__":
    main()
