"""A folder's own processor: which tokens stand for a picture, and which numbers the model reads of it."""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any, Final

from PIL import Image

from modules.backends.hub_folder import TOKENIZER_CONFIG, ModelFolder, optional_json
from modules.backends.model_templates import template_beside
from modules.backends.multimodal.pieces import CellPiece, Pieces, TextPiece
from modules.backends.transformers.library import transformers
from modules.engine.media import unreadable
from modules.engine.types import Media, MediaKind, MediaShape
from modules.errors import BadRequest, LoadFailed

_FILES: Final = ("processor_config.json", "preprocessor_config.json")
# Of so many sizes it is remembered what stands for them.
_KNOWN_SIZES: Final = 1024
# What says how the patches of a picture lie, by the names that models have for it.
_GRID: Final = "image_grid_thw"
# The parts of a processor that reading pictures takes.
_NEEDED: Final = frozenset(("tokenizer", "image_processor"))
_SHOWN: Final = 300


@dataclass(frozen=True, slots=True)
class PictureLayout:
    """What stands for pictures of one size: `runs` of token ids, those of cells None with their number; `grid` is the
    shape of the patches, for models whose positions depend on it."""

    runs: tuple[tuple[int, ...] | int, ...]
    grid: Any


class PictureProcessor:
    """Raises LoadFailed, with the reason, where the folder has none that works. May be used from any thread."""

    def __init__(self, folder: ModelFolder, *, with_code: bool) -> None:
        if not any((folder.path / name).is_file() for name in _FILES):
            raise LoadFailed(f"its folder has no {_FILES[0]} or {_FILES[1]}")
        self._lock = threading.Lock()
        self._processor = _opened(folder, with_code=with_code)
        token = getattr(self._processor, "image_token", None)
        # What opens in its place may be a tokenizer alone, which can have that text, too.
        if not all(hasattr(self._processor, part) for part in _NEEDED) or not isinstance(token, str) or not token:
            raise LoadFailed("its processor does not say what stands for a picture")
        added = self._processor.tokenizer.added_tokens_decoder.values()
        self._text = picture_text(template_beside(folder.path) or "", token, [str(each) for each in added])
        self.cell_id = _cell_id(folder, self._processor)
        self._layout = lru_cache(_KNOWN_SIZES)(self._measured)

    def layout(self, shape: MediaShape) -> PictureLayout:
        """Depends on the size only. Raises BadRequest."""
        if shape.kind is not MediaKind.IMAGE:
            raise unreadable(shape.kind)
        found: PictureLayout = self._layout(shape.width, shape.height)
        return found

    def pieces(self, shape: MediaShape, *, is_whole: bool) -> Pieces:
        return tuple(
            CellPiece(run, run, is_whole=is_whole) if isinstance(run, int) else TextPiece(run)
            for run in self.layout(shape).runs
        )

    def inputs(self, picture: Image.Image) -> Mapping[str, Any]:
        """What the model takes, `input_ids` of the picture alone among it. Raises BadRequest."""
        try:
            # Its tokenizer has switches that every call sets.
            with self._lock:
                found: Mapping[str, Any] = self._processor(
                    text=[self._text], images=[picture], return_tensors="pt", add_special_tokens=False
                )
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise BadRequest(
                "The model's processor cannot take a picture of this size.", param="messages", code="invalid_image"
            ) from error
        return found

    def _measured(self, width: int, height: int) -> PictureLayout:
        inputs = self.inputs(Image.new("RGB", (width, height)))
        ids: Sequence[int] = inputs["input_ids"][0].tolist()
        return PictureLayout(tuple(_runs(ids, self.cell_id)), inputs.get(_GRID))


def picture_of(media: Media) -> Image.Image:
    return Image.frombytes("RGB", (media.width, media.height), media.data)


def picture_text(template: str, token: str, controls: Collection[str]) -> str:
    """`token` with the control texts that the chat template writes directly around it."""
    start = template.find(token)
    if start < 0:
        return token
    end = start + len(token)
    known = [control for control in controls if control and control != token]
    while before := next((control for control in known if template.endswith(control, 0, start)), ""):
        start -= len(before)
    while after := next((control for control in known if template.startswith(control, end)), ""):
        end += len(after)
    return template[start:end]


def _runs(ids: Sequence[int], cell: int) -> Iterator[tuple[int, ...] | int]:
    for is_cell, group in groupby(ids, key=lambda token: token == cell):
        run = tuple(group)
        yield len(run) if is_cell else run


def _opened(folder: ModelFolder, *, with_code: bool) -> Any:
    try:
        return transformers.AutoProcessor.from_pretrained(
            str(folder.path), local_files_only=True, trust_remote_code=with_code
        )
    except Exception as error:
        kind = _processor_class(folder)
        if kind is not None and not set(kind.get_attributes()) <= _NEEDED:
            return _pictures_only(kind, str(folder.path))
        raise _unopened(error) from error


def _pictures_only(kind: Any, path: str) -> Any:
    """One that insists on parts for videos, which need a torchvision that works here, or for sounds, without them."""

    class PicturesOnly(kind):  # type: ignore[misc]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return None if argument is None else super().check_argument_for_proper_class(argument_name, argument)

    loaders = {"tokenizer": transformers.AutoTokenizer, "image_processor": transformers.AutoImageProcessor}
    try:
        parts = [
            loaders[name].from_pretrained(path, local_files_only=True) if name in _NEEDED else None
            for name in kind.get_attributes()
        ]
        stated, _ = kind.get_processor_dict(path, local_files_only=True)
        return PicturesOnly.from_args_and_dict(parts, stated)
    except Exception as error:
        raise _unopened(error) from error


def _processor_class(folder: ModelFolder) -> Any:
    """By its name in the folder, or by the architecture; None where Transformers has none."""
    named = (optional_json(folder.path / name).get("processor_class") for name in (*_FILES, TOKENIZER_CONFIG))
    auto = transformers.models.auto.processing_auto
    usual = auto.PROCESSOR_MAPPING_NAMES.get(str(folder.config.get("model_type")))
    name = next((name for name in named if isinstance(name, str)), usual)
    return auto.processor_class_from_name(name) if isinstance(name, str) else None


def _unopened(error: Exception) -> LoadFailed:
    said = " ".join(str(error).split())[:_SHOWN]
    return LoadFailed(f"its processor cannot be opened: {said}")


def _cell_id(folder: ModelFolder, processor: Any) -> int:
    """The token in whose places the model puts what it sees."""
    stated = (folder.config.get(name) for name in ("image_token_id", "image_token_index"))
    ids = [*stated, *(getattr(processor, "image_token_ids", None) or ())]
    found = next((token for token in ids if isinstance(token, int) and token >= 0), None)
    if found is None:
        raise LoadFailed("its processor does not say which token stands for a picture")
    return found
