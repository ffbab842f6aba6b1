"""A small model of the same vocabulary that drafts for all replies in one batch per token."""

import ctypes
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from llama_cpp import llama_cpp as c

from modules.backends.llamacpp.library import Batch
from modules.backends.llamacpp.speculation.costs import StepCosts
from modules.backends.llamacpp.speculation.draft_cells import DraftCells, Trim
from modules.backends.llamacpp.speculation.source import Ask, Guess
from modules.backends.sampling.logprobs import Row

# A reply that lacks no more than this in the draft model's cache is caught up with in the step that drafts.
_CLOSE: Final = 16
_FIRST_READ: Final = 32


class DraftModel:
    """Owns `model` and `context`, and frees both. Ids from `vocabulary` on are never proposed: the main model lacks them."""

    def __init__(self, model: Any, context: Any, *, sequences: int, vocabulary: int, keeps_idle: bool) -> None:
        self._model = model
        self._context = context
        self._memory = c.llama_get_memory(context)
        self._length = int(c.llama_n_ctx(context))
        self._cells = DraftCells(self._length, sequences, keeps_idle=keeps_idle)
        self._capacity = int(c.llama_n_batch(context))
        self._batch = Batch(self._capacity)
        size = int(c.llama_vocab_n_tokens(c.llama_model_get_vocab(model)))
        self._size = min(size, vocabulary)
        self._costs = StepCosts()
        self._read_seconds = 0.0
        self._rows: list[int] = []

    def propose(self, asks: Sequence[Ask], patience: float) -> dict[int, Guess]:
        ready = [ask for ask in asks if self._is_ready(ask, patience)]
        found: dict[int, list[int]] = {ask.job_id: [] for ask in ready}
        tries = dict.fromkeys(found, 0)
        chances = dict.fromkeys(found, 1.0)
        seeking = ready
        while seeking and self._compute(seeking, found):
            going_on = []
            for row, ask in enumerate(seeking):
                tries[ask.job_id] += 1
                token, chance = _likeliest(self._logits(row))
                chances[ask.job_id] *= chance
                if chances[ask.job_id] >= ask.least:
                    found[ask.job_id].append(token)
                    if len(found[ask.job_id]) < ask.most:
                        going_on.append(ask)
            seeking = going_on
        return {job_id: Guess(tuple(tokens), tries[job_id]) for job_id, tokens in found.items() if tries[job_id]}

    def seconds(self, count: int) -> float:
        return self._costs.of(count) if self._costs.is_known else 0.0

    def forget(self, job_id: int) -> None:
        self._cells.forget(job_id)

    def close(self) -> None:
        self._batch.free()
        c.llama_free(self._context)
        c.llama_model_free(self._model)

    def _is_ready(self, ask: Ask, patience: float) -> bool:
        """Whether all but the last few tokens of the reply have been read; else reads on."""
        if len(ask.tokens) + ask.most > self._length:
            return False
        self._trim(self._cells.place(ask.job_id, ask.tokens))
        if self._cells.sequence(ask.job_id) is None:
            return False
        start = self._cells.length(ask.job_id)
        missing = len(ask.tokens) - start - _CLOSE
        if missing <= 0:
            return True
        usual = _FIRST_READ if not self._read_seconds else int(patience / self._read_seconds)
        end = start + min(missing, self._capacity, max(_FIRST_READ, usual))
        self._read(ask, start, end)
        return end == len(ask.tokens) - _CLOSE

    def _read(self, ask: Ask, start: int, end: int) -> None:
        if not self._make_room(end - start):
            return
        began = time.perf_counter()
        self._batch.clear()
        self._add(ask, ask.tokens, start, end)
        if self._decode():
            self._cells.extend(ask.job_id, ask.tokens[start:end])
            self._read_seconds = (time.perf_counter() - began) / (end - start)

    def _compute(self, asks: Sequence[Ask], found: dict[int, list[int]]) -> bool:
        """Decode what is new of each reply and its draft; row i of the logits is that of `asks[i]`."""
        pieces = []
        for ask in asks:
            start = self._cells.length(ask.job_id)
            whole = [*ask.tokens[start:], *found[ask.job_id]]
            pieces.append((ask, whole[max(0, start - len(ask.tokens)) :], start))
        total = sum(len(tokens) for _, tokens, _ in pieces)
        if total > self._capacity or not self._make_room(total):
            return False
        began = time.perf_counter()
        self._batch.clear()
        for ask, tokens, start in pieces:
            self._add(ask, tokens, 0, len(tokens), offset=start, logits=True)
        if not self._decode():
            return False
        if total == len(asks):
            self._costs.learn(total, time.perf_counter() - began)
        for ask, tokens, _ in pieces:
            self._cells.extend(ask.job_id, tokens)
        self._rows = _last_rows([len(tokens) for _, tokens, _ in pieces])
        return True

    def _add(
        self, ask: Ask, tokens: Sequence[int], start: int, end: int, *, offset: int = 0, logits: bool = False
    ) -> None:
        sequence = self._cells.sequence(ask.job_id)
        assert sequence is not None
        for at in range(start, end):
            self._batch.add(tokens[at], offset + at, sequence, logits=logits and at == end - 1)

    def _make_room(self, count: int) -> bool:
        self._trim(self._cells.make_room(count))
        return self._cells.has_room(count)

    def _trim(self, trims: Iterable[Trim]) -> None:
        for trim in trims:
            c.llama_memory_seq_rm(self._memory, trim.sequence, trim.length, -1)

    def _decode(self) -> bool:
        result = self._batch.decode(self._context)
        if result < 0:
            raise RuntimeError(f"llama_decode of the draft model failed with {result}")
        c.llama_synchronize(self._context)
        return result == 0

    def _logits(self, at: int) -> Row:
        pointer = c.llama_get_logits_ith(self._context, self._rows[at])
        buffer = (ctypes.c_float * self._size).from_address(ctypes.addressof(pointer.contents))
        row: Row = np.frombuffer(memoryview(buffer), dtype=np.float32)
        return row


def _last_rows(lengths: Sequence[int]) -> list[int]:
    """Where in the batch the last token of each piece is."""
    rows, end = [], 0
    for length in lengths:
        end += length
        rows.append(end - 1)
    return rows


def _likeliest(row: Row) -> tuple[int, float]:
    """The token, and its probability."""
    token = int(row.argmax())
    return token, float(1 / np.exp(row - row[token]).sum(dtype=np.float64))
