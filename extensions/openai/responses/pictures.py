"""Pictures, sounds and files in earlier items of an input: a note stands in their place, so that a conversation can go
on with a model of text. Pure."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from extensions.openai.responses.schema import InputItem, InputPart
from modules.prompt.conversation.pictures import PICTURE, SOUND

NOTES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "input_image": PICTURE,
        "image_url": PICTURE,
        "computer_screenshot": PICTURE,
        "input_audio": SOUND,
        "input_file": "[file left out]",
    }
)


def without_earlier_pictures(items: Sequence[InputItem]) -> list[InputItem]:
    """What stands in the user's last message or after it stays, and is refused."""
    last = max((i for i, item in enumerate(items) if item.type == "message" and item.role == "user"), default=0)
    return [_without(item) if i < last else item for i, item in enumerate(items)]


def _without(item: InputItem) -> InputItem:
    changed = {
        name: [_readable(part) for part in parts]
        for name, parts in (("content", item.content or []), ("output", item.output or []))
        if any(part.type in NOTES for part in parts)
    }
    return item.model_copy(update=changed) if changed else item


def _readable(part: InputPart) -> InputPart:
    note = NOTES.get(part.type)
    return part if note is None else InputPart(type="input_text", text=note)
