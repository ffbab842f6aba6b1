"""Pictures and sounds on their way into a prompt: places in texts, and the tokens there."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from modules.engine.media import unreadable
from modules.engine.protocols import Engine
from modules.engine.types import Media, MediaKind, ModelCard
from modules.errors import BadRequest
from modules.messages import AudioPart, ImagePart, MediaPart, Message, Part, TextPart
from modules.prompt.tokens import MEDIA, media_place, media_places, without_reserved


class MediaDecoder(Protocol):
    """Who decodes what requests hold."""

    async def read(self, parts: Sequence[MediaPart], card: ModelCard, *, sizes_only: bool = False) -> list[Media]:
        """One for each of `parts`, as the model of `card` takes it; with `sizes_only`, where the pixels of pictures do
        not matter. Raises BadRequest."""
        ...


class NoMedia:
    """A reader where there is none."""

    async def read(self, parts: Sequence[MediaPart], card: ModelCard, *, sizes_only: bool = False) -> list[Media]:
        for part in parts:
            raise unreadable(MediaKind.IMAGE if isinstance(part, ImagePart) else MediaKind.AUDIO, param=part.param)
        return []


@dataclass(frozen=True, slots=True)
class PlacedMedia:
    """What stands at the places of a text, by number: the media, and their tokens."""

    media: tuple[Media, ...] = ()
    tokens: tuple[tuple[int, ...], ...] = ()
    params: tuple[str, ...] = field(default=())

    def shown_in(self, text: str) -> tuple[Media, ...]:
        """Those that have a place in `text`, in order."""
        return tuple(self.media[number] for number in media_places(text))

    def check(self, text: str, messages: Sequence[Message]) -> None:
        """Raises BadRequest where `text`, written from `messages`, has lost one."""
        found = set(media_places(text))
        for message in messages:
            for number in media_places(message.text):
                if number not in found:
                    raise BadRequest(
                        "The chat template of this model leaves out the message that this picture or sound is in.",
                        param=self.params[number],
                    )


def with_places(messages: Sequence[Message]) -> tuple[tuple[Message, ...], tuple[MediaPart, ...]]:
    """The messages with texts only, and what stands at the places in them, by number."""
    found: list[MediaPart] = []
    return tuple(_with_places(message, found) for message in messages), tuple(found)


def _with_places(message: Message, found: list[MediaPart]) -> Message:
    parts = tuple(_as_text(part, found) for part in message.parts)
    return message if parts == message.parts else replace(message, parts=parts)


def _as_text(part: Part, found: list[MediaPart]) -> Part:
    match part:
        case TextPart(text) if MEDIA in text:
            return TextPart(without_reserved(text))
        case ImagePart() | AudioPart():
            found.append(part)
            return TextPart(media_place(len(found) - 1))
    return part


async def placed(
    reader: MediaDecoder, engine: Engine, parts: Sequence[MediaPart], *, sizes_only: bool = False
) -> PlacedMedia:
    """Raises BadRequest for what cannot be read, or not by the model of `engine`."""
    if not parts:
        return PlacedMedia()
    media = await reader.read(parts, engine.card, sizes_only=sizes_only)
    tokens = [tuple(await engine.media_tokens(each.shape)) for each in media]
    return PlacedMedia(tuple(media), tuple(tokens), tuple(part.param for part in parts))
