"""What a backend asks of a projector: where media stand in a prompt, and to have them computed."""

import ctypes
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from llama_cpp import llama_cpp as c

from modules.backends.kv.plan import KvSlot, MediaRun, Slice
from modules.backends.llamacpp.media.encoder import MediaEncoder, Rows
from modules.backends.llamacpp.media.pieces import Pieces, Planes, cell_pieces, runs_of, tokens_of
from modules.backends.llamacpp.media.projector import Projector
from modules.engine.types import Media, MediaKind, MediaShape, Prompt

# Of so many sizes it is remembered what stands for them.
_KNOWN_SIZES: Final = 1024
# A step that has to wait looks for new jobs and cancellations that often.
_WAIT_SECONDS: Final = 0.02


class MediaReader:
    """Owns `projector`. `pieces`, `media_tokens`, `knows` and `runs_of` may be called from any thread."""

    def __init__(self, projector: Projector, context: Any) -> None:
        self._projector = projector
        self._context = context
        self._known: OrderedDict[tuple[MediaKind, int, int, int], Pieces] = OrderedDict()
        self._lock = threading.Lock()
        self.encoder = MediaEncoder(projector.encode)
        self._due: dict[int, Rows] = {}

    def pieces(self, shape: MediaShape) -> Pieces:
        key = _size(shape)
        with self._lock:
            if (known := self._known.get(key)) is not None:
                self._known.move_to_end(key)
                return known
        pieces = self._projector.pieces(shape)
        with self._lock:
            self._known[key] = pieces
            if len(self._known) > _KNOWN_SIZES:
                self._known.popitem(last=False)
        return pieces

    def media_tokens(self, shape: MediaShape) -> list[int]:
        return tokens_of(self.pieces(shape), shape.digest)

    def knows(self, prompt: Prompt) -> bool:
        """Whether `runs_of` has nothing to compute."""
        with self._lock:
            return all(_size(media.shape) in self._known for media in prompt.media)

    def runs_of(self, prompt: Prompt) -> tuple[MediaRun, ...]:
        return runs_of(prompt, self.pieces)

    def look_ahead(self, slot: KvSlot, prompt: Prompt) -> str | None:
        """Have encoded what the job will need next. Returns why that failed."""
        run = slot.next_run
        slot.is_waiting = False
        if run is None:
            return None
        rows = self.encoder.rows(run.digest, run.part)
        if rows is None:
            if (failure := self.encoder.failure(slot.job_id)) is not None:
                return failure
            self.encoder.order(_with_digest(prompt.media, run.digest), slot.job_id)
            slot.is_waiting = slot.is_at_run
        elif slot.is_at_run:
            self._due[slot.job_id] = rows
        return None

    def wait(self) -> None:
        """For the encoder, but not long."""
        self.encoder.wait(_WAIT_SECONDS)

    def decode(self, piece: Slice, prompt: Prompt) -> int:
        """llama_decode's own result. The last cell has logits if it is the prompt's last token."""
        slot, run = piece.slot, piece.run
        assert run is not None
        assert slot.sequence is not None
        rows = self._due.pop(slot.job_id)[piece.start - run.start : piece.end - run.start]
        media = _with_digest(prompt.media, run.digest)
        planes = cell_pieces(self.pieces(media.shape))[run.part].planes
        place = slot.position(run.start)
        if planes is None:
            positions = np.arange(place, place + run.end - run.start, dtype=np.int32)[np.newaxis]
        else:
            positions = planes.at(place)
        cut = np.ascontiguousarray(positions[:, piece.start - run.start : piece.end - run.start])
        return decode_rows(self._context, rows, cut, slot.sequence, has_logits=piece.is_last, sees_ahead=run.is_whole)

    def forget(self, job_id: int) -> None:
        self._due.pop(job_id, None)
        self.encoder.forget(job_id)

    def close(self) -> None:
        self.encoder.close()
        self._projector.close()


def decode_rows(
    context: Any, rows: Rows, positions: Planes, sequence: int, *, has_logits: bool, sees_ahead: bool
) -> int:
    """Computes cells in the place of tokens; with `sees_ahead` each sees all of them. No other sequence may be computed
    with them then, and all have to fit one physical batch."""
    count = len(rows)
    batch = c.llama_batch()
    sequences = (c.llama_seq_id * 1)(sequence)
    first = ctypes.cast(sequences, ctypes.POINTER(c.llama_seq_id))
    logits = (ctypes.c_int8 * count)()
    logits[count - 1] = has_logits
    rows = np.ascontiguousarray(rows)
    batch.n_tokens = count
    batch.embd = rows.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    batch.pos = positions.ctypes.data_as(ctypes.POINTER(c.llama_pos))
    batch.n_seq_id = (ctypes.c_int32 * count)(*[1] * count)
    batch.seq_id = (ctypes.POINTER(c.llama_seq_id) * (count + 1))(*[first] * count, None)
    batch.logits = logits
    if sees_ahead:
        c.llama_set_causal_attn(context, False)
    try:
        result = int(c.llama_decode(context, batch))
        c.llama_synchronize(context)
        return result
    finally:
        if sees_ahead:
            c.llama_set_causal_attn(context, True)


def text_only(tokens: Iterable[int]) -> list[int]:
    return [token for token in tokens if token >= 0]


def _size(shape: MediaShape) -> tuple[MediaKind, int, int, int]:
    return shape.kind, shape.width, shape.height, shape.samples


def _with_digest(media: Iterable[Media], digest: bytes) -> Media:
    return next(each for each in media if each.digest == digest)
