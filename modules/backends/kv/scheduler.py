"""Chooses the tokens of the next batch, and the cells that make room for them. Pure.

Every step decodes one token of each running reply and reads a bounded slice of the prompts that wait (chunked prefill,
arXiv:2308.16369), short ones first. Jobs with a common beginning share its cells; those that arrive together wait for one
of them to compute it. A picture or a sound is taken over whole or not at all, and of one at most a step computes a part,
since it cannot be mixed with text. When cells run out, finished sequences go first, least recently used ones before others;
then the youngest running job is preempted: it gives its cells back and is read again later, with what it had said so far.

Where attention pays for every used cell (on CPUs), finished sequences also leave the cache, for the host cache, as soon as
a job begins that does not need them. A job that runs alone then finds the cache as if it were new, and its reply does not
depend on what was asked before it. A sequence that was computed beside others lies scattered among their cells, which makes
it slow to copy: it is copied in a moment when nothing runs, or not at all.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Final

from modules.backends.adapters import AdapterGroup
from modules.backends.kv.fair_shares import prompt_slices
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
from modules.backends.kv.prefix_cache import Match, PrefixCache

# Copying a shorter prefix costs more than computing it, unless a picture is in it.
MIN_SHARED: Final = 16
# Shorter sequences are computed again sooner than they are copied back.
MIN_OFFLOADED: Final = 24
# llama.cpp copies each run of cells on its own.
MAX_PIECES: Final = 8
# Cells for the next tokens of every running reply, so that a new prompt does not take them.
GROWTH: Final = 32


class Scheduler:
    """Decides for one cache; `host_cache` takes in what leaves it.

    With `still_holds`, the cache may have forgotten beginnings (sliding windows): it tells whether all that matters
    after the first `length` tokens of a sequence is still there.
    """

    def __init__(
        self,
        traits: CacheTraits,
        *,
        host_cache: HostCache | None = None,
        still_holds: Callable[[int, int], bool] | None = None,
    ) -> None:
        assert traits.sequences > traits.parallel
        self._cells = traits.cells
        self._parallel = traits.parallel
        self._can_share = traits.can_share
        self._keeps_idle = traits.keeps_idle
        self._copies = traits.copies
        self._host_cache = host_cache or HostCache(0, lambda sequence: 0)
        self._still_holds = still_holds
        self._cache = PrefixCache()
        self._free = deque(range(traits.sequences))
        self._idle: OrderedDict[int, None] = OrderedDict()
        self._waiting: deque[KvSlot] = deque()
        self._running: list[KvSlot] = []
        self._pieces: Counter[int] = Counter()
        self._deferred: deque[int] = deque()
        self._turn: AdapterGroup = ()

    @property
    def has_deferred(self) -> bool:
        return bool(self._deferred)

    @property
    def has_work(self) -> bool:
        return bool(self._waiting or self._running)

    @property
    def decoding(self) -> int:
        return sum(slot.is_decoding for slot in self._running)

    @property
    def prefilling(self) -> int:
        return len(self._running) - self.decoding

    @property
    def turn(self) -> AdapterGroup:
        """The group whose jobs the next plan is made of."""
        return self._turn

    @property
    def decoding_slots(self) -> list[KvSlot]:
        return [slot for slot in self._running if slot.is_decoding and slot.group == self._turn]

    @property
    def running(self) -> list[int]:
        """The jobs that have a place."""
        return [slot.job_id for slot in self._running]

    def add(self, slot: KvSlot) -> None:
        self._waiting.append(slot)

    def place_waiting(self) -> Iterator[Action]:
        """Give waiting jobs a place, in order of arrival, while there is one; each action is done before the next."""
        for slot in [slot for slot in self._waiting if not slot.is_fetching]:
            if len(self._running) >= self._parallel:
                break
            match = self._match(slot)
            if self._is_about_to_be_shared(slot, match):
                continue
            if not self._has_room(slot, match):
                break
            self._waiting.remove(slot)
            actions: list[Action] = []
            self._place(slot, match, actions)
            yield from actions

    def take_turn(self) -> None:
        """Groups of running jobs come one after the other, once for each step."""
        groups = list(dict.fromkeys(slot.group for slot in self._running if not slot.is_waiting))
        if groups:
            after = groups.index(self._turn) + 1 if self._turn in groups else 0
            self._turn = groups[after % len(groups)]

    def plan(self, budget: int, scoring_budget: int) -> StepPlan:
        """The next batch of the group whose turn it is: every running reply's token, then up to `budget` prompt tokens,
        shared fairly (`fair_shares`).

        Jobs that score their prompts get at most `scoring_budget` together, because each token has a row of logits.
        """
        plan = StepPlan()
        while not (slices := list(self._slices(budget, scoring_budget))) or not self._make_room(slices, plan.actions):
            if not slices:
                break
        plan.slices = slices
        return plan

    def known(self, slot: KvSlot) -> int:
        """How much of the prompt need not be computed, as things stand."""
        return max(self._match(slot).length, self._host_match(slot)[0])

    def make_room_for(self, slot: KvSlot, end: int, actions: list[Action]) -> bool:
        """Free cells for the tokens of `slot` up to `end`; False when another job had to give way, or this one."""
        return self._make_room([Slice(slot, slot.computed, end)], actions)

    def take_over(self, slot: KvSlot, end: int, *, is_moved: bool = False) -> None:
        """The cells of the tokens of `slot` up to `end` were put there, from disk or from another place."""
        assert slot.sequence is not None
        self._cache.extend(slot.sequence, slot.tokens[slot.computed : end])
        slot.take_over(end, is_moved=is_moved)

    def idle(self, group: AdapterGroup) -> dict[int, list[int]]:
        """The tokens of finished sequences of `group`."""
        return {each: self._cache.tokens(each) for each in self._idle if self._cache.group(each) == group}

    def put_aside(self, sequence: int) -> list[Action]:
        """Copy an idle sequence to the host cache."""
        actions: list[Action] = []
        self._offload(sequence, actions)
        return actions

    def preempt(self) -> list[Action] | None:
        """The cache refused the batch: free something. None when nothing is left to free."""
        actions: list[Action] = []
        return actions if self._free_something(actions) else None

    def commit(self, plan: StepPlan) -> None:
        """The plan was computed."""
        for piece in plan.slices:
            slot = piece.slot
            assert slot.sequence is not None
            self._cache.extend(slot.sequence, slot.tokens[piece.start : piece.end])
            slot.computed = piece.end
            self._pieces[slot.sequence] += len(plan.slices) > 1

    def checkpoints(self, plan: StepPlan) -> list[Action]:
        """Copies of prompts that were just read, for turns that spell the reply otherwise, where no end can be cut off."""
        actions: list[Action] = []
        for sequence in () if self._can_share else plan.read_prompts:
            if self._pieces[sequence] <= MAX_PIECES:
                self._offload(sequence, actions)
        return actions

    def settle(self, piece: Slice, accepted: int) -> list[Action]:
        """Of the draft of `piece`, which was computed, the first `accepted` tokens are part of the reply."""
        slot = piece.slot
        assert slot.sequence is not None
        slot.draft = ()
        if accepted:
            self._cache.extend(slot.sequence, piece.draft[:accepted])
            slot.computed += accepted
        return [Truncate(slot.sequence, slot.position(slot.computed))] if accepted < len(piece.draft) else []

    def offload_deferred(self) -> list[Action]:
        """Copy a scattered sequence to the host cache; for when nothing else is to be done."""
        sequence = self._deferred.popleft()
        return self.put_aside(sequence) if sequence in self._idle else []

    def finish(self, slot: KvSlot) -> list[Action]:
        """The job is over, or gone. What it computed stays as a prefix for others until room is needed."""
        if slot in self._waiting:
            self._waiting.remove(slot)
        if slot not in self._running:
            return []
        self._running.remove(slot)
        assert slot.sequence is not None
        return self._retire(slot.sequence)

    def _match(self, slot: KvSlot) -> Match:
        """At least one token is always computed again: its logits are what the reply begins with."""
        if slot.scores_prompt:
            return Match(0, None)
        match = slot.cut_match(self._cache.match(slot.tokens[:-1], slot.group)) if self._can_share else None
        if match is not None and self._is_whole(slot, match):
            return match
        whole = self._cache.whole_match(slot.tokens[:-1], self._idle, slot.group)
        return whole if slot.cut_match(whole) == whole else Match(0, None)

    def _is_whole(self, slot: KvSlot, match: Match) -> bool:
        """True when nothing that the job needs of its match has been forgotten."""
        if self._still_holds is None or match.sequence is None:
            return True
        return self._still_holds(match.sequence, slot.position(match.length))

    def _is_about_to_be_shared(self, slot: KvSlot, match: Match) -> bool:
        """True when a running job will soon have computed clearly more of this prompt than the cache holds now."""
        if slot.scores_prompt or not self._can_share:
            return False
        return any(
            other.computed < (common := slot.common_with(other)) and common - match.length >= MIN_SHARED
            for other in self._running
            if not other.is_decoding and not other.scores_prompt and other.group == slot.group
        )

    def _has_room(self, slot: KvSlot, match: Match) -> bool:
        """True when the job fits beside the running ones with some room for all to grow."""
        if not self._running:
            return True
        held = [other.sequence for other in self._running if other.sequence is not None]
        kept = [*held, match.sequence] if match.sequence is not None else held
        shared_outside = min(match.length, self._cache.cells_of(kept) - self._cache.cells_of(held))
        needed = len(slot.tokens) if self._copies else len(slot.tokens) - match.length + shared_outside
        coming = sum(other.pending for other in self._running)
        growth = GROWTH * (len(self._running) + 1)
        return self._cache.cells_of(held) + coming + needed + growth <= self._cells

    def _place(self, slot: KvSlot, match: Match, actions: list[Action]) -> None:
        on_host, entry = self._host_match(slot)
        is_worth_it = on_host - match.length >= MIN_SHARED or slot.has_run(match.length, on_host)
        if entry is not None and is_worth_it and self.can_restore(entry):
            self._place_restored(slot, entry, on_host, actions)
        else:
            self._place_matched(slot, match, actions)
        if not slot.was_preempted:
            slot.cached = slot.computed
        self._running.append(slot)

    def _host_match(self, slot: KvSlot) -> tuple[int, Entry | None]:
        if slot.scores_prompt:
            return 0, None
        is_whole = not self._can_share or self._still_holds is not None
        length, entry = self._host_cache.match(slot.tokens[:-1], whole=is_whole, group=slot.group)
        cut = slot.cut(length)
        return (0, None) if is_whole and cut < length else (cut, entry)

    def can_restore(self, entry: Entry) -> bool:
        """An entry needs cells for all its tokens, even if only some of them are to be kept."""
        held = [other.sequence for other in self._running if other.sequence is not None]
        return self._cache.cells_of(held) + len(entry.tokens) <= self._cells

    def _place_restored(self, slot: KvSlot, entry: Entry, length: int, actions: list[Action]) -> None:
        with self._host_cache.pinned(entry):
            self._clear_idle(actions, keep=None)
            while self._cache.cells + len(entry.tokens) > self._cells:
                self._remove_idle(next(iter(self._idle)), actions)
            slot.sequence = self._sequence_for(Match(0, None), actions)
        self._cache.begin(slot.sequence, slot.group)
        actions.append(Restore(entry, slot.sequence, slot.position(length)))
        self._cache.extend(slot.sequence, slot.tokens[:length])
        slot.computed = length

    def _place_matched(self, slot: KvSlot, match: Match, actions: list[Action]) -> None:
        source = match.sequence
        self._clear_idle(actions, keep=source)
        slot.sequence = self._sequence_for(match, actions)
        self._cache.begin(slot.sequence, slot.group)
        if slot.sequence != source and source is not None:
            self._share(source, slot.sequence, match.length, actions)
            actions.append(Copy(source, slot.sequence, slot.position(match.length)))
            slot.shared = 0 if source in self._idle else match.length
            if source in self._idle:
                self._idle.move_to_end(source)
                self._drop_if_redundant(source, actions)
            self._clear_idle(actions, keep=None)
        slot.computed = match.length

    def _share(self, source: int, target: int, length: int, actions: list[Action]) -> None:
        if not self._copies:
            self._cache.share(source, target, length)
            return
        others = [sequence for sequence in self._idle if sequence != source]
        while others and self._cache.cells + length > self._cells:
            self._remove_idle(others.pop(0), actions)
        self._cache.extend(target, self._cache.tokens(source)[:length])

    def _sequence_for(self, match: Match, actions: list[Action]) -> int:
        """A sequence for a new job: the matched one itself when it is idle and wholly matched, else an unused one."""
        source = match.sequence
        if source is not None and source in self._idle and self._cache.length(source) == match.length:
            del self._idle[source]
            return source
        if not self._free:
            victim = next(sequence for sequence in self._idle if sequence != source)
            self._remove_idle(victim, actions)
        return self._free.popleft()

    def _clear_idle(self, actions: list[Action], *, keep: int | None) -> None:
        if not self._keeps_idle:
            for sequence in [sequence for sequence in self._idle if sequence != keep]:
                self._remove_idle(sequence, actions)

    def _slices(self, budget: int, scoring_budget: int) -> Iterator[Slice]:
        own = [slot for slot in self._running if slot.group == self._turn]
        for slot in own:
            if slot.is_decoding:
                yield Slice(slot, slot.computed, len(slot.tokens), slot.draft)
        yield from prompt_slices(own, budget, scoring_budget)

    def _make_room(self, slices: list[Slice], actions: list[Action]) -> bool:
        """Free idle cells for `slices`; False when drafts had to be given up or a job preempted, so that they must be
        chosen anew."""
        needed = sum(piece.width for piece in slices)
        while self._cache.cells + needed > self._cells:
            if self._idle:
                self._remove_idle(next(iter(self._idle)), actions)
            elif any(piece.draft for piece in slices):
                for slot in self._running:
                    slot.draft = ()
                return False
            else:
                self._preempt_youngest(actions)
                return False
        return True

    def _free_something(self, actions: list[Action]) -> bool:
        if self._idle:
            self._remove_idle(next(iter(self._idle)), actions)
            return True
        if len(self._running) > 1:
            self._preempt_youngest(actions)
            return True
        return False

    def _preempt_youngest(self, actions: list[Action]) -> None:
        slot = self._running.pop()
        assert slot.sequence is not None
        self._give_back(slot.sequence, actions)
        slot.sequence, slot.computed, slot.was_preempted = None, 0, True
        self._waiting.appendleft(slot)

    def _retire(self, sequence: int) -> list[Action]:
        actions: list[Action] = []
        self._idle[sequence] = None
        self._drop_if_redundant(sequence, actions)
        if not self._keeps_idle and self._pieces[sequence] > MAX_PIECES:
            self._deferred.append(sequence)
        return actions

    def _drop_if_redundant(self, sequence: int, actions: list[Action]) -> None:
        if self._cache.is_redundant(sequence):
            del self._idle[sequence]
            self._give_back(sequence, actions)

    def _remove_idle(self, sequence: int, actions: list[Action]) -> None:
        """Out of the cache and, if it is worth keeping, into the host cache."""
        del self._idle[sequence]
        if self._pieces[sequence] <= MAX_PIECES:
            self._offload(sequence, actions)
        self._give_back(sequence, actions)

    def _offload(self, sequence: int, actions: list[Action]) -> None:
        if self._cache.length(sequence) >= MIN_OFFLOADED:
            entry = self._host_cache.add(sequence, self._cache.tokens(sequence), self._cache.group(sequence))
            if entry is not None:
                actions.append(Offload(sequence, entry))

    def _give_back(self, sequence: int, actions: list[Action]) -> None:
        self._cache.release(sequence)
        del self._pieces[sequence]
        if sequence in self._deferred:
            self._deferred.remove(sequence)
        self._free.append(sequence)
        actions.append(Remove(sequence))
