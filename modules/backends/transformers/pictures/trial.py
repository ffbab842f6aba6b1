"""Tries at the load whether a model reads pictures in parts as it does in its own forward pass."""

import inspect
import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import torch

from modules.backends.hub_folder import ModelFolder
from modules.backends.multimodal.encoder import Rows
from modules.backends.multimodal.pieces import runs_of
from modules.backends.sampling.logprobs import Row
from modules.backends.transformers.attention import Ahead
from modules.backends.transformers.pictures.cells import PictureCells
from modules.backends.transformers.pictures.processor import PictureProcessor, picture_of
from modules.backends.transformers.runners import NO_CELL, Piece, Runner, tolerance
from modules.engine.types import LoadSpec, Media, MediaKind, Prompt
from modules.errors import LoadFailed, ServiceError

_log = logging.getLogger(__name__)
_WIDTH: Final = 64
_HEIGHT: Final = 48
_RGB: Final = 3
# Of what is tolerated: no other way comes as near by chance.
_SURELY: Final = 0.01
_BEFORE: Final = (3, 10, 17)
_AFTER: Final = (24, 31, 38)
# The fields with a number for each token, which say where pictures stand.
_TYPES: Final = ("mm_token_type_ids", "token_type_ids")
_FAILURES: Final = (AttributeError, LookupError, TypeError, ValueError, RuntimeError, AssertionError, ServiceError)
_MEDIA: Final = Media(
    kind=MediaKind.IMAGE,
    data=np.random.default_rng(0).integers(0, 256, _WIDTH * _HEIGHT * _RGB, dtype=np.uint8).tobytes(),
    digest=bytes(range(32)),
    width=_WIDTH,
    height=_HEIGHT,
)


class PictureTrial:
    """Made while the model's attention is its own. Raises LoadFailed, with the reason, where it cannot see."""

    def __init__(self, model: Any, processor: PictureProcessor) -> None:
        self._model = model
        self._processor = processor
        try:
            inputs = processor.inputs(picture_of(_MEDIA))
            with torch.inference_mode():
                self._expected = _own_logits(model, inputs)
        except _FAILURES as error:
            raise LoadFailed("its architecture cannot read a picture that its processor made") from error
        # Those whose pictures are blocks have these, with some exceptions.
        preferred = Ahead.EVERYWHERE if _TYPES[1] in inputs else Ahead.NOWHERE
        self._ways = sorted(Ahead, key=lambda way: way is not preferred)

    def passed(self, runner: Runner) -> PictureCells | None:
        """How `runner` has pictures computed as the model does; None where it does not."""
        for by_ids in (False, True):
            error, cells = self._best(runner, by_ids=by_ids)
            if cells is not None and error <= tolerance(self._model):
                return cells
        return None

    def _best(self, runner: Runner, *, by_ids: bool) -> tuple[float, PictureCells | None]:
        """One that is not preferred has to be clearly nearer."""
        best: tuple[float, PictureCells | None] = (float("inf"), None)
        rows: dict[int, Rows] = {}
        for way in self._ways:
            cells = PictureCells(self._model, self._processor, way, by_ids=by_ids)
            error = self._error(runner, cells, rows)
            if error * 2 < best[0]:
                best = error, cells
            if best[0] <= tolerance(self._model) * _SURELY:
                break
        return best

    def _error(self, runner: Runner, cells: PictureCells, rows: dict[int, Rows]) -> float:
        """`rows` are what stands in the cells, once that is known."""
        try:
            if not rows:
                rows.update(cells.encoded(_MEDIA))
            for piece in _pieces(cells, rows):
                found = runner.run([piece])
            return float(np.abs(found[-1] - self._expected).max() / np.abs(self._expected).max())
        except _FAILURES:
            return float("inf")
        finally:
            runner.remove(0)


def picture_trial(spec: LoadSpec, folder: ModelFolder, model: Any) -> PictureTrial | None:
    """None, with a line in the log, for a model that was made to read pictures and cannot here: it reads text. None also
    where its part that sees was not loaded."""
    if not folder.sees or not hasattr(model.config, "vision_config"):
        return None
    try:
        return PictureTrial(model, PictureProcessor(folder, with_code=spec.with_code))
    except LoadFailed as failure:
        tell_blind(spec, failure.message)
        return None


def tell_blind(spec: LoadSpec, why: str) -> None:
    _log.warning("%s is loaded without reading pictures: %s", spec.name, why)


def _own_logits(model: Any, inputs: Any) -> Row:
    """Of the last token of a text with the picture in it."""
    takes = inspect.signature(model.forward).parameters
    fields = {name: value for name, value in inputs.items() if name in takes and name != "attention_mask"}
    own = inputs["input_ids"][0].tolist()
    fields["input_ids"] = torch.tensor([[*_BEFORE, *own, *_AFTER]])
    for name in _TYPES:
        if name in fields:
            fields[name] = torch.tensor([[*(0 for _ in _BEFORE), *fields[name][0].tolist(), *(0 for _ in _AFTER)]])
    placed = {
        name: value.to(model.device, model.dtype if value.is_floating_point() else value.dtype)
        for name, value in fields.items()
        if isinstance(value, torch.Tensor)
    }
    logits: Row = model(**{**fields, **placed}, use_cache=False).logits[0, -1].float().cpu().numpy()
    return logits


def _pieces(cells: PictureCells, rows: Mapping[int, Rows]) -> Iterator[Piece]:
    """The same text as steps read it: pictures in two parts each, where they may be divided."""
    prompt = Prompt((*_BEFORE, *cells.media_tokens(_MEDIA.shape), *_AFTER), (_MEDIA,))
    places = cells.places(prompt)
    runs = runs_of(prompt, cells.pieces)
    at = 0
    ends = [end for run in runs for end in _ends(run.start, run.end, is_whole=run.is_whole)]
    for end in sorted({*ends, len(prompt.tokens)}):
        run = next((run for run in runs if run.start <= at < run.end), None)
        yield Piece(
            0,
            at,
            prompt.tokens[at:end],
            int(end == len(prompt.tokens)),
            cells=None if run is None else rows[run.part][at - run.start : end - run.start],
            places=None if places is None else places.between(at, end),
            ahead=Ahead.NOWHERE if run is None else cells.ahead,
            cell_id=NO_CELL if run is None else cells.cell_id,
        )
        at = end


def _ends(start: int, end: int, *, is_whole: bool) -> Iterator[int]:
    yield start
    if not is_whole and end - start > 1:
        yield (start + end) // 2
    yield end
