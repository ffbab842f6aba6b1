"""What llama-cpp-python itself says: its C functions, one prompt at a time, one batch for the prompt, the likeliest token."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import numpy as np
from llama_cpp import llama_cpp as c

CONTEXT: Final = 2048
NEAR_TIE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Step:
    """One token of a greedy reply, and by how many logits it was ahead of the second."""

    token: int
    lead: float


class Reference:
    """Greedy continuations, remembered by prompt."""

    def __init__(self, model: Any, context: Any) -> None:
        self._context = context
        self._vocab = c.llama_model_get_vocab(model)
        self._size = int(c.llama_vocab_n_tokens(self._vocab))
        self._known: dict[tuple[int, ...], list[Step]] = {}

    def greedy(self, prompt: Sequence[int], count: int) -> list[Step]:
        """Up to `count` tokens; fewer where the model ends its reply."""
        key = tuple(prompt)
        if len(self._known.get(key, ())) < count:
            self._known[key] = list(self._computed(key, count))
        return self._known[key][:count]

    def log_likelihood(self, prompt: Sequence[int], continuation: Sequence[int]) -> float:
        """The natural logarithm of the probability of `continuation`, after `prompt`."""
        c.llama_memory_clear(c.llama_get_memory(self._context), True)
        row, total = self._decode(prompt).astype(np.float64), 0.0
        for token in continuation:
            total += float(row[token] - np.logaddexp.reduce(row))
            row = self._decode([token]).astype(np.float64)
        return total

    def _computed(self, prompt: Sequence[int], count: int) -> Iterator[Step]:
        c.llama_memory_clear(c.llama_get_memory(self._context), True)
        row = self._decode(prompt)
        for _ in range(count):
            second, first = np.argpartition(row, -2)[-2:]
            best = int(row.argmax())
            yield Step(best, float(abs(row[first] - row[second])))
            if c.llama_vocab_is_eog(self._vocab, best):
                return
            row = self._decode([best])

    def _decode(self, tokens: Sequence[int]) -> Any:
        ids = (c.llama_token * len(tokens))(*tokens)
        assert c.llama_decode(self._context, c.llama_batch_get_one(ids, len(tokens))) == 0
        return np.ctypeslib.as_array(c.llama_get_logits_ith(self._context, -1), shape=(self._size,)).copy()


@contextmanager
def reference(path: Path, *, threads: int = 1, flash: bool = True) -> Iterator[Reference]:
    """As llama-cpp-python's own `Llama` with the same `flash_attn`."""
    model = c.llama_model_load_from_file(str(path).encode(), c.llama_model_default_params())
    params = c.llama_context_default_params()
    params.n_ctx = params.n_batch = CONTEXT
    params.n_threads = params.n_threads_batch = threads
    params.flash_attn_type = c.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash else c.LLAMA_FLASH_ATTN_TYPE_DISABLED
    context = c.llama_init_from_model(model, params)
    try:
        yield Reference(model, context)
    finally:
        c.llama_free(context)
        c.llama_model_free(model)


def assert_same(tokens: Sequence[int], steps: Sequence[Step], ends: Sequence[int], *, near_tie: float = 0.0) -> None:
    """`tokens` are the reference's, up to where it was undecided by less than `near_tie` logits."""
    said = [step for step in steps if step.token not in ends]
    for at, (token, step) in enumerate(zip_longest(tokens, said)):
        if token is None or step is None or token != step.token:
            lead = steps[at].lead if at < len(steps) else near_tie
            assert lead < near_tie, f"token {at} is {token}, not {steps[at : at + 1]}"
            return
