"""A picture to be changed, and what is painted over in it, as the files that the browser sends."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gradio as gr

from modules.errors import BadRequest

MAX_BYTES: Final = 50 * 2**20
# Whatever the colour: what is painted over at all is drawn anew.
_PAINT: Final = "#6366f1"


@dataclass(frozen=True, slots=True)
class SourcePicture:
    """`mask` is a picture in which what is not transparent was painted, None where nothing can have been."""

    picture: bytes
    mask: bytes | None


def mask_editor() -> gr.ImageEditor:
    """Its value in events is what `source_of` takes: nothing is decoded in this process."""
    editor = gr.ImageEditor(
        label="Picture",
        show_label=False,
        sources=("upload", "clipboard"),
        transforms=(),
        layers=False,
        brush=gr.Brush(default_size=40, colors=[_PAINT], default_color=_PAINT, color_mode="fixed"),
        eraser=gr.Eraser(default_size=40),
        image_mode="RGBA",
        type="filepath",
        elem_id="image-editor",
    )

    def as_sent(payload: Any) -> Any:  # noqa: ANN401 - Gradio has no types
        """Gradio would open each file with Pillow, here, whatever is in it."""
        if payload is None or payload.id is None:
            return payload
        return editor.blob_storage.pop(payload.id, None)

    editor.preprocess = as_sent
    return editor


def source_of(value: Any) -> SourcePicture | None:  # noqa: ANN401 - Gradio has no types
    """None where there is no picture. Blocks. Raises BadRequest."""
    picture = _bytes(getattr(value, "background", None))
    if picture is None:
        return None
    layers = [found for each in value.layers or () if (found := _bytes(each)) is not None]
    return SourcePicture(picture, layers[0] if layers else None)


def _bytes(sent: Any) -> bytes | None:  # noqa: ANN401 - Gradio has no types
    if isinstance(sent, bytes):
        content = sent
    elif (path := getattr(sent, "path", None)) is not None:
        file = Path(path)
        content = file.read_bytes() if file.stat().st_size <= MAX_BYTES else bytes(MAX_BYTES + 1)
    else:
        return None
    if len(content) > MAX_BYTES:
        raise BadRequest(f"The picture has more than {MAX_BYTES // 2**20} MiB.")
    return content or None
