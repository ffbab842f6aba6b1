"""Finished pictures → bodies and events of /v1/images/*."""

import base64
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import orjson

from modules.errors import EngineFailed
from modules.media.images.requests import (
    DrawingBegun,
    DrawingEvent,
    DrawingStep,
    FinishedImage,
    ImageRequest,
    Size,
)

_PATCH: Final = 16
_BYTES_OF_TOKEN: Final = 4


@dataclass(frozen=True, slots=True)
class ImagePresentation:
    """How an answer looks. `kind` is what its events are named after; `revised_prompt` that of the chat model, if it
    was asked."""

    request: ImageRequest
    kind: str
    text_tokens: int
    has_urls: bool = False
    revised_prompt: str | None = None

    def entry(self, image: FinishedImage) -> dict[str, Any]:
        encoded = base64.b64encode(image.data).decode()
        mime = self.request.encoding.format.mime
        entry: dict[str, Any] = {"url": f"data:{mime};base64,{encoded}"} if self.has_urls else {"b64_json": encoded}
        if self.revised_prompt is not None:
            entry["revised_prompt"] = self.revised_prompt
        return {**entry, "seed": image.seed}

    def description(self, begun: DrawingBegun) -> dict[str, Any]:
        return {
            "size": str(begun.size),
            "quality": self.request.quality,
            "background": "transparent" if begun.is_transparent else "opaque",
            "output_format": self.request.encoding.format,
        }

    def usage(self, begun: DrawingBegun, pictures: int) -> dict[str, Any]:
        read = sum(map(_patches, begun.source_sizes))
        drawn = _patches(begun.size) * pictures
        return {
            "input_tokens": self.text_tokens + read,
            "input_tokens_details": {"text_tokens": self.text_tokens, "image_tokens": read},
            "output_tokens": drawn,
            "output_tokens_details": {"text_tokens": 0, "image_tokens": drawn},
            "total_tokens": self.text_tokens + read + drawn,
        }


async def images_body(events: AsyncGenerator[DrawingEvent, None], presentation: ImagePresentation) -> bytes:
    """The whole answer. Raises what `events` raises, and EngineFailed where the drawing was stopped before a picture was
    finished."""
    begun: DrawingBegun | None = None
    images: list[FinishedImage] = []
    async with aclosing(events):
        async for event in events:
            match event:
                case DrawingBegun():
                    begun = event
                case FinishedImage():
                    images.append(event)
    if begun is None or not images:
        raise stopped()
    return body_of(begun, images, presentation)


def body_of(begun: DrawingBegun, images: Sequence[FinishedImage], presentation: ImagePresentation) -> bytes:
    body = {
        "created": int(time.time()),
        "model": begun.model,
        "data": [presentation.entry(image) for image in images],
        **presentation.description(begun),
        "usage": presentation.usage(begun, len(images)),
    }
    # Not through the response's model: megabytes would be checked.
    return orjson.dumps(body)


def stopped() -> EngineFailed:
    return EngineFailed("The drawing was stopped before a picture was finished.", code="image_stopped")


class ImageStream:
    """`….partial_image` events and a `….completed` one for each picture."""

    def __init__(self, presentation: ImagePresentation) -> None:
        self._presentation = presentation
        self._begun: DrawingBegun | None = None
        self._partials: Counter[int] = Counter()
        self._finished = 0

    def encode(self, event: DrawingEvent) -> bytes:
        match event:
            case DrawingBegun():
                self._begun = event
            case DrawingStep(preview=bytes() as preview):
                number = self._partials[event.index]
                self._partials[event.index] += 1
                return self._event("partial_image", preview, {"partial_image_index": number})
            case FinishedImage():
                self._finished += 1
                assert self._begun is not None
                usage = self._presentation.usage(self._begun, 1)
                return self._event("completed", event.data, {"usage": usage, "seed": event.seed})
        return b""

    def end(self) -> bytes:
        """Raises EngineFailed for a drawing that was stopped before a picture was finished."""
        if not self._finished:
            raise stopped()
        return b""

    def _event(self, name: str, file: bytes, fields: dict[str, Any]) -> bytes:
        assert self._begun is not None
        kind = f"{self._presentation.kind}.{name}"
        body = {
            "type": kind,
            "b64_json": base64.b64encode(file).decode(),
            "created_at": int(time.time()),
            **self._presentation.description(self._begun),
            **fields,
        }
        return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(body) + b"\n\n"


def text_tokens(text: str) -> int:
    """About: models of pictures have tokenizers of their own, and nothing depends on it."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_OF_TOKEN)


def _patches(size: Size) -> int:
    return -(-size.width // _PATCH) * -(-size.height // _PATCH)
