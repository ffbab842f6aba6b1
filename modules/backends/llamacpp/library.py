"""llama.cpp's C functions as this backend uses them: pointers and buffers become Python values here.

The low-level bindings are untyped; everything above this file is typed.
"""

import ctypes
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from llama_cpp import llama_cpp as c

from modules.backends.kv.host_cache import Entry
from modules.backends.kv.plan import Slice
from modules.engine.types import Adapter
from modules.errors import LoadFailed

_log = logging.getLogger(__name__)
_META_BYTES: Final = 1 << 12
# Longer than nearly every token's text; llama.cpp says the length of those that are longer.
_PIECE_BYTES: Final = 64
_ERROR: Final = 4
# What would be over so soon is waited for.
_NEARLY_DONE: Final = 0.03
_KEPT_ERRORS: Final = 8
# ggml.h, enum ggml_log_level.
_LEVELS: Final = {2: logging.DEBUG, 3: logging.WARNING, 4: logging.ERROR}


# "load_tensors:        CUDA0 model buffer size =  1918.35 MiB": the library tells what it takes nowhere but in its log.
_BUFFER: Final = re.compile(r"(\S+) +(model|KV|RS|compute|output) buffer size += +([\d.]+) MiB")
# That of other machines counts there.
_MAIN_MEMORY: Final = re.compile(r"CPU|AMX|BLAS|RPC|.*_Host$")


class DeviceBuffers:
    """How many bytes models and their contexts take on graphics cards, out of the lines of the library's log."""

    def __init__(self) -> None:
        self._earlier = 0.0
        self._sizes: dict[tuple[str, str], float] = {}

    @property
    def total(self) -> int:
        return round((self._earlier + sum(self._sizes.values())) * 2**20)

    def begin(self) -> None:
        """What follows is of a first model."""
        self._earlier = 0.0
        self._sizes.clear()

    def begin_next(self) -> None:
        """What follows is of one more model."""
        self._earlier += sum(self._sizes.values())
        self._sizes.clear()

    def add(self, line: str) -> None:
        """A context may have several caches; buffers to compute in are told again where they grow."""
        for device, kind, size in _BUFFER.findall(line):
            if not _MAIN_MEMORY.match(device):
                before = 0.0 if kind == "compute" else self._sizes.get((device, kind), 0.0)
                self._sizes[device, kind] = before + float(size)


class Log:
    """The library's log, routed to ours. It must be kept alive as long as the library runs: llama.cpp goes on calling it,
    and calls freed memory after that."""

    def __init__(self) -> None:
        self.callback = c.llama_log_callback(self._emit)
        # Of several in a row the first has the reason.
        self.first_error = ""
        self.errors: deque[str] = deque(maxlen=_KEPT_ERRORS)
        self.buffers = DeviceBuffers()
        c.llama_log_set(self.callback, ctypes.c_void_p(0))

    def _emit(self, level: int, text: bytes, _user: Any) -> None:
        line = text.decode("utf-8", "replace").rstrip()
        self.buffers.add(line)
        _log.log(_LEVELS.get(level, logging.DEBUG), "%s", line)
        if level == _ERROR:
            # Without the name of the function that it comes from.
            self.errors.append(line.partition(": ")[2] or line)
            self.first_error = self.first_error or self.last_error

    @property
    def last_error(self) -> str:
        return self.errors[-1] if self.errors else ""


def start() -> Log:
    """Initialise the library."""
    log = Log()
    c.llama_backend_init()
    return log


def model_metadata(model: Any, key: str) -> str | None:
    buffer = ctypes.create_string_buffer(_META_BYTES)
    length = c.llama_model_meta_val_str(model, key.encode(), buffer, _META_BYTES)
    if length < 0:
        return None
    if length >= _META_BYTES:
        buffer = ctypes.create_string_buffer(length + 1)
        c.llama_model_meta_val_str(model, key.encode(), buffer, length + 1)
    return buffer.value.decode("utf-8", "replace")


def tokenize(vocab: Any, text: str, *, special: bool, framed: bool = False) -> list[int]:
    """`framed` adds the tokens that the model wants before and after a text."""
    encoded = text.encode("utf-8", "surrogatepass")
    room = len(encoded) + 8
    tokens = (c.llama_token * room)()
    count = c.llama_tokenize(vocab, encoded, len(encoded), tokens, room, framed, special)
    if count < 0:
        tokens = (c.llama_token * -count)()
        count = c.llama_tokenize(vocab, encoded, len(encoded), tokens, -count, framed, special)
    return list(tokens[:count])


def detokenize(vocab: Any, tokens: Sequence[int]) -> bytes:
    ids = (c.llama_token * len(tokens))(*tokens)
    room = 8 * len(tokens) + 8
    buffer = ctypes.create_string_buffer(room)
    length = c.llama_detokenize(vocab, ids, len(tokens), buffer, room, True, True)
    if length < 0:
        buffer = ctypes.create_string_buffer(-length)
        length = c.llama_detokenize(vocab, ids, len(tokens), buffer, -length, True, True)
    return buffer.raw[:length]


def piece(vocab: Any, token: int, *, special: bool) -> bytes:
    """The bytes that `token` prints; control tokens print nothing unless `special`."""
    buffer = ctypes.create_string_buffer(_PIECE_BYTES)
    length = c.llama_token_to_piece(vocab, token, buffer, _PIECE_BYTES, 0, special)
    if length < 0:
        buffer = ctypes.create_string_buffer(-length)
        length = c.llama_token_to_piece(vocab, token, buffer, -length, 0, special)
    return buffer.raw[:length]


def token_text(vocab: Any, token: int) -> str:
    text = c.llama_vocab_get_text(vocab, token)
    return text.decode("utf-8", "replace") if text else ""


class Batch:
    """A reusable llama_batch. `add` appends one token; what it returns is the row of its logits, when it has one."""

    def __init__(self, capacity: int) -> None:
        self._batch = c.llama_batch_init(capacity, 0, 1)

    def clear(self) -> None:
        self._batch.n_tokens = 0

    def add(self, token: int, position: int, sequence: int, *, logits: bool) -> int:
        batch, row = self._batch, self._batch.n_tokens
        batch.token[row] = token
        batch.pos[row] = position
        batch.n_seq_id[row] = 1
        batch.seq_id[row][0] = sequence
        batch.logits[row] = logits
        batch.n_tokens = row + 1
        return int(row)

    def add_slice(self, piece: Slice) -> int:
        """Appends a slice's tokens, and its draft after them. Returns the row of its first logits, -1 without any."""
        slot = piece.slot
        assert slot.sequence is not None
        first = -1
        saved = piece.start - slot.position(piece.start) if slot.runs else 0
        for at in range(piece.start, piece.end):
            wants = slot.scores_prompt or at == len(slot.tokens) - 1
            row = self.add(slot.tokens[at], at - saved, slot.sequence, logits=wants)
            first = row if wants and first < 0 else first
        for at, token in enumerate(piece.draft, piece.end - saved):
            self.add(token, at, slot.sequence, logits=True)
        return first

    def decode(self, context: Any) -> int:
        """llama_decode's own result: 0 done, 1 no room in the cache, 2 aborted, negative broken."""
        result = int(c.llama_decode(context, self._batch))
        c.llama_synchronize(context)
        return result

    def free(self) -> None:
        c.llama_batch_free(self._batch)


class Interruption:
    """Computations of `context` that end before their time where `is_wanted` says so. It is asked between any two
    operations, on the computing thread; only the CPU asks (llama_set_abort_callback)."""

    def __init__(self, context: Any, is_wanted: Callable[[], bool]) -> None:
        self._context = context
        self._is_wanted = is_wanted
        self._latest = 0.0
        self._callback = c.ggml_abort_callback(self._is_due)

    def decode(self, batch: Batch, seconds: float) -> int:
        """As `Batch.decode`, which is expected to take so many seconds."""
        self._latest = time.perf_counter() + seconds - _NEARLY_DONE
        c.llama_set_abort_callback(self._context, self._callback, None)
        try:
            return batch.decode(self._context)
        finally:
            c.llama_set_abort_callback(self._context, c.ggml_abort_callback(), None)

    def _is_due(self, _data: Any) -> bool:
        return self._is_wanted() and time.perf_counter() < self._latest


class HostBuffer:
    """The memory of the host cache, which holds states of sequences as llama.cpp writes them: `size` bytes, taken at once: what a server needs should not grow while it serves."""

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


def open_adapter(model: Any, adapter: Adapter) -> Any:
    """Its handle, which is freed with `model`. Raises LoadFailed."""
    handle = c.llama_adapter_lora_init(model, adapter.path.encode())
    if not handle:
        raise LoadFailed(f"llama.cpp cannot read the adapter {adapter.name}: it is damaged, or made for another model.")
    return ctypes.cast(handle, c.llama_adapter_lora_p_ctypes)


def set_adapters(context: Any, handles: Sequence[Any], scales: Sequence[float]) -> bool:
    """From now on `context` computes with exactly these. False when it cannot."""
    pointers = (c.llama_adapter_lora_p_ctypes * len(handles))(*handles)
    return not c.llama_set_adapters_lora(context, pointers, len(handles), (ctypes.c_float * len(scales))(*scales))
