"""Which sequence of a draft model's cache holds which tokens, for which job. Pure."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from modules.backends.kv.prefix_cache import common_length


@dataclass(frozen=True, slots=True)
class Trim:
    """`sequence` keeps its first `length` tokens."""

    sequence: int
    length: int


@dataclass(slots=True)
class _Held:
    """`checked` of the tokens are known to be the job's, whose own can only grow."""

    tokens: list[int] = field(default_factory=list)
    checked: int = 0


class DraftCells:
    """`cells` bounds what all sequences hold together. What a finished job left stays for prompts that begin like it: until
    room is needed or, without `keeps_idle`, until the next job begins."""

    def __init__(self, cells: int, sequences: int, *, keeps_idle: bool = True) -> None:
        self._cells = cells
        self._keeps_idle = keeps_idle
        self._held = [_Held() for _ in range(sequences)]
        self._idle: OrderedDict[int, None] = OrderedDict.fromkeys(range(sequences))
        self._jobs: dict[int, int] = {}

    def place(self, job_id: int, tokens: Sequence[int]) -> Iterator[Trim]:
        """Find the job a sequence if it has none, and take out of it what is not a beginning of `tokens`. To be done in
        order; without a sequence for the job, `sequence` is None afterwards."""
        if job_id not in self._jobs:
            if not self._idle:
                return
            best = max(self._idle, key=lambda sequence: common_length(self._held[sequence].tokens, tokens))
            del self._idle[best]
            self._jobs[job_id] = best
            if not self._keeps_idle:
                yield from self._clear_idle()
        sequence = self._jobs[job_id]
        held = self._held[sequence]
        # The last token is always read again: the draft begins with what follows it.
        known = min(held.checked, len(held.tokens))
        common = min(known + common_length(held.tokens[known:], tokens, known), len(tokens) - 1)
        if common < len(held.tokens):
            del held.tokens[common:]
            yield Trim(sequence, common)
        held.checked = common

    def sequence(self, job_id: int) -> int | None:
        return self._jobs.get(job_id)

    def length(self, job_id: int) -> int:
        """How many tokens its sequence holds."""
        return len(self._held[self._jobs[job_id]].tokens)

    def make_room(self, count: int) -> Iterator[Trim]:
        """Give up what finished jobs left, least recently used first, until `count` more tokens fit; they may not even
        then, which `has_room` tells."""
        clearing = self._clear_idle()
        while not self.has_room(count) and (trim := next(clearing, None)):
            yield trim

    def _clear_idle(self) -> Iterator[Trim]:
        for sequence in self._idle:
            if self._held[sequence].tokens:
                self._held[sequence] = _Held()
                yield Trim(sequence, 0)

    def has_room(self, count: int) -> bool:
        return sum(len(held.tokens) for held in self._held) + count <= self._cells

    def extend(self, job_id: int, tokens: Sequence[int]) -> None:
        """`tokens` were computed for the job, after what its sequence holds."""
        self._held[self._jobs[job_id]].tokens.extend(tokens)

    def forget(self, job_id: int) -> None:
        sequence = self._jobs.pop(job_id, None)
        if sequence is not None:
            self._held[sequence].checked = 0
            self._idle[sequence] = None
