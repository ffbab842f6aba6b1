"""What stands in a prompt for a picture or a sound, and where in a prompt it stands. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from modules.backends.kv.plan import MediaRun
from modules.engine.media import cells
from modules.engine.types import MediaShape, Prompt
from modules.errors import BadRequest

# Rows are the position planes of a batch, columns its cells.
Planes: TypeAlias = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True, slots=True, eq=False)
class CellPositions:
    """The positions of cells for models that have several for each: those at place 0 of a sequence, and how much they grow
    with every place that the cells stand later."""

    base: Planes
    slope: Planes

    def at(self, place: int) -> Planes:
        positions: Planes = self.base + self.slope * np.int32(place)
        return positions


@dataclass(frozen=True, slots=True)
class TextPiece:
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CellPiece:
    """`count` cells that take `positions` places. With `is_whole` they see each other, so they are computed together."""

    count: int
    positions: int
    is_whole: bool = False
    planes: CellPositions | None = field(default=None, compare=False)


Pieces: TypeAlias = tuple[TextPiece | CellPiece, ...]


def tokens_of(pieces: Pieces, digest: bytes) -> list[int]:
    tokens: list[int] = []
    for piece in pieces:
        tokens += piece.tokens if isinstance(piece, TextPiece) else cells(digest, piece.count)
    return tokens


def cell_pieces(pieces: Pieces) -> list[CellPiece]:
    return [piece for piece in pieces if isinstance(piece, CellPiece)]


def runs_of(prompt: Prompt, pieces_of: Callable[[MediaShape], Pieces]) -> tuple[MediaRun, ...]:
    """Where the media of `prompt` stand. Raises BadRequest where its cells are not those of its media, in order."""
    runs: list[MediaRun] = []
    tokens, at = prompt.tokens, 0
    for media in prompt.media:
        pieces = pieces_of(media.shape)
        expected = tokens_of(pieces, media.digest)
        lead = next(index for index, token in enumerate(expected) if token < 0)
        first = next((index for index in range(at, len(tokens)) if tokens[index] < 0), len(tokens))
        start = first - lead
        if start < at or list(tokens[start : start + len(expected)]) != expected:
            raise _misplaced()
        runs += _runs_at(start, pieces, media.digest)
        at = start + len(expected)
    if any(token < 0 for token in tokens[at:]):
        raise _misplaced()
    return tuple(runs)


def _runs_at(start: int, pieces: Pieces, digest: bytes) -> Iterator[MediaRun]:
    part = 0
    for piece in pieces:
        if isinstance(piece, TextPiece):
            start += len(piece.tokens)
            continue
        end = start + piece.count
        yield MediaRun(
            start=start, end=end, positions=piece.positions, digest=digest, part=part, is_whole=piece.is_whole
        )
        start, part = end, part + 1


def _misplaced() -> BadRequest:
    return BadRequest("The prompt's cells are not those of its pictures and sounds.", param="prompt")
