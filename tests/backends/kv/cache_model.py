"""A stand-in for llama.cpp's memory and decode loop: it obeys a scheduler, and checks every order it is given."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any

from modules.backends.adapters import AdapterGroup
from modules.backends.kv.host_cache import Entry, HostCache
from modules.backends.kv.plan import (
    Action,
    CacheTraits,
    Copy,
    KvSlot,
    Offload,
    Remove,
    Restore,
    Slice,
    StepPlan,
    Truncate,
)
from modules.backends.kv.scheduler import Scheduler

BUDGET = 16
SCORING_BUDGET = 4


@dataclass(slots=True, eq=False)
class Play:
    """One job as it runs: its slot, how many tokens it will say, and when it was last computed."""

    slot: KvSlot
    length: int
    said: int = 0
    computed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a scheduler has to live with. In these worlds the host cache takes one byte per token.

    Replies that decode have up to `draft` tokens drafted, some of which are wrong.
    With a `window`, every cell that left it is forgotten at once, unless another sequence has it too.
    """

    cells: int = 4096
    parallel: int = 8
    spare: int = 16
    can_share: bool = True
    keeps_idle: bool = True
    host_cache: int = 0
    window: int = 0
    budget: int = BUDGET
    draft: int = 0


class CacheModel:
    """Cells by sequence; a cell is a number and the token in it."""

    def __init__(self, world: World) -> None:
        self.world = world
        traits = CacheTraits(
            cells=world.cells,
            parallel=world.parallel,
            sequences=world.parallel + world.spare,
            can_share=world.can_share,
            keeps_idle=world.keeps_idle,
        )
        self.scheduler = Scheduler(
            traits,
            host_cache=HostCache(world.host_cache, lambda sequence: len(self.held[sequence])),
            still_holds=self._still_holds if world.window else None,
        )
        self.held: dict[int, list[tuple[int, int]]] = {}
        self.groups: dict[int, AdapterGroup] = {}
        self.forgotten: set[int] = set()
        self.ring: list[int] = [-1] * world.host_cache
        self.plays: dict[int, Play] = {}
        self.finished: dict[int, Play] = {}
        self.started: list[int] = []
        self.actions: list[Action] = []
        self.computed_tokens = 0
        self.preemptions = 0
        self._numbers = count()

    def add(
        self, job_id: int, prompt: list[int], length: int, *, scores: bool = False, group: AdapterGroup = ()
    ) -> Play:
        """A job that will say `length` tokens; 0 reads its prompt only."""
        slot = KvSlot(job_id, list(prompt), len(prompt), scores_prompt=scores, group=group)
        play = self.plays[job_id] = Play(slot, length)
        self.scheduler.add(slot)
        return play

    def drop(self, job_id: int) -> None:
        self.apply(self.scheduler.finish(self.plays.pop(job_id).slot))

    def step(self) -> StepPlan:
        """What the backend does in a step: one batch, or a chore when there is nothing else to do."""
        if not self.scheduler.has_work:
            self.apply(self.scheduler.offload_deferred() if self.scheduler.has_deferred else ())
            return StepPlan()
        self.apply(self.scheduler.place_waiting())
        placed = {job_id for job_id, play in self.plays.items() if play.slot.sequence is not None}
        self.started += sorted(placed.difference(self.started))
        self.scheduler.take_turn()
        for slot in self.scheduler.decoding_slots:
            slot.draft = self._draft(self.plays[slot.job_id])
        plan = self.scheduler.plan(self.world.budget, SCORING_BUDGET)
        self.preemptions += sum(self.plays[job_id].slot.sequence is None for job_id in placed)
        self.apply(plan.actions)
        self._compute(plan)
        self.scheduler.commit(plan)
        for piece in plan.slices:
            if piece.is_last:
                self._say_all(self.plays[piece.slot.job_id], piece)
        self.check()
        return plan

    def run(self, *, most_steps: int = 2000) -> None:
        steps = 0
        while self.scheduler.has_work:
            steps += 1
            assert steps < most_steps, "some job never ends"
            self.step()

    def apply(self, actions: Iterable[Action]) -> None:
        for action in actions:
            self.actions.append(action)
            match action:
                case Copy(source, target, length):
                    assert not self.held.get(target), "a copy into a sequence that holds something"
                    assert length <= len(self.held[source]), "a copy of more than there is"
                    self.held[target] = self.held[source][:length]
                case Remove(sequence):
                    self.held.pop(sequence, None)
                case Truncate(sequence, length):
                    assert length <= len(self.held[sequence]), "a cut beyond the end"
                    del self.held[sequence][length:]
                case Offload(sequence, entry):
                    assert list(entry.tokens) == self.tokens(sequence), "an entry that says something else"
                    self.ring[entry.start : entry.end] = entry.tokens
                    assert len(self.ring) == self.world.host_cache
                case Restore(entry, target, length):
                    assert not self.held.get(target), "a state for a sequence that holds something"
                    assert self.ring[entry.start : entry.end] == list(entry.tokens), "a state that was written over"
                    assert self.used() + entry.size <= self.world.cells, "no cells for a state"
                    self._restore(entry, target, length)

    def _restore(self, entry: Entry, target: int, length: int) -> None:
        cells = [(next(self._numbers), token) for token in entry.tokens]
        self.groups |= dict.fromkeys((number for number, _ in cells), entry.group)
        if self.world.window:
            self.forgotten.update(number for number, _ in cells[: -self.world.window])
        self.held[target] = cells[:length]

    def _forget(self) -> None:
        holders = Counter(cell for cells in self.held.values() for cell in cells)
        for cells in self.held.values():
            gone = cells[: max(0, len(cells) + 1 - self.world.window)]
            self.forgotten.update(cell[0] for cell in gone if holders[cell] == 1)

    def _compute(self, plan: StepPlan) -> None:
        assert {piece.slot.group for piece in plan.slices} <= {self.scheduler.turn}, "a batch of several groups"
        for piece in plan.slices:
            slot = piece.slot
            assert slot.sequence is not None
            assert all(self.groups[number] == slot.group for number, _ in self.held.get(slot.sequence, ()))
            cells = self.held.setdefault(slot.sequence, [])
            assert self.tokens(slot.sequence) == slot.tokens[: piece.start], "the cache holds something else"
            assert self._still_holds(slot.sequence, piece.start), "what the window needs was forgotten"
            cells.extend(
                (next(self._numbers), token) for token in [*slot.tokens[piece.start : piece.end], *piece.draft]
            )
            self.groups |= dict.fromkeys((number for number, _ in cells), slot.group)
            self.computed_tokens += piece.end - piece.start
            self.plays[slot.job_id].computed += piece.end - piece.start
        assert self.used() <= self.world.cells, "more cells than there are"
        if self.world.window:
            self._forget()

    def _draft(self, play: Play) -> tuple[int, ...]:
        """What the reply says next, with a wrong token somewhere."""
        start, wrong = len(play.slot.tokens), len(play.slot.tokens) % (self.world.draft + 1)
        count = min(self.world.draft, play.length - play.said - 1)
        coming = reply_of(play.slot.tokens, max(0, count))[start:]
        return tuple(token + (at == wrong) for at, token in enumerate(coming))

    def _say_all(self, play: Play, piece: Slice) -> None:
        """One token, and one more for each drafted one that came true; the cells of the others are given back."""
        accepted = 0
        for token in piece.draft:
            if next_token(play.slot.tokens) != token:
                break
            play.slot.tokens.append(token)
            play.said += 1
            accepted += 1
        if piece.draft:
            self.apply(self.scheduler.settle(piece, accepted))
        self._say(play)

    def _say(self, play: Play) -> None:
        if play.said < play.length:
            play.slot.tokens.append(next_token(play.slot.tokens))
            play.said += 1
        if play.said == play.length:
            self._finish(play)

    def _finish(self, play: Play) -> None:
        job_id = play.slot.job_id
        self.apply(self.scheduler.finish(play.slot))
        self.finished[job_id] = self.plays.pop(job_id)

    def _still_holds(self, sequence: int, length: int) -> bool:
        missing = [at for at, (number, _) in enumerate(self.held[sequence]) if number in self.forgotten]
        oldest = missing[-1] + 1 if missing else 0
        return oldest <= max(0, length + 1 - self.world.window)

    def tokens(self, sequence: int) -> list[int]:
        return [token for _, token in self.held.get(sequence, [])]

    def used(self) -> int:
        return len({cell for cells in self.held.values() for cell in cells})

    def check(self) -> None:
        assert self.scheduler._cache.cells == self.used()
        running = [play.slot.sequence for play in self.plays.values() if play.slot.sequence is not None]
        assert len(set(running)) == len(running), "two jobs in one sequence"
        assert len(running) == self.scheduler.decoding + self.scheduler.prefilling


def made(**world: Any) -> CacheModel:
    return CacheModel(World(**world))


def own(start: int, count: int) -> list[int]:
    """A prompt that shares nothing."""
    return list(range(start, start + count))


def next_token(tokens: list[int]) -> int:
    """What the model says after `tokens`: the same whatever happened on the way."""
    return 100 + hash(tuple(tokens)) % 1000


def reply_of(prompt: list[int], length: int) -> list[int]:
    """The prompt and the `length` tokens that follow it."""
    tokens = list(prompt)
    for _ in range(length):
        tokens.append(next_token(tokens))
    return tokens
