"""Pictures as the model's own vision part sees them, in the places of tokens."""

import inspect
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from modules.backends.multimodal.cells import MediaCells
from modules.backends.multimodal.encoder import Rows
from modules.backends.multimodal.pieces import cell_pieces
from modules.backends.transformers.attention import Ahead
from modules.backends.transformers.pictures.processor import PictureProcessor, picture_of
from modules.backends.transformers.runners import NO_CELL, Places
from modules.engine.types import Media, Prompt
from modules.errors import EngineFailed


@dataclass(frozen=True, slots=True)
class PromptPlaces:
    """The positions of a prompt's tokens where each has several; those after it go on one by one from `after`."""

    planes: Places
    after: int

    def between(self, start: int, end: int) -> Places:
        known = self.planes[:, start:end]
        missing = end - max(start, self.planes.shape[1])
        if missing <= 0:
            return known
        first = self.after + max(0, start - self.planes.shape[1])
        following = np.broadcast_to(np.arange(first, first + missing), (len(self.planes), missing))
        return np.concatenate((known, following), axis=1)


class PictureCells(MediaCells):
    """The cells of a picture see each other as `ahead` says: where they do, they are computed together. With `by_ids` the
    model puts them in the places of `cell_id`, with what it adds to them in its layers."""

    def __init__(self, model: Any, processor: PictureProcessor, ahead: Ahead, *, by_ids: bool) -> None:
        is_whole = ahead is not Ahead.NOWHERE
        super().__init__(lambda shape: processor.pieces(shape, is_whole=is_whole), self.encoded)
        self.ahead = ahead
        self._model = model
        self._processor = processor
        self.cell_id = processor.cell_id if by_ids else NO_CELL
        self._has_planes = hasattr(model.base_model, "get_rope_index")

    def places(self, prompt: Prompt) -> PromptPlaces | None:
        """None where each token has the position of its number."""
        if not self._has_planes or not prompt.media:
            return None
        grids = [self._processor.layout(media.shape).grid for media in prompt.media]
        types = [int(token < 0) for token in prompt.tokens]
        ids = [self._processor.cell_id if token < 0 else token for token in prompt.tokens]
        planes, _ = self._model.base_model.get_rope_index(
            input_ids=torch.tensor([ids]),
            mm_token_type_ids=torch.tensor([types]),
            image_grid_thw=torch.cat(grids),
        )
        own = planes[:, 0].numpy()
        return PromptPlaces(own, int(own.max()) + 1)

    def encoded(self, media: Media) -> Generator[tuple[int, Rows], None, None]:
        """Its parts, in order, each with its number: one row for each cell. Raises BadRequest, EngineFailed."""
        with torch.inference_mode():
            inputs = self._processor.inputs(picture_of(media))
            rows = _seen(self._model, inputs, with_added=self.cell_id != NO_CELL)
        parts = cell_pieces(self.pieces(media.shape))
        if len(rows) != sum(part.count for part in parts):
            raise EngineFailed("The model sees another number of cells in a picture than its processor says.")
        at = 0
        for number, part in enumerate(parts):
            yield number, rows[at : at + part.count]
            at += part.count


def _seen(model: Any, inputs: Mapping[str, Any], *, with_added: bool) -> Rows:
    """What the model puts in the places of all cells; what its layers add to them beside it."""
    see = model.base_model.get_image_features
    takes = inspect.signature(see).parameters
    fields = {name: _on(value, model) for name, value in inputs.items() if name in takes}
    found = see(**fields)
    added = getattr(found, "deepstack_features", None) if with_added else None
    parts = [getattr(found, "pooler_output", found), *(added or ())]
    rows: Rows = torch.cat([_joined(part) for part in parts], dim=1).float().cpu().numpy()
    return rows


def _joined(pictures: Any) -> torch.Tensor:
    return torch.cat([_flat(each) for each in pictures]) if isinstance(pictures, Sequence) else _flat(pictures)


def _on(value: Any, model: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    return value.to(model.device, model.dtype) if value.is_floating_point() else value.to(model.device)


def _flat(numbers: torch.Tensor) -> torch.Tensor:
    return numbers.reshape(-1, numbers.shape[-1])
