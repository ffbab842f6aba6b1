"""Counted in steps and in what they cost: what repeats is drafted as soon and as long as pays, beside a peer with fixed sizes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import pytest

from modules.backends.kv.plan import KvSlot, Slice
from modules.backends.llamacpp.speculation.planner import DraftPlanner, Seat
from modules.engine.types import MAX_DRAFT

# Of a small model on two cores (docs/PERFORMANCE.md): milliseconds by width.
STEPS: Final = {1: 18.7, 2: 42.8, 4: 60.3, 8: 79.4, 12: 96.9, 16: 104.9, 32: 207.6, 64: 326.0, 128: 600.0}
READ: Final = 3.2
END: Final = 7
# How every question ends, the end of a turn and the beginning of a reply.
QUESTION: Final = range(9010, 9024)
BEGIN: Final = (END, 9002, 9003, 9004, 9002)
REPLIES: Final = 6

Guess = Callable[[Sequence[int]], Sequence[int]]


def seconds(width: int) -> float:
    low, high = max(at for at in STEPS if at <= width), min(at for at in STEPS if at >= width)
    share = (width - low) / (high - low) if high > low else 0.0
    return (STEPS[low] + share * (STEPS[high] - STEPS[low])) / 1e3


@dataclass(frozen=True, slots=True)
class Text:
    """A prompt and the reply to it."""

    prompt: Sequence[int]
    reply: Sequence[int]


@dataclass(slots=True)
class Count:
    tokens: int = 0
    steps: int = 0
    drafted: int = 0
    accepted: int = 0
    seconds: float = 0.0

    def add(self, draft: Sequence[int], rest: Sequence[int]) -> int:
        """How many tokens of `draft` are those of `rest`."""
        right = next((at for at, token in enumerate(draft) if at >= len(rest) or token != rest[at]), len(draft))
        self.steps += 1
        self.drafted += len(draft)
        self.accepted += right
        self.tokens += min(right + 1, len(rest))
        self.seconds += seconds(1 + len(draft))
        return right

    @property
    def gain(self) -> float:
        """Times as fast as without drafts."""
        return self.tokens * seconds(1) / self.seconds


def ours(texts: Sequence[Text]) -> Count:
    planner, count = DraftPlanner(most=0, rows=MAX_DRAFT), Count()
    planner.learn_long(READ / 1e3)
    for job, text in enumerate(texts):
        tokens = [*text.prompt, text.reply[0]]
        slot = KvSlot(job, tokens, len(text.prompt))
        planner.begin(job, ends={END})
        said = 1
        while said < len(text.reply):
            slot.computed = len(tokens) - 1
            planner.draft([Seat(slot, len(text.reply) + 99 - said)])
            draft = slot.draft
            right = count.add(draft, text.reply[said:])
            planner.learn(width=1 + len(draft), seconds=seconds(1 + len(draft)))
            planner.settle(Slice(slot, slot.computed, len(tokens), draft), right)
            tokens += text.reply[said : said + right + 1]
            said += right + 1
        planner.forget(job)
    return count


def fixed(texts: Sequence[Text], *, agreeing: int = 24, least: int = 48, most: int = MAX_DRAFT) -> Count:
    """A peer that drafts `least` to `most` tokens after `agreeing` ones that came before, wherever they did."""
    count, after = Count(), {}
    for text in texts:
        tokens, said = [*text.prompt, text.reply[0]], 1
        while said < len(text.reply):
            for at in range(len(tokens) - agreeing):
                after[tuple(tokens[at : at + agreeing])] = tokens[at + agreeing]
            window = list(tokens[-agreeing:])
            while len(window) < agreeing + most and (token := after.get(tuple(window[-agreeing:]))) is not None:
                window.append(token)
            draft = window[agreeing:] if len(window) >= agreeing + least else []
            right = count.add(draft, text.reply[said:])
            tokens += text.reply[said : said + right + 1]
            said += right + 1
    return count


def file(random: Random, length: int = 250) -> list[int]:
    """Of a small vocabulary, so that pairs of tokens come back, as in code."""
    return [random.randrange(100, 160) for _ in range(length)]


def words(random: Random, count: int) -> list[int]:
    return [random.randrange(200, 4000) for _ in range(count)]


def turn(random: Random, *parts: Sequence[int]) -> list[int]:
    return [*words(random, 20), *(token for part in parts for token in part), *QUESTION, *BEGIN]


def copied(random: Random) -> Text:
    content = file(random)
    return Text([*words(random, 20), *content, *BEGIN], [*content, END])


def edited(random: Random) -> Text:
    """Behind an earlier turn, with one token replaced by three."""
    content, at = file(random), random.randrange(60, 190)
    changed = [*content[:at], *(random.randrange(4000, 5000) for _ in range(3)), *content[at + 1 :]]
    return Text([*turn(random), *words(random, 40), END, *turn(random, content)], [*words(random, 12), *changed, END])


def told(random: Random) -> Text:
    """Behind other replies that begin after the same words."""
    turns = [[*turn(random), *words(random, 90), END] for _ in range(3)]
    return Text([*(token for each in turns for token in each), *turn(random)], words(random, 120))


def texts(kind: Callable[[Random], Text]) -> list[Text]:
    return [kind(Random(f"{kind.__name__}{number}")) for number in range(REPLIES)]


@pytest.mark.parametrize(("kind", "gain"), [(copied, 3.1), (edited, 2.4), (told, 0.999)])
def test_no_kind_of_text_is_slower_than_without_drafts_or_with_those_of_the_peer(
    kind: Callable[[Random], Text], gain: float
) -> None:
    mine = ours(texts(kind))
    assert mine.gain >= gain
    assert mine.seconds <= fixed(texts(kind)).seconds


def test_a_copy_takes_few_steps_and_none_beyond_its_end() -> None:
    count = ours(texts(copied)[1:])
    assert count.steps / (REPLIES - 1) < 12
    assert count.drafted == count.accepted


def test_no_draft_is_computed_where_replies_begin_alike_and_go_on_otherwise() -> None:
    assert ours(texts(told)).drafted == 0
