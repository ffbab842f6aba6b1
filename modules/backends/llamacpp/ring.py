"""The memory of the stash: states of sequences as llama.cpp writes them."""

import ctypes
from typing import Any

from llama_cpp import llama_cpp as c

from modules.backends.llamacpp.stash import Entry


class Ring:
    """`size` bytes, taken at once: what a server needs should not grow while it serves."""

    def __init__(self, context: Any, size: int) -> None:
        self._context = context
        self._memory = (ctypes.c_uint8 * size)()
        ctypes.memset(self._memory, 0, size)

    def measure(self, sequence: int) -> int:
        """Bytes that the state of `sequence` takes."""
        return int(c.llama_state_seq_get_size(self._context, sequence))

    def write(self, sequence: int, entry: Entry) -> None:
        written = c.llama_state_seq_get_data(self._context, self._at(entry), entry.size, sequence)
        if written != entry.size:
            raise RuntimeError(f"llama.cpp saved {written} bytes of a state of {entry.size}")

    def read(self, entry: Entry, sequence: int) -> None:
        if not c.llama_state_seq_set_data(self._context, self._at(entry), entry.size, sequence):
            raise RuntimeError("llama.cpp refused a state that it had saved")

    def _at(self, entry: Entry) -> Any:
        return (ctypes.c_uint8 * entry.size).from_buffer(self._memory, entry.start)
