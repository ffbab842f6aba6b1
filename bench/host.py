"""What the program itself costs for each token: streams of the scripted backend, which computes nothing.

Usage: python -m bench.host [--streams 32] [--tokens 3000] [--rounds 3]
It prints tokens/s of all streams together, and the CPU time of the API's process and of the model's for each token. The
reader only counts bytes, so that it takes little of the cores that the server has.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import psutil

from bench.servers import ROOT, free_port, running

_MODEL: Final = "scripted"
_END: Final = b"data: [DONE]"


@dataclass(frozen=True, slots=True)
class HostFigures:
    """CPU times are microseconds for each token."""

    tokens_per_second: float
    server: float
    model: float
    events: int


async def measure(port: int, process: psutil.Process, streams: int, tokens: int) -> HostFigures:
    (model,) = process.children()
    before = _cpu(process), _cpu(model)
    started = time.perf_counter()
    replies = await asyncio.gather(*(_read(port, tokens) for _ in range(streams)))
    seconds = time.perf_counter() - started
    total = sum(count for count, _ in replies)
    server, own = (
        1e6 * (after - earlier) / total for after, earlier in zip((_cpu(process), _cpu(model)), before, strict=True)
    )
    return HostFigures(total / seconds, server, own, sum(events for _, events in replies))


async def _read(port: int, tokens: int) -> tuple[int, int]:
    """Tokens and events of one stream."""
    body = json.dumps(
        {
            "model": _MODEL,
            "messages": [{"role": "user", "content": f"count {tokens}"}],
            "max_tokens": tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    events, last = 0, b""
    while piece := await reader.read(1 << 16):
        events += piece.count(b"data: ")
        last = (last + piece)[-2048:]
    writer.close()
    if _END not in last:
        raise RuntimeError(last[-200:].decode("utf-8", "replace"))
    return int(last.rpartition(b'"completion_tokens":')[2].partition(b",")[0]), events


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def run(streams: int, tokens: int, rounds: int) -> None:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        async with running(command(port, Path(folder), streams), port) as process:
            await measure(port, process, streams, tokens // 10)
            found = [await measure(port, process, streams, tokens) for _ in range(rounds)]
    for each in found:
        print(
            f"{each.tokens_per_second:8.0f} tokens/s  {each.server:6.1f} + {each.model:5.1f} µs a token  {each.events} events"
        )
    print(f"median {median(each.tokens_per_second for each in found):.0f} tokens/s, {streams} streams")


def command(port: int, folder: Path, streams: int) -> Sequence[str]:
    flags = (
        "--api",
        "--nowebui",
        "--api-port",
        port,
        "--user-data-dir",
        folder,
        "--loader",
        _MODEL,
        "--parallel",
        streams,
    )
    return [sys.executable, str(ROOT / "server.py"), *map(str, flags), "--ctx-size", "32768"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    asyncio.run(run(arguments.streams, arguments.tokens, arguments.rounds))


if __name__ == "__main__":
    main()
