"""What forms of replies cost: ten streams at once of one kind or of all, in tokens per second.

Usage: python -m bench.forms http://127.0.0.1:5000/v1 [--rounds 3]; the server needs --parallel 10.
"""

import argparse
import asyncio
import json
import time
from statistics import median
from typing import Any, Final

import aiohttp

Body = dict[str, Any]

_TOKENS: Final = 64
_NUMBERS: Final = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 999}, "minItems": 60}
_OBJECT: Final = {
    "type": "object",
    "properties": {"numbers": _NUMBERS},
    "required": ["numbers"],
    "additionalProperties": False,
}


def _asking(**fields: object) -> Body:
    messages = [{"role": "user", "content": "List many numbers, and tell me a story about them."}]
    usage = {"include_usage": True}
    return {
        "model": "x",
        "messages": messages,
        "max_tokens": _TOKENS,
        "stream": True,
        "stream_options": usage,
        **fields,
    }


def kinds() -> dict[str, list[Body]]:
    """Requests whose replies are all of the same length, whatever they are held to."""
    plain = _asking(ignore_eos=True)
    scored = _asking(ignore_eos=True, logprobs=True, top_logprobs=5)
    schema = _asking(response_format={"type": "json_schema", "json_schema": {"name": "numbers", "schema": _OBJECT}})
    tool = {"type": "function", "function": {"name": "report", "parameters": _OBJECT}}
    call = _asking(tools=[tool], tool_choice="required")
    return {
        "ten plain": [plain] * 10,
        "ten mixed": [schema] * 4 + [call] * 3 + [scored] * 3,
        "ten with a schema": [schema] * 10,
        "one plain": [plain],
        "one with a schema": [schema],
    }


async def _tokens(session: aiohttp.ClientSession, base: str, body: Body) -> int:
    count = 0
    async with session.post(f"{base}/chat/completions", json=body) as response:
        response.raise_for_status()
        async for line in response.content:
            if line.startswith(b"data: {") and (usage := json.loads(line[6:]).get("usage")):
                count = int(usage["completion_tokens"])
    return count


async def _speed(session: aiohttp.ClientSession, base: str, bodies: list[Body]) -> float:
    started = time.perf_counter()
    counts = await asyncio.gather(*(_tokens(session, base, body | {"seed": i}) for i, body in enumerate(bodies)))
    return sum(counts) / (time.perf_counter() - started)


async def _measure(base: str, rounds: int) -> None:
    """The first round is not counted: grammars are compiled in it."""
    speeds: dict[str, list[float]] = {name: [] for name in kinds()}
    async with aiohttp.ClientSession() as session:
        for number in range(rounds + 1):
            for name, bodies in kinds().items():
                speed = await _speed(session, base, bodies)
                if number:
                    speeds[name].append(speed)
    for name, each in speeds.items():
        print(f"{name:18} {median(each):6.1f} tokens/s   {' '.join(f'{speed:.1f}' for speed in each)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    asyncio.run(_measure(options.base, options.rounds))


if __name__ == "__main__":
    main()
