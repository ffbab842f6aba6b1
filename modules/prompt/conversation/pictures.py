"""Pictures and sounds of earlier turns, before a model that reads text only: a note stands in their place.

Those of the last turn are what is asked about, so they stay, and are refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from modules.messages import AudioPart, ImagePart, Message, Part, Role, TextPart

PICTURE: Final = "[picture left out]"
SOUND: Final = "[sound left out]"
LEFT_OUT: Final = "pictures-left-out"


def without_earlier_pictures(messages: Sequence[Message]) -> list[Message]:
    """The last turn begins with the last message of the user."""
    last = max((i for i, message in enumerate(messages) if message.role is Role.USER), default=0)
    return [_without(message) if i < last else message for i, message in enumerate(messages)]


def _without(message: Message) -> Message:
    if all(isinstance(part, TextPart) for part in message.parts):
        return message
    return replace(message, parts=tuple(_parts(message.parts)))


def _parts(parts: Sequence[Part]) -> Iterator[TextPart]:
    """Each note on a line of its own."""
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1
        match part:
            case TextPart() if not is_last and not isinstance(parts[index + 1], TextPart):
                yield TextPart(part.text + "\n" if part.text else "")
            case TextPart():
                yield part
            case ImagePart() | AudioPart():
                note = PICTURE if isinstance(part, ImagePart) else SOUND
                yield TextPart(note if is_last else note + "\n")
