"""The cells of pictures and sounds: which stand in a prompt, and what is computed in their places."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from modules.backends.kv.plan import KvSlot, MediaRun, Slice
from modules.backends.multimodal.encoder import Encode, MediaEncoder, Rows
from modules.backends.multimodal.pieces import Pieces, runs_of, tokens_of
from modules.engine.types import Media, MediaKind, MediaShape, Prompt

# Of so many sizes it is remembered what stands for them.
_KNOWN_SIZES: Final = 1024
# A step that has to wait looks for new jobs and cancellations that often.
_WAIT_SECONDS: Final = 0.02


class MediaCells:
    """`pieces_of` says what stands for a size, from any thread, and `encode` computes it, on a thread of its own.

    `pieces`, `media_tokens`, `knows` and `runs_of` may be called from any thread.
    """

    def __init__(self, pieces_of: Callable[[MediaShape], Pieces], encode: Encode) -> None:
        self._pieces_of = pieces_of
        self._known: OrderedDict[tuple[MediaKind, int, int, int], Pieces] = OrderedDict()
        self._lock = threading.Lock()
        self.encoder = MediaEncoder(encode)
        self._due: dict[int, Rows] = {}

    def pieces(self, shape: MediaShape) -> Pieces:
        key = _size(shape)
        with self._lock:
            if (known := self._known.get(key)) is not None:
                self._known.move_to_end(key)
                return known
        pieces = self._pieces_of(shape)
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
            self.encoder.order(with_digest(prompt.media, run.digest), slot.job_id)
            slot.is_waiting = slot.is_at_run
        elif slot.is_at_run:
            self._due[slot.job_id] = rows
        return None

    def due(self, piece: Slice) -> Rows:
        """What `look_ahead` found for the cells of `piece`, which are the next of its job."""
        run = piece.run
        assert run is not None
        return self._due.pop(piece.slot.job_id)[piece.start - run.start : piece.end - run.start]

    def wait(self) -> None:
        """For the encoder, but not long."""
        self.encoder.wait(_WAIT_SECONDS)

    def forget(self, job_id: int) -> None:
        self._due.pop(job_id, None)
        self.encoder.forget(job_id)

    def close(self) -> None:
        self.encoder.close()


def text_only(tokens: Iterable[int]) -> list[int]:
    return [token for token in tokens if token >= 0]


def with_digest(media: Iterable[Media], digest: bytes) -> Media:
    return next(each for each in media if each.digest == digest)


def _size(shape: MediaShape) -> tuple[MediaKind, int, int, int]:
    return shape.kind, shape.width, shape.height, shape.samples
