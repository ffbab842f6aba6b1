"""What a backend asks of a projector: where media stand in a prompt, and to have them computed."""

import ctypes
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as c
from typing_extensions import override

from modules.backends.kv.plan import Slice
from modules.backends.llamacpp.media.projector import Projector
from modules.backends.multimodal.cells import MediaCells, with_digest
from modules.backends.multimodal.encoder import Rows
from modules.backends.multimodal.pieces import Planes, cell_pieces
from modules.engine.types import Prompt


class MediaReader(MediaCells):
    """Owns `projector`."""

    def __init__(self, projector: Projector, context: Any) -> None:
        super().__init__(projector.pieces, projector.encode)
        self._projector = projector
        self._context = context

    def decode(self, piece: Slice, prompt: Prompt) -> int:
        """llama_decode's own result. The last cell has logits if it is the prompt's last token."""
        slot, run = piece.slot, piece.run
        assert run is not None
        assert slot.sequence is not None
        rows = self.due(piece)
        media = with_digest(prompt.media, run.digest)
        planes = cell_pieces(self.pieces(media.shape))[run.part].planes
        place = slot.position(run.start)
        if planes is None:
            positions = np.arange(place, place + run.end - run.start, dtype=np.int32)[np.newaxis]
        else:
            positions = planes.at(place)
        cut = np.ascontiguousarray(positions[:, piece.start - run.start : piece.end - run.start])
        return decode_rows(self._context, rows, cut, slot.sequence, has_logits=piece.is_last, sees_ahead=run.is_whole)

    @override
    def close(self) -> None:
        super().close()
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
