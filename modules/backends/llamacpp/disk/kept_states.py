"""Brings states of sequences from llama.cpp's cache to the disk cache, and back."""

import ctypes
import logging
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from llama_cpp import llama_cpp as c

from modules.backends.adapters import AdapterGroup
from modules.backends.kv.disk.background import BackgroundStore, Fetch
from modules.backends.kv.disk.folder import prefix_folder
from modules.backends.kv.disk.pieces import Use
from modules.backends.kv.disk.store import DiskStore, NewPiece
from modules.backends.kv.plan import Action, KvSlot, Offload, Remove, Restore, StepPlan, Truncate
from modules.backends.kv.scheduler import MIN_OFFLOADED, MIN_SHARED, Scheduler
from modules.backends.llamacpp.disk.identity import group_identity, model_identity
from modules.backends.llamacpp.layout import ContextLayout
from modules.backends.llamacpp.options import LlamaCppOptions
from modules.engine.types import LoadSpec

_log = logging.getLogger(__name__)
_WAIT_SECONDS: Final = 0.02
_GIB: Final = 2**30
# A copy of a piece takes about as long as a step, or less.
_STEPS_BETWEEN: Final = 16


def limit_of(options: LlamaCppOptions) -> int:
    """In bytes."""
    return round(options.cache_disk * _GIB)


def kept_states(spec: LoadSpec, options: LlamaCppOptions, layout: ContextLayout, context: Any) -> "KeptStates | None":
    """None where nothing is to be kept, or where it cannot be."""
    if not options.cache_disk or not spec.cache_folder:
        return None
    try:
        folder = prefix_folder(Path(spec.cache_folder), limit_of(options))
        store = DiskStore(folder, model_identity(spec, options, layout))
    except OSError as error:
        _log.warning("--cache-disk: nothing is kept, because the cache folder cannot be used: %s.", error.strerror)
        return None
    return KeptStates(context, BackgroundStore(store), spare=layout.sequences, whole=not layout.has_pieces)


class KeptStates:
    """All but the threads of `store` runs on the thread of the backend. `spare` is a sequence of `context` that nobody
    else uses; with `whole` states cannot be taken apart, and there need not be one.

    What a job leaves is taken out of the cache piece by piece while nothing else runs, or all at once before its cells
    are lost. Prompts with pictures or sounds are kept, and found, up to the first one.
    """

    def __init__(self, context: Any, store: BackgroundStore, *, spare: int, whole: bool) -> None:
        self._context = context
        self._cells = c.llama_get_memory(context)
        self._store = store
        self._spare = spare
        self._whole = whole
        self._groups: dict[AdapterGroup, bytes] = {}
        self._fetches: dict[int, tuple[KvSlot, Fetch]] = {}
        self._fetched: dict[int, tuple[KvSlot, deque[tuple[Use, bytes]]]] = {}
        self._leaving: dict[int, deque[NewPiece]] = {}
        self._read_seconds = self._read_tokens = 0.0
        self._steps = 0

    @property
    def has_work(self) -> bool:
        """Whether something is to be taken out of the cache."""
        return bool(self._leaving)

    def learn(self, *, seconds: float, read: int, decoded: int) -> None:
        """A step of the model read so many tokens of prompts; later steps count more."""
        # Steps that mostly decode say little of how long reading takes.
        if read > decoded:
            self._read_seconds = 0.9 * self._read_seconds + seconds * read / (read + decoded)
            self._read_tokens = 0.9 * self._read_tokens + read

    def look_up(self, slot: KvSlot, scheduler: Scheduler) -> None:
        """Begin to read what is kept of a prompt, if that is quicker than to compute it."""
        if slot.scores_prompt:
            return
        known = scheduler.known(slot)
        # Pictures and sounds are computed again.
        end = slot.runs[0].start if slot.runs else len(slot.tokens) - 1
        found = self._store.find(self._group(slot.group), slot.tokens[:end], whole=self._whole)
        if found.length - known < MIN_SHARED or not self._store.is_worth_reading(found, known):
            return
        slot.is_fetching = True
        self._fetches[slot.job_id] = slot, self._store.fetch(found.after(known))

    def collect(self) -> None:
        """Jobs whose states were read may be placed. Now and then a piece is taken beside what runs."""
        self._steps += 1
        if self._steps % _STEPS_BETWEEN == 0:
            self.take_next()
        for job_id, (slot, fetch) in tuple(self._fetches.items()):
            if fetch.is_done:
                del self._fetches[job_id]
                slot.is_fetching = False
                if states := deque(fetch.states()):
                    slot.is_waiting = True
                    self._fetched[job_id] = slot, states

    def wait(self) -> None:
        """For something to be read, where nothing else is to be done."""
        if self._fetches:
            self._store.wait(_WAIT_SECONDS)

    def put_back(self, scheduler: Scheduler, apply: Callable[[Iterable[Action]], None]) -> None:
        """Put what was read into the cache: all of it, or one piece where others speak meanwhile."""
        for job_id, (slot, states) in tuple(self._fetched.items()):
            while slot.sequence is not None and states:
                use, state = states.popleft()
                if not self._is_put_back(slot, use, state, scheduler, apply):
                    states.clear()
                if scheduler.decoding:
                    break
            if not states:
                slot.is_waiting = False
                del self._fetched[job_id]

    def remember(self, slot: KvSlot) -> None:
        """The job is over. What it left in the cache is to be kept."""
        _, fetch = self._fetches.pop(slot.job_id, (None, None))
        if fetch is not None:
            fetch.cancel()
        self._fetched.pop(slot.job_id, None)
        length = slot.computed if not slot.runs else min(slot.computed, slot.runs[0].start)
        is_cut = self._whole and length < slot.computed
        if slot.sequence is None or length < MIN_OFFLOADED or is_cut:
            return
        tokens, group = slot.tokens[:length], self._group(slot.group)
        pieces = self._store.missing(group, tokens, whole=self._whole)
        if sum(piece.end - piece.start for piece in pieces) >= MIN_SHARED:
            self._leaving[slot.sequence] = deque(pieces)
        self._store.touch(self._store.peek(group, tokens, whole=self._whole))

    def keep_prompts(self, plan: StepPlan) -> None:
        """Where states cannot be taken apart, those of prompts that `plan` read to their end, which was computed: turns
        that spell the reply otherwise go on from there. Later no such state can be had."""
        for piece in plan.slices if self._whole else ():
            slot = piece.slot
            is_read = piece.end == slot.prompt_length and not slot.was_preempted
            if not is_read or slot.runs or slot.sequence is None or piece.end < MIN_OFFLOADED:
                continue
            new = self._store.missing(self._group(slot.group), slot.tokens[: piece.end], whole=True)
            if new and piece.end - slot.from_disk >= MIN_SHARED:
                self._leaving[slot.sequence] = deque(new)
                self._take(slot.sequence)

    def take_next(self) -> None:
        """One piece, of the sequence that waits longest."""
        sequence = next(iter(self._leaving), None)
        if sequence is not None:
            self._take(sequence)

    def before(self, action: Action) -> None:
        """Something is about to change in the cache: what was to be taken of it is taken now."""
        if isinstance(action, Remove | Truncate | Offload):
            sequence = action.sequence
        elif isinstance(action, Restore):
            sequence = action.target
        else:
            return
        while sequence in self._leaving:
            self._take(sequence)

    def flush(self) -> None:
        """Take and write all that is to be kept."""
        while self._leaving:
            self.take_next()
        self._store.flush()

    def close(self) -> None:
        while self._leaving:
            self.take_next()
        self._store.close()

    def _take(self, sequence: int) -> None:
        pieces = self._leaving[sequence]
        piece = pieces.popleft()
        if not pieces:
            del self._leaving[sequence]
        if not self._store.takes(piece):
            return
        if self._whole:
            # The next job may have gone on in the same cells since.
            has_grown = int(c.llama_memory_seq_pos_max(self._cells, sequence)) != piece.end - 1
            state = None if has_grown else self._state(sequence)
        else:
            c.llama_memory_seq_cp(self._cells, sequence, self._spare, piece.start, piece.end)
            state = self._state(self._spare)
            c.llama_memory_seq_rm(self._cells, self._spare, -1, -1)
        if state is not None:
            self._store.put(piece, state, self._read_seconds / max(1.0, self._read_tokens))

    def _state(self, sequence: int) -> bytearray | None:
        size = int(c.llama_state_seq_get_size(self._context, sequence))
        state = bytearray(size)
        # Written in place: states are large.
        memory = (ctypes.c_uint8 * size).from_buffer(state)
        written = int(c.llama_state_seq_get_data(self._context, memory, size, sequence))
        return state if written == size else None

    def _is_put_back(
        self,
        slot: KvSlot,
        use: Use,
        state: bytes,
        scheduler: Scheduler,
        apply: Callable[[Iterable[Action]], None],
    ) -> bool:
        """False when the rest of the prompt has to be computed."""
        if use.head.start > slot.computed or (self._whole and slot.computed):
            return False
        if use.end <= slot.computed:
            return True
        # The whole piece needs cells, even if only a part of it is wanted.
        actions: list[Action] = []
        has_room = scheduler.make_room_for(slot, use.head.end, actions)
        apply(actions)
        if not has_room or slot.sequence is None:
            return False
        if self._whole:
            if not self._set(state, slot.sequence):
                return False
        else:
            is_set = self._set(state, self._spare)
            if is_set:
                c.llama_memory_seq_cp(self._cells, self._spare, slot.sequence, slot.computed, use.end)
            c.llama_memory_seq_rm(self._cells, self._spare, -1, -1)
            if not is_set:
                return False
        scheduler.take_over(slot, use.end)
        return True

    def _set(self, state: bytes, sequence: int) -> bool:
        memory = ctypes.cast(ctypes.c_char_p(state), ctypes.POINTER(ctypes.c_uint8))
        return bool(c.llama_state_seq_set_data(self._context, memory, len(state), sequence))

    def _group(self, group: AdapterGroup) -> bytes:
        """Adapters are read once, so that what their files are later does not count."""
        if group not in self._groups:
            try:
                self._groups[group] = group_identity(group)
            except OSError:
                # Nothing is found under a name that no other model process gives.
                self._groups[group] = repr(group).encode() + repr(id(self)).encode()
        return self._groups[group]
