"""How much of which waiting prompts one step reads. Pure.

Prompts with the least left to read come first, so that a short one does not wait for a long one that came before it
(shortest remaining processing time, Schrage 1968). The oldest gets a quarter of every step all the same, so that it is not
starved by short ones. A step in which short prompts become complete reads little of longer ones: all of the step has
to be computed before the first token of any reply is known.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from modules.backends.kv.plan import KvSlot, Slice

# The oldest prompt gets one in so many tokens, however short others are.
OLDEST_SHARE: Final = 4
# Up to how many times as long as the shortest a prompt may be to be read beside it without bound.
ALIKE: Final = 2
# Reading fewer tokens in a step costs nearly as much as reading these.
MIN_SLICE: Final = 8


def prompt_slices(slots: Sequence[KvSlot], budget: int, scoring_budget: int) -> Iterator[Slice]:
    """What to read of those of `slots` that do not decode, which are in order of arrival: at most `budget` tokens
    together, of prompts that are scored at most `scoring_budget`, and of pictures and sounds a part of one."""
    reading = [slot for slot in slots if not slot.is_decoding and not slot.is_waiting]
    if not reading:
        return
    oldest = reading[0]
    reading.sort(key=_pending)
    budget = min(budget, _sensible(reading))
    reserved = 0 if reading[0] is oldest else max(1, budget // OLDEST_SHARE)
    has_media = False
    for slot in reading:
        reserved = 0 if slot is oldest else reserved
        room = budget - reserved
        room = min(room, scoring_budget) if slot.scores_prompt else room
        is_media = slot.is_at_run
        if room <= 0 or (is_media and has_media):
            continue
        size = slot.reach(room) - slot.computed
        if size <= 0:
            continue
        has_media = has_media or is_media
        budget -= size
        scoring_budget -= size if slot.scores_prompt else 0
        yield Slice(slot, slot.computed, slot.computed + size)


def _pending(slot: KvSlot) -> int:
    return slot.pending


def _sensible(reading: Sequence[KvSlot]) -> int:
    """Tokens that a step may have, so that the shortest prompts get little beside themselves. `reading` is sorted."""
    shortest = reading[0].pending
    own = sum(slot.pending for slot in reading if slot.pending <= ALIKE * shortest)
    longer = sum(slot.pending for slot in reading) - own
    return own + min(longer, max(MIN_SLICE, own // (OLDEST_SHARE - 1)))
