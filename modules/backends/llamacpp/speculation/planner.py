"""How many tokens to draft for each reply, by measured cost and acceptance.

A step computes one token of each running reply; drafted ones make it a little longer, and each that comes true saves a
step (arXiv:2211.17192). A draft is worth having where it raises the tokens per second of all replies together.
"""

from collections.abc import Sequence
from typing import Final

from modules.backends.kv.plan import KvSlot, Slice
from modules.backends.llamacpp.speculation.acceptance import HOPE, Acceptance
from modules.backends.llamacpp.speculation.costs import StepCosts
from modules.backends.llamacpp.speculation.source import Ask, DraftSource

# What drafting has to win at least, by estimate: sampling more positions costs time as well.
_MARGIN: Final = 1.05
_SHARED_WEIGHT: Final = 0.02
# Every so many steps go without drafts, so that what they save is measured against what is, not what was.
_PLAIN: Final = 64


class DraftPlanner:
    """Has `source` draft for the replies that gain by it. A draft has at most `most` tokens, all of a step `rows`."""

    def __init__(self, source: DraftSource, *, most: int, rows: int) -> None:
        self._source = source
        self._most = most
        self._rows = rows
        self._costs = StepCosts()
        self._replies: dict[int, Acceptance] = {}
        self._tries: dict[int, int] = {}
        self._usual = HOPE
        self._steps = 0

    def draft(self, slots: Sequence[KvSlot], bounds: dict[int, int]) -> None:
        """Set the drafts of `slots`, which decode; `bounds` says how many tokens of each may be drafted at most."""
        self._tries.clear()
        for slot in slots:
            slot.draft = ()
        self._steps += 1
        if not slots or not self._costs.is_known or self._steps % _PLAIN == 0:
            return
        asks = self._asks(slots, bounds)
        if not asks:
            return
        drafts = self._source.propose(asks, patience=self._costs.of(len(slots)))
        for slot in slots:
            draft = drafts.get(slot.job_id)
            if draft is not None:
                slot.draft = draft.tokens
                self._tries[slot.job_id] = draft.tries

    def learn(self, *, width: int, seconds: float) -> None:
        """A step that read no prompts computed `width` tokens."""
        self._costs.learn(width, seconds)

    def settle(self, piece: Slice, accepted: int) -> None:
        """The first `accepted` tokens of the draft in `piece` came true."""
        tries = self._tries.pop(piece.slot.job_id, 0)
        if not tries:
            return
        # Nothing is known of tokens that follow one that did not come true.
        sought = tries if accepted == len(piece.draft) else accepted + 1
        self._replies[piece.slot.job_id].learn(sought=sought, right=accepted)
        for came_true in [True] * accepted + [False] * (sought - accepted):
            self._usual += _SHARED_WEIGHT * (came_true - self._usual)

    def forget(self, job_id: int) -> None:
        self._replies.pop(job_id, None)
        self._tries.pop(job_id, None)
        self._source.forget(job_id)

    def close(self) -> None:
        self._source.close()

    def _asks(self, slots: Sequence[KvSlot], bounds: dict[int, int]) -> list[Ask]:
        eager = [slot for slot in slots if bounds[slot.job_id] > 0 and not self._reply(slot).is_paused(_said(slot))]
        eager = eager[: self._rows]
        length, least = 0, 1.0
        while eager:
            length = self._best_length(eager, len(slots))
            least = self._least(len(slots), len(eager), length) if length else 1.0
            worst = min(eager, key=lambda slot: self._reply(slot).rate)
            if length and self._reply(worst).rate >= least:
                break
            # It goes without, and the others are looked at again.
            self._reply(worst).pause(_said(worst))
            eager.remove(worst)
        for slot in eager:
            self._reply(slot).pays()
        return [Ask(slot.job_id, slot.tokens, min(length, bounds[slot.job_id]), least) for slot in eager]

    def _reply(self, slot: KvSlot) -> Acceptance:
        reply = self._replies.get(slot.job_id)
        if reply is None:
            reply = self._replies[slot.job_id] = Acceptance(self._usual)
        return reply

    def _best_length(self, eager: Sequence[KvSlot], running: int) -> int:
        """0 where drafts do not pay."""
        rates = [self._reply(slot).rate for slot in eager]
        best, best_speed = 0, _MARGIN * running / self._costs.of(running)
        gained = 0.0
        chances = [1.0] * len(rates)
        for length in range(1, min(self._most, self._rows // len(eager)) + 1):
            chances = [chance * rate for chance, rate in zip(chances, rates, strict=True)]
            gained += sum(chances)
            speed = (running + gained) / self._step_seconds(running, len(eager), length)
            if speed > best_speed:
                best, best_speed = length, speed
        return best

    def _step_seconds(self, running: int, drafting: int, length: int) -> float:
        return self._costs.of(running + drafting * length) + length * self._source.seconds(drafting)

    def _least(self, running: int, drafting: int, length: int) -> float:
        """The probability from which on one more token of a draft takes less time than it saves."""
        extra = self._step_seconds(running, drafting, length) - self._costs.of(running)
        return min(1.0, extra / (drafting * length) * running / self._costs.of(running))


def _said(slot: KvSlot) -> int:
    return len(slot.tokens) - slot.prompt_length
