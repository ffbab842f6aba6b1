"""A small context of a loaded model, to time prefill and decode in."""

import time
from typing import Any, Final

from llama_cpp import llama_cpp as c

from modules.backends.llamacpp import library

# Tokens that differ, so that experts are chosen as in a text.
_STRIDE: Final = 7919


class Trial:
    """Owns a context of `cells` tokens with `params`. Everything is computed after what was computed before."""

    def __init__(self, model: Any, params: Any, cells: int) -> None:
        params.n_ctx = params.n_batch = cells
        params.n_ubatch = min(params.n_ubatch, cells)
        params.n_seq_max = params.n_outputs_max = 1
        self._context = c.llama_init_from_model(model, params)
        if not self._context:
            raise MemoryError
        self._vocabulary = int(c.llama_vocab_n_tokens(c.llama_model_get_vocab(model)))
        self._cells = cells
        self._batch = library.Batch(cells)
        self._position = 0

    def read(self, count: int) -> float:
        """Seconds for `count` tokens in one batch."""
        self._batch.clear()
        for at in range(count):
            self._batch.add(self._token(at), self._position + at, 0, logits=at == count - 1)
        return self._timed(count)

    def write(self, count: int) -> float:
        """Seconds for `count` tokens one after the other."""
        seconds = 0.0
        for at in range(count):
            self._batch.clear()
            self._batch.add(self._token(at), self._position, 0, logits=True)
            seconds += self._timed(1)
        return seconds

    def set_threads(self, threads: int, threads_batch: int) -> None:
        c.llama_set_n_threads(self._context, threads, threads_batch)

    def clear(self) -> None:
        c.llama_memory_clear(c.llama_get_memory(self._context), False)
        self._position = 0

    def close(self) -> None:
        self._batch.free()
        c.llama_free(self._context)

    def _token(self, at: int) -> int:
        return (self._position + at + 1) * _STRIDE % self._vocabulary

    def _timed(self, count: int) -> float:
        started = time.perf_counter()
        if self._batch.decode(self._context) != 0:
            raise MemoryError
        c.llama_synchronize(self._context)
        self._position += count
        return time.perf_counter() - started
