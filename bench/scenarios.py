"""What is measured: ways in which people use a server at once, each with prompts that no two runs share."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from types import MappingProxyType
from typing import Any, Final

from bench.client import Client, Message, Reply

_WORDS: Final = (
    "river stone lantern orchard copper violin harbor meadow thunder silver "
    "market winter garden bridge candle forest mirror island kettle ladder"
).split()
_ANSWER_TOKENS: Final = 128
_SHORT_TOKENS: Final = 32
_LONG_TOKENS: Final = 600
_FEW_TOKENS: Final = 8
_PLAIN: Final[Mapping[str, Any]] = MappingProxyType({})
_UNDISTURBED_SECONDS: Final = 1.5
_ARRIVAL_SECONDS: Final = 0.3


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `higher_is_better` tells how to read a ratio of two."""

    value: float
    unit: str
    higher_is_better: bool


Scenario = Callable[[Client, int], Awaitable[Figure]]


def words(seed: int, count: int) -> str:
    """`count` words that depend on `seed` alone (a linear congruential generator, as POSIX rand)."""
    states = itertools.accumulate(
        range(count), lambda state, _: (state * 1103515245 + 12345) & 0x7FFFFFFF, initial=seed * 7919 + 13
    )
    return " ".join(_WORDS[state % len(_WORDS)] for state in itertools.islice(states, 1, count + 1))


async def single(client: Client, seed: int) -> Figure:
    """One long answer to a short prompt."""
    return await _throughput(client, [_story(seed)])


async def conc8(client: Client, seed: int) -> Figure:
    """Eight long answers at once to different prompts."""
    return await _throughput(client, [_story(seed + number) for number in range(8)])


async def prefill(client: Client, seed: int) -> Figure:
    """The first token after a prompt of some 1,230 tokens."""
    reply = await client.chat([_user(words(seed, 1200))], 2)
    return _first_token([reply])


async def shared8(client: Client, seed: int) -> Figure:
    """Eight requests at once that begin with the same cold system prompt of some 820 tokens."""
    system = {"role": "system", "content": words(seed, 800)}
    started = time.perf_counter()
    await asyncio.gather(
        *(
            client.chat([system, _user(f"Item {number}: describe {words(seed + 1 + number, 4)}.")], _SHORT_TOKENS)
            for number in range(8)
        )
    )
    return Figure(time.perf_counter() - started, "s, all done", higher_is_better=False)


async def multi(client: Client, seed: int) -> Figure:
    """A chat of six turns, each extending the one before: the first token of turns two to six."""
    history: list[Message] = [{"role": "system", "content": words(seed, 500)}]
    replies: list[Reply] = []
    for turn in range(6):
        history.append(_user(f"Turn {turn}: tell me about {words(seed + 1 + turn, 4)}."))
        reply = await client.chat(history, _SHORT_TOKENS)
        history.append({"role": "assistant", "content": reply.text})
        replies.append(reply)
    return _first_token(replies[1:])


async def stall(client: Client, seed: int) -> Figure:
    """The longest gap of a running stream beside a prompt of some 1,500 tokens, in its undisturbed median gaps."""
    stream = asyncio.create_task(client.chat([_user(_story(seed))], _LONG_TOKENS))
    await asyncio.sleep(_UNDISTURBED_SECONDS)
    await client.chat([_user(words(seed + 1, 1450))], 2)
    gaps = (await stream).gaps
    return Figure(max(gaps) / median(gaps), "median gaps", higher_is_better=False)


async def behind(client: Client, seed: int) -> Figure:
    """The first token of a short request that arrives behind a prompt of some 2,400 tokens, in its time alone."""
    alone = await client.chat([_user(f"Say hi to {words(seed, 20)}.")], _FEW_TOKENS)
    long = asyncio.create_task(client.chat([_user(words(seed + 1, 2400))], 2))
    await asyncio.sleep(_ARRIVAL_SECONDS)
    short = await client.chat([_user(f"Say hi to {words(seed + 2, 20)}.")], _FEW_TOKENS)
    await long
    return Figure(short.first_token_seconds / alone.first_token_seconds, "times alone", higher_is_better=False)


def streams(count: int) -> Scenario:
    """So many answers at once."""

    async def measured(client: Client, seed: int) -> Figure:
        return await _throughput(client, [_story(seed + number) for number in range(count)])

    return measured


async def mixed12(client: Client, seed: int) -> Figure:
    """Twelve clients of all kinds at once: what those that stay are told, in all."""
    started = time.perf_counter()
    replies = await _mixed(client, seed)
    return Figure(sum(reply.tokens for reply in replies) / (time.perf_counter() - started), "tokens/s", True)


async def mixed12gap(client: Client, seed: int) -> Figure:
    """The same: the longest gap of any stream, in the median gaps of all."""
    gaps = [gap for reply in await _mixed(client, seed) for gap in reply.gaps]
    return Figure(max(gaps) / median(gaps), "median gaps", higher_is_better=False)


async def _mixed(client: Client, seed: int) -> Sequence[Reply]:
    """Behind 0 to 8,000 tokens of context: chats, long prompts, JSON by a schema, calls that are enforced, and two that
    hang up."""

    def ask(
        number: int, context: int, max_tokens: int, *, leaves_after: int = 0, fields: Mapping[str, Any] = _PLAIN
    ) -> Awaitable[Reply]:
        messages = [{"role": "system", "content": words(seed + number, context)}] if context else []
        return client.chat(
            [*messages, _user(_story(seed + number))], max_tokens, leaves_after=leaves_after, fields=fields
        )

    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": _PLACE, "strict": True}}
    tool = {"type": "function", "function": {"name": "travel", "description": "Travels.", "parameters": _PLACE}}
    calls = {"tools": [tool], "tool_choice": "required"}
    chats = [ask(number, context, _ANSWER_TOKENS) for number, context in enumerate((0, 0, 250, 1000))]
    long = [ask(10 + number, context, _SHORT_TOKENS) for number, context in enumerate((3500, 7000))]
    forms = [
        ask(20 + number, context, _ANSWER_TOKENS, fields={"response_format": form})
        for number, context in enumerate((0, 500))
    ]
    called = [ask(30 + number, context, _ANSWER_TOKENS, fields=calls) for number, context in enumerate((0, 500))]
    leaving = [ask(40 + number, context, _LONG_TOKENS, leaves_after=10) for number, context in enumerate((0, 1500))]
    return await asyncio.gather(*chats, *long, *forms, *called, *leaving)


_TEXT: Final = {"type": "string", "maxLength": 60}
_PLACE: Final = {
    "type": "object",
    "properties": {"name": _TEXT, "country": _TEXT, "what_to_see": _TEXT},
    "required": ["name", "country", "what_to_see"],
    "additionalProperties": False,
}
STREAM_COUNTS: Final = (1, 2, 4, 8, 16, 32)
SCENARIOS: Final[dict[str, Scenario]] = {
    "single": single,
    "conc8": conc8,
    "prefill": prefill,
    "shared8": shared8,
    "multi": multi,
    "stall": stall,
    "behind": behind,
    **{f"streams{count}": streams(count) for count in STREAM_COUNTS},
    "mixed12": mixed12,
    "mixed12gap": mixed12gap,
}
# Slots, and the context that all of them share.
MIXED_SLOTS: Final = 12
MIXED_CONTEXT: Final = 24576
USUAL: Final = ("single", "conc8", "prefill", "shared8", "multi", "stall")


async def _throughput(client: Client, prompts: Sequence[str]) -> Figure:
    started = time.perf_counter()
    replies = await asyncio.gather(*(client.chat([_user(prompt)], _ANSWER_TOKENS) for prompt in prompts))
    tokens = sum(reply.tokens for reply in replies)
    return Figure(tokens / (time.perf_counter() - started), "tokens/s", higher_is_better=True)


def _first_token(replies: Sequence[Reply]) -> Figure:
    milliseconds = 1e3 * median(reply.first_token_seconds for reply in replies)
    return Figure(milliseconds, "ms to first token", higher_is_better=False)


def _story(seed: int) -> str:
    return f"Write a long story about {words(seed, 6)}."


def _user(text: str) -> Message:
    return {"role": "user", "content": text}
