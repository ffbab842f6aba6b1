"""--cache-reuse: cells of finished jobs are moved to where a prompt has their tokens again."""

from collections.abc import Callable, Iterable
from typing import Any

from llama_cpp import llama_cpp as c

from modules.backends.kv.host_cache import Entry, HostCache
from modules.backends.kv.moves import CellMove, MovePlanner
from modules.backends.kv.plan import Action, KvSlot
from modules.backends.kv.scheduler import Scheduler
from modules.backends.llamacpp.library import HostBuffer

Apply = Callable[[Iterable[Action]], None]


class CellReuse:
    """Moves runs of at least `least` tokens, none where that is 0. What is moved was computed behind other tokens than now
    stand before it: replies may differ from those to a prompt that was read. `spare` is a sequence that nobody else uses.
    """

    def __init__(self, context: Any, host: HostCache, buffer: HostBuffer, *, spare: int, least: int) -> None:
        self._cells = c.llama_get_memory(context)
        self._host = host
        self._buffer = buffer
        self._spare = spare
        self._least = least
        self._sources: dict[int, Entry | None] = {}

    def move(self, slots: Iterable[KvSlot], scheduler: Scheduler, apply: Apply) -> None:
        """To be called before each plan, with all jobs that have a place."""
        for slot in slots if self._least else ():
            if slot.job_id not in self._sources:
                self._sources[slot.job_id] = self._look_up(slot, scheduler, apply)
            while slot.moves and slot.moves[0].target <= slot.computed:
                move, *others = slot.moves
                is_moved = not slot.was_preempted and self._is_moved(slot, move, scheduler, apply)
                slot.moves = tuple(others) if is_moved else ()

    def forget(self, job_id: int) -> None:
        self._sources.pop(job_id, None)

    def _look_up(self, slot: KvSlot, scheduler: Scheduler, apply: Apply) -> Entry | None:
        """The state that has most of what is not at hand of the prompt."""
        # The last token is always computed.
        tokens = slot.tokens[:-1]
        is_plain = not (slot.scores_prompt or slot.runs or slot.was_preempted)
        if not is_plain or len(tokens) - slot.computed < self._least:
            return None
        planner = MovePlanner(tokens, slot.computed, self._least)
        best = self._best(planner, slot)
        idle = {sequence: planner.likeness(held) for sequence, held in scheduler.idle(slot.group).items()}
        if idle and max(idle.values()) > (0 if best is None else planner.likeness(best.tokens)):
            apply(scheduler.put_aside(max(idle, key=idle.__getitem__)))
            best = self._best(planner, slot)
        if best is not None:
            slot.moves = planner.moves(best.tokens)
        return best

    def _best(self, planner: MovePlanner, slot: KvSlot) -> Entry | None:
        return max(self._host.entries(slot.group), key=lambda entry: planner.likeness(entry.tokens), default=None)

    def _is_moved(self, slot: KvSlot, move: CellMove, scheduler: Scheduler, apply: Apply) -> bool:
        """False when the rest of the prompt has to be computed."""
        entry = self._sources[slot.job_id]
        if entry is None or slot.sequence is None or not self._host.holds(entry) or not scheduler.can_restore(entry):
            return False
        # All of the state needs cells, even if only a part of it is wanted.
        actions: list[Action] = []
        with self._host.pinned(entry):
            has_room = scheduler.make_room_for(slot, slot.computed + len(entry.tokens), actions)
            apply(actions)
        if not has_room or not self._host.holds(entry):
            return False
        self._buffer.read(entry, self._spare)
        end = move.source + move.length
        c.llama_memory_seq_rm(self._cells, self._spare, 0, move.source)
        c.llama_memory_seq_rm(self._cells, self._spare, end, -1)
        c.llama_memory_seq_add(self._cells, self._spare, move.source, end, move.target - move.source)
        c.llama_memory_seq_cp(self._cells, self._spare, slot.sequence, move.target, move.end)
        c.llama_memory_seq_rm(self._cells, self._spare, -1, -1)
        scheduler.take_over(slot, move.end, is_moved=True)
        return True
