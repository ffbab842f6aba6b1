"""A projector, which turns pictures and sounds into what a model reads in place of tokens.

The library is llama.cpp's mtmd. Pixels and samples come decoded: its own decoders of files would start an ffmpeg that they find.
"""

import ctypes
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from llama_cpp import mtmd_cpp as m

from modules.backends.multimodal.pieces import CellPiece, CellPositions, Pieces, TextPiece
from modules.engine.types import Media, MediaKind, MediaShape
from modules.errors import BadRequest, EngineFailed, LoadFailed

Rows: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]

_TEXT: Final = 0  # mtmd.h, enum mtmd_input_chunk_type
_IMAGE: Final = 1
_PLANES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectorOptions:
    """`flash_attention` is a value of llama.h's enum llama_flash_attn_type."""

    threads: int
    uses_gpu: bool = False
    flash_attention: int = -1


class Projector:
    """Opened for `model`, which has to live as long. `pieces` may be called from any thread, `encode` from one at a time.

    `width` is how many numbers a cell has.
    """

    def __init__(self, path: Path, model: Any, options: ProjectorOptions, *, width: int) -> None:
        params = m.mtmd_context_params_default()
        params.use_gpu = options.uses_gpu
        params.print_timings = False
        params.n_threads = options.threads
        params.flash_attn_type = options.flash_attention
        params.warmup = False
        self._context = m.mtmd_init_from_file(str(path).encode(), model, params)
        if not self._context:
            raise LoadFailed(f"llama.cpp cannot use the projector {path.name} with this model.")
        self._width = width
        self._is_planar = bool(m.mtmd_decode_use_mrope(self._context))
        self.name = path.name
        self.sees = bool(m.mtmd_support_vision(self._context))
        self.audio_rate = int(m.mtmd_get_audio_sample_rate(self._context)) if m.mtmd_support_audio(self._context) else 0

    @property
    def modalities(self) -> tuple[str, ...]:
        kinds = {MediaKind.IMAGE: self.sees, MediaKind.AUDIO: self.audio_rate > 0}
        return ("text", *(kind.value for kind, is_read in kinds.items() if is_read))

    def pieces(self, shape: MediaShape) -> Pieces:
        """Raises BadRequest for what the projector cannot take."""
        with self._chunks(_placeholder(shape)) as chunks:
            return tuple(self._piece(chunk) for chunk in chunks)

    def encode(self, media: Media) -> Generator[tuple[int, Rows], None, None]:
        """The parts of a picture or a sound that are cells, in order, each with its number: one row for each cell. Closing
        the iterator between two parts leaves the rest undone. Raises EngineFailed."""
        bitmap = _bitmap(media)
        with self._chunks(bitmap) as chunks:
            parts = [chunk for chunk in chunks if m.mtmd_input_chunk_get_type(chunk) != _TEXT]
            for part, chunk in enumerate(parts):
                if m.mtmd_encode_chunk(self._context, chunk):
                    raise EngineFailed("The projector failed while it read a picture or a sound.")
                yield part, self._output(int(m.mtmd_input_chunk_get_n_tokens(chunk)))

    def close(self) -> None:
        m.mtmd_free(self._context)

    @contextmanager
    def _chunks(self, bitmap: Any) -> Iterator[Sequence[Any]]:
        """The chunks of one picture or sound; `bitmap` is freed here."""
        chunks = m.mtmd_input_chunks_init()
        try:
            part = m.mtmd_input_part(text=None, bitmap=bitmap)
            parts = (ctypes.POINTER(m.mtmd_input_part) * 1)(ctypes.pointer(part))
            if m.mtmd_tokenize_from_parts(self._context, chunks, parts, 1, False):
                raise BadRequest(
                    "The model's projector cannot take a picture or a sound of this size.", param="messages"
                )
            yield [m.mtmd_input_chunks_get(chunks, index) for index in range(m.mtmd_input_chunks_size(chunks))]
        finally:
            m.mtmd_input_chunks_free(chunks)
            m.mtmd_bitmap_free(bitmap)

    def _piece(self, chunk: Any) -> TextPiece | CellPiece:
        count = int(m.mtmd_input_chunk_get_n_tokens(chunk))
        if m.mtmd_input_chunk_get_type(chunk) == _TEXT:
            length = ctypes.c_size_t(0)
            tokens = m.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(length))
            return TextPiece(tuple(int(tokens[index]) for index in range(length.value)))
        return CellPiece(
            count,
            int(m.mtmd_input_chunk_get_n_pos(chunk)),
            bool(m.mtmd_decode_use_non_causal(self._context, chunk)),
            _positions(chunk, count) if self._is_planar else None,
        )

    def _output(self, count: int) -> Rows:
        """A copy: the library writes the next part to the same place."""
        pointer = m.mtmd_get_output_embd(self._context)
        buffer = (ctypes.c_float * (count * self._width)).from_address(ctypes.addressof(pointer.contents))
        rows: Rows = np.frombuffer(memoryview(buffer), dtype=np.float32).reshape(count, self._width).copy()
        return rows


def set_log(callback: Any) -> None:
    """`callback` has to live as long as the library is used."""
    m.mtmd_log_set(callback, None)
    m.mtmd_helper_log_set(callback, None)


def _placeholder(shape: MediaShape) -> Any:
    """Of a size, without content: enough to count tokens."""
    if shape.kind is MediaKind.IMAGE:
        return m.mtmd_bitmap_init(shape.width, shape.height, None)
    return m.mtmd_bitmap_init_from_audio(shape.samples, None)


def _bitmap(media: Media) -> Any:
    shape = media.shape
    if shape.kind is MediaKind.IMAGE:
        pixels = ctypes.cast(ctypes.c_char_p(media.data), ctypes.POINTER(ctypes.c_uint8))
        return m.mtmd_bitmap_init(shape.width, shape.height, pixels)
    samples = ctypes.cast(ctypes.c_char_p(media.data), ctypes.POINTER(ctypes.c_float))
    return m.mtmd_bitmap_init_from_audio(shape.samples, samples)


def _positions(chunk: Any, count: int) -> CellPositions:
    """Positions are linear in the place where a picture begins, so two places tell all."""
    base, later = (_positions_at(chunk, count, place) for place in (0, 1))
    return CellPositions(base, later - base)


def _positions_at(chunk: Any, count: int, place: int) -> "np.ndarray[Any, np.dtype[np.int32]]":
    if m.mtmd_input_chunk_get_type(chunk) != _IMAGE:
        row = np.arange(place, place + count, dtype=np.int32)
        return np.stack([row, row, row, np.zeros(count, dtype=np.int32)])
    found = (m.mtmd_decoder_pos * count)()
    m.mtmd_helper_image_get_decoder_pos(m.mtmd_input_chunk_get_tokens_image(chunk), place, found)
    # The library's own order of the planes: time, row, column and the fourth.
    table = np.frombuffer(memoryview(found), dtype=np.uint32).reshape(count, _PLANES).astype(np.int32)
    return np.ascontiguousarray(table[:, (0, 2, 1, 3)].T)
