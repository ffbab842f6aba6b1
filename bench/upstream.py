"""What a proxy in front of another server costs: ours with --upstream, and LiteLLM's, in turn.

Usage: python -m bench.upstream --litellm PATH_OF_LITELLM [--streams 100,200] [--tokens 40] [--pace 5] [--rounds 2]
A scripted server sends each stream `pace` tokens a second, each of which is the time at which it was sent. What a chunk is
late by at the client, less what it is late by without a proxy, is what the proxy adds. CPU seconds are those of the
proxy's processes. LiteLLM is to be installed elsewhere: its packages are not ours.
"""

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import psutil

from bench.servers import ROOT, free_port, running

MODEL: Final = "timed"
KEY: Final = "sk-bench-0123456789-abcdefghij-KLMNOPQRST"
_STAMP: Final = re.compile(rb'"content":\s*"([\d ]+)"')
_MS: Final = 1e6
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds by which chunks were late, and the proxy's CPU seconds for `tokens`."""

    late: Sequence[float]
    tokens: int
    cpu: float

    def percentile(self, share: float) -> float:
        return sorted(self.late)[int(share * (len(self.late) - 1))]


async def serve(port: int) -> None:
    """The scripted server: its pace and number of tokens stand in the messages."""
    server = await asyncio.start_server(_answer, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


async def _answer(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = re.search(rb"content-length:\s*(\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1])) if length else b""
            if b"/chat/completions" not in head:
                listed = json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode()
                writer.write(_HEAD % b"application/json" + b"Content-Length: %d\r\n\r\n" % len(listed) + listed)
                continue
            tokens, pace = json.loads(body)["messages"][0]["content"].split()
            await _stream(writer, int(tokens), float(pace))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _stream(writer: StreamWriter, tokens: int, pace: float) -> None:
    writer.write(_HEAD % b"text/event-stream" + b"Transfer-Encoding: chunked\r\n\r\n")
    begun = time.monotonic()
    for number in range(tokens):
        await asyncio.sleep(max(0, begun + number / pace - time.monotonic()))
        _send(writer, _event({"content": f"{time.monotonic_ns()} "}))
    _send(writer, _event({}, "stop") + b"data: [DONE]\n\n")
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def _event(delta: Mapping[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [choice]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def _send(writer: StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))


async def listen(port: int, model: str, tokens: int, pace: float, delay: float) -> list[float]:
    """Milliseconds by which each token of one stream was late."""
    await asyncio.sleep(delay)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = {"model": model, "messages": [{"role": "user", "content": f"{tokens} {pace}"}], "stream": True}
    data = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Authorization: Bearer {KEY}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
    late: list[float] = []
    while line := await reader.readline():
        if line.startswith(b"HTTP/1.1") and b" 200 " not in line:
            raise RuntimeError(line.decode())
        if line.startswith(b"data: [DONE]"):
            break
        now = time.monotonic_ns()
        for found in _STAMP.findall(line):
            late += [(now - int(stamp)) / _MS for stamp in found.split()]
    writer.close()
    if len(late) != tokens:
        raise RuntimeError(f"{len(late)} of {tokens} tokens came")
    return late


async def ask(
    port: int, model: str, streams: int, tokens: int, pace: float, process: psutil.Process | None
) -> Measured:
    before = cpu_seconds(process)
    # Spread over one interval, so that not all speak at once.
    each = (listen(port, model, tokens, pace, at / streams / pace) for at in range(streams))
    late = [one for stream in await asyncio.gather(*each) for one in stream]
    return Measured(late, streams * tokens, cpu_seconds(process) - before)


def cpu_seconds(process: psutil.Process | None) -> float:
    if process is None:
        return 0.0
    tree = (process, *process.children(recursive=True))
    return sum(times.user + times.system for times in (each.cpu_times() for each in tree))


@asynccontextmanager
async def proxies(litellm: Path | None, upstream: int) -> AsyncIterator[Mapping[str, tuple[int, str, psutil.Process]]]:
    """Port, name of the model and process of each."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port, found = free_port(), {}
        flags = ("--api", "--nowebui", "--api-port", port, "--user-data-dir", folder / "ours", "--max-queue", 1024)
        command = [sys.executable, str(ROOT / "server.py"), *map(str, flags)]
        command += ["--upstream", f"up=http://127.0.0.1:{upstream}/v1"]
        found["ours"] = port, f"up/{MODEL}", await stack.enter_async_context(running(command, port))
        if litellm is not None:
            settings = folder / "litellm.yaml"
            parameters = f"{{model: openai/{MODEL}, api_base: 'http://127.0.0.1:{upstream}/v1', api_key: none}}"
            settings.write_text(
                f"model_list:\n  - model_name: {MODEL}\n    litellm_params: {parameters}\n"
                f"general_settings:\n  master_key: {KEY}\n"
            )
            port = free_port()
            theirs = [str(litellm), "--config", str(settings), "--port", str(port), "--host", "127.0.0.1"]
            path = "/health/liveliness"
            found["LiteLLM"] = port, MODEL, await stack.enter_async_context(running(theirs, port, path=path))
        yield found


async def measure(litellm: Path | None, streams: Sequence[int], tokens: int, pace: float, rounds: int) -> None:
    port = free_port()
    script = [sys.executable, "-m", "bench.upstream", "--serve", str(port)]
    async with running(script, port), proxies(litellm, port) as found:
        one = partial(ask, tokens=tokens, pace=pace)
        for proxy, model, _ in found.values():
            await one(proxy, model, 4, process=None)
        for count in streams:
            for number in range(rounds):
                direct = await one(port, MODEL, count, process=None)
                print(f"{count} streams, no proxy: late {median(direct.late):.2f} ms")
                for name in list(found)[:: -1 if number % 2 else 1]:
                    proxy, model, process = found[name]
                    _tell(name, await one(proxy, model, count, process=process), direct)


def _tell(name: str, measured: Measured, direct: Measured) -> None:
    added = [measured.percentile(share) - direct.percentile(share) for share in (0.5, 0.99)]
    cost = measured.cpu / measured.tokens * 1e6
    print(
        f"  {name}: {cost:.0f} µs of CPU a token, adds {added[0]:.2f} ms (median), {added[1]:.2f} ms (99 %)", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--litellm", type=Path)
    parser.add_argument("--streams", default="100,200")
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--pace", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--serve", type=int)
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(serve(asked.serve))
        return
    streams = [int(count) for count in asked.streams.split(",")]
    asyncio.run(measure(asked.litellm, streams, asked.tokens, asked.pace, asked.rounds))


if __name__ == "__main__":
    main()
