"""How the scripted model reads pictures and sounds: by their sizes, average colours and lengths."""

from collections.abc import Iterator
from typing import Final

from modules.engine.media import cells
from modules.engine.types import Media, MediaKind, MediaShape, Prompt
from modules.errors import BadRequest

AUDIO_RATE: Final = 16_000
_CELL_PIXELS: Final = 32
_CELLS_PER_SECOND: Final = 10
_RGB: Final = 3


def media_cells(shape: MediaShape) -> list[int]:
    """One cell for every 32 × 32 pixels, ten for every second."""
    if shape.kind is MediaKind.IMAGE:
        count = -(-shape.width // _CELL_PIXELS) * -(-shape.height // _CELL_PIXELS)
    else:
        count = -(-shape.samples * _CELLS_PER_SECOND // AUDIO_RATE)
    return cells(shape.digest, max(1, count))


def read_media(prompt: Prompt) -> Iterator[int | str]:
    """The prompt's tokens with, in place of the cells of each picture and sound, what the model makes of it. Raises
    BadRequest for cells that are not those of its media, in order."""
    tokens, at = prompt.tokens, 0
    for media in prompt.media:
        expected = media_cells(media.shape)
        while at < len(tokens) and tokens[at] >= 0:
            yield tokens[at]
            at += 1
        if list(tokens[at : at + len(expected)]) != expected:
            raise BadRequest("The prompt's cells are not those of its media.", param="prompt")
        yield description(media)
        at += len(expected)
    yield from tokens[at:]


def description(media: Media) -> str:
    """ "[image 64x48 #ff0000]" or "[audio 1.50 s]"."""
    if media.kind is MediaKind.AUDIO:
        return f"[audio {media.shape.samples / media.rate:.2f} s]"
    return f"[image {media.width}x{media.height} #{_average_colour(media.data).hex()}]"


def _average_colour(pixels: bytes) -> bytes:
    channels = (pixels[channel::_RGB] for channel in range(_RGB))
    return bytes(round(sum(values) / len(values)) for values in channels)
