"""What to draft for each reply, and how much, by measured cost and acceptance.

Texts that a reply may repeat cost nothing to look at; a draft model is asked for those replies that no text knows how to
go on with, where it pays.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Final

from modules.backends.kv.plan import KvSlot, Slice
from modules.backends.llamacpp.speculation.acceptance import HOPE, Acceptance
from modules.backends.llamacpp.speculation.allotment import MARGIN, allot
from modules.backends.llamacpp.speculation.costs import StepCosts
from modules.backends.llamacpp.speculation.lookup import Lookup
from modules.backends.llamacpp.speculation.rates import Rates
from modules.backends.llamacpp.speculation.source import Ask, Draft, DraftSource
from modules.engine.protocols import Drafter

_SHARED_WEIGHT: Final = 0.02
# Every so many steps go without drafts, so that what they save is measured against what is, not what was.
_PLAIN: Final = 128
# Flash attention of CPUs computes 64 rows and more by another kernel, whose logits differ by up to 0.35: near-ties, and what
# just missed a cut, would fall otherwise with drafts than without.
_WIDEST: Final = 63
# What a constraint forces is sampled like all else where its log probabilities are wanted.
_FORCED_CHANCE: Final = 0.99


@dataclass(frozen=True, slots=True)
class Seat:
    """A reply that decodes. At most `bound` tokens of it may be drafted; `forced` ones come next in any case. `allowed`
    says how many of some tokens its constraint could take. A draft model is not asked where it `has_media`."""

    slot: KvSlot
    bound: int
    forced: tuple[int, ...] = ()
    allowed: Callable[[Sequence[int]], int] | None = None
    has_media: bool = False

    def draft(self, lookup: Lookup | None, most: int) -> Draft:
        """A draft of at most `most` tokens."""
        most = min(most, self.bound)
        if self.forced:
            count = min(len(self.forced), most)
            return Draft(self.forced[:count], (_FORCED_CHANCE,) * count, (Drafter.CONSTRAINT,) * count)
        if lookup is None or not lookup.has_read(len(self.slot.tokens)):
            return Draft()
        draft = lookup.propose(most)
        return draft if self.allowed is None or not draft.tokens else draft.cut(self.allowed(draft.tokens))


class DraftPlanner:
    """Drafts for the replies that gain by it. The drafts of a step have at most `rows` tokens together, and one of the
    draft `model` has `most`. Without `reads_texts` only what requests predict is looked at."""

    def __init__(self, model: DraftSource | None = None, *, most: int, rows: int, reads_texts: bool = True) -> None:
        self._model = model
        self._most = most
        self._rows = rows
        self._reads_texts = reads_texts
        self._costs = StepCosts()
        self._rates = Rates()
        self._lookups: dict[int, Lookup] = {}
        self._replies: dict[int, Acceptance] = {}
        self._drafts: dict[int, Draft] = {}
        self._tries: dict[int, int] = {}
        self._usual = HOPE
        self._steps = 0

    def begin(self, job_id: int, prediction: Sequence[int] = (), ends: Container[int] = frozenset()) -> None:
        """A job is to be drafted for; its reply may be like `prediction`, and one of the tokens `ends` ends it."""
        if prediction or self._reads_texts:
            rates = Rates(self._rates)
            self._lookups[job_id] = Lookup(rates, prediction, reads_reply=self._reads_texts, ends=ends)

    def draft(self, seats: Sequence[Seat]) -> None:
        """Set the drafts of the replies that decode."""
        self._tries.clear()
        self._drafts.clear()
        for seat in seats:
            seat.slot.draft = ()
            if (lookup := self._lookups.get(seat.slot.job_id)) is not None:
                lookup.read(seat.slot.tokens, seat.slot.prompt_length)
        self._steps += 1
        if not seats or not self._costs.is_known or self._steps % _PLAIN == 0:
            return
        running = sum(seat.slot.pending for seat in seats)
        rows = min(self._rows + len(seats), _WIDEST) - running
        rows -= self._draft_from_texts(seats, rows)
        if self._model is not None and rows > 0:
            self._draft_with(self._model, seats, rows)

    def learn(self, *, width: int, seconds: float) -> None:
        """A step that read no prompts computed `width` tokens, and the logits of all of them."""
        self._costs.learn(width, seconds)

    def learn_long(self, seconds: float) -> None:
        """So long a token took in steps that read prompts."""
        self._costs.learn_long(seconds)

    def drafters(self, job_id: int) -> Sequence[Drafter]:
        """Who proposed the tokens of the job's draft."""
        return self._drafts[job_id].drafters if job_id in self._drafts else ()

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
        self._lookups.pop(job_id, None)
        self._replies.pop(job_id, None)
        self._drafts.pop(job_id, None)
        self._tries.pop(job_id, None)
        if self._model is not None:
            self._model.forget(job_id)

    def close(self) -> None:
        if self._model is not None:
            self._model.close()

    def _draft_from_texts(self, seats: Sequence[Seat], rows: int) -> int:
        """How many tokens were drafted."""
        drafts = [self._from_texts(seat, rows) if seat.bound > 0 else Draft() for seat in seats]
        width = sum(seat.slot.pending for seat in seats)
        lengths = allot([draft.chances for draft in drafts], self._costs, width=width, tokens=width, rows=rows)
        for seat, draft, length in zip(seats, drafts, lengths, strict=True):
            if length:
                cut = self._drafts[seat.slot.job_id] = draft.cut(length)
                seat.slot.draft = cut.tokens
        return sum(lengths)

    def _from_texts(self, seat: Seat, rows: int) -> Draft:
        """One token more than there is room for tells that the draft does not end with its text."""
        return seat.draft(self._lookups.get(seat.slot.job_id), max(0, rows) + 1)

    def _draft_with(self, model: DraftSource, seats: Sequence[Seat], rows: int) -> None:
        asks = self._asks(model, seats, rows)
        if not asks:
            return
        guesses = model.propose(asks, patience=self._costs.of(len(seats)))
        for seat in seats:
            guess = guesses.get(seat.slot.job_id)
            if guess is not None:
                count = len(guess.tokens)
                seat.slot.draft = guess.tokens
                self._drafts[seat.slot.job_id] = Draft(guess.tokens, (HOPE,) * count, (Drafter.MODEL,) * count)
                self._tries[seat.slot.job_id] = guess.tries

    def _asks(self, model: DraftSource, seats: Sequence[Seat], rows: int) -> list[Ask]:
        bounds = {seat.slot.job_id: seat.bound for seat in seats}
        eager = [seat.slot for seat in seats if seat.bound > 0 and not seat.has_media and not seat.slot.draft]
        eager = [slot for slot in eager if not self._reply(slot).is_paused(_said(slot))][:rows]
        running = sum(seat.slot.pending + len(seat.slot.draft) for seat in seats)
        length, least = 0, 1.0
        while eager:
            length = self._best_length(model, eager, running, rows)
            least = self._least(model, running, len(eager), length) if length else 1.0
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

    def _best_length(self, model: DraftSource, eager: Sequence[KvSlot], running: int, rows: int) -> int:
        """0 where drafts do not pay."""
        rates = [self._reply(slot).rate for slot in eager]
        best, best_speed = 0, MARGIN * running / self._costs.of(running)
        gained = 0.0
        chances = [1.0] * len(rates)
        for length in range(1, min(self._most, rows // len(eager)) + 1):
            chances = [chance * rate for chance, rate in zip(chances, rates, strict=True)]
            gained += sum(chances)
            speed = (running + gained) / self._step_seconds(model, running, len(eager), length)
            if speed > best_speed:
                best, best_speed = length, speed
        return best

    def _step_seconds(self, model: DraftSource, running: int, drafting: int, length: int) -> float:
        return self._costs.of(running + drafting * length) + length * model.seconds(drafting)

    def _least(self, model: DraftSource, running: int, drafting: int, length: int) -> float:
        """The probability from which on one more token of a draft takes less time than it saves."""
        extra = self._step_seconds(model, running, drafting, length) - self._costs.of(running)
        return min(1.0, extra / (drafting * length) * running / self._costs.of(running))


def _said(slot: KvSlot) -> int:
    return len(slot.tokens) - slot.prompt_length
