"""Pictures in outputs of tools that are not run here, such as screenshots. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from extensions.openai.common.items.schema import ForeignItem, InputImage
from extensions.openai.common.media_parts import PICTURE_TYPES, media_part
from modules.messages import ImagePart

_FIELDS: Final = frozenset({"type", "image_url", "image", "file_id", "detail"})


def screenshots_of(item: ForeignItem) -> list[InputImage]:
    """What its output shows; of pictures that the client took out again, nothing. Raises BadRequest for one that has to
    be got elsewhere."""
    return list(_screenshots(item)) if item.type.endswith("_output") else []


def _screenshots(item: ForeignItem) -> Iterator[InputImage]:
    output = item.fields.get("output")
    for number, part in enumerate(output if isinstance(output, list) else [output]):
        if not _is_picture(part) or not any(part.get(name) for name in ("image_url", "image", "file_id")):
            continue
        path = f"{item.place}.output[{number}]" if isinstance(output, list) else f"{item.place}.output"
        given = media_part(str(part["type"]), part, path)
        assert isinstance(given, ImagePart), "a part of the type of a picture"
        yield InputImage(image_url=given.source, detail=given.detail).at(given.param)


def without_pictures(output: object) -> object:
    """What else an output says."""
    if isinstance(output, list):
        return [part for part in output if not _is_picture(part)]
    if isinstance(output, Mapping) and _is_picture(output):
        return {name: value for name, value in output.items() if name not in _FIELDS}
    return output


def _is_picture(part: Any) -> bool:  # noqa: ANN401 - any JSON
    return isinstance(part, Mapping) and part.get("type") in PICTURE_TYPES
