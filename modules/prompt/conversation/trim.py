"""What is left out of earlier turns: pictures and sounds, and whole turns of what does not fit."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Final

from modules.engine.media import unreadable
from modules.engine.types import MediaKind
from modules.messages import AudioPart, ImagePart, Message, Part, Role, TextPart
from modules.prompt.tokens import media_places

PICTURE: Final = "[picture left out]"
SOUND: Final = "[sound left out]"
LEFT_OUT: Final = "pictures-left-out"


def readable(messages: Sequence[Message], modalities: Collection[str]) -> tuple[Message, ...]:
    """`messages` for a model that reads `modalities`: notes stand for the pictures and sounds of earlier turns that it
    cannot read. The last turn begins with the last message of the user. Raises BadRequest for those in it."""
    last = max((i for i, message in enumerate(messages) if message.role is Role.USER), default=0)
    return tuple(_readable(message, modalities, is_past=i < last) for i, message in enumerate(messages))


def _readable(message: Message, modalities: Collection[str], *, is_past: bool) -> Message:
    unread = [part for part in message.parts if (kind := _kind(part)) is not None and kind not in modalities]
    if not unread:
        return message
    if not is_past:
        kind = _kind(unread[0])
        assert kind is not None
        raise unreadable(kind, param=_param(unread[0]))
    return replace(message, parts=tuple(_with_notes(message.parts, unread)))


def _kind(part: Part) -> MediaKind | None:
    match part:
        case ImagePart():
            return MediaKind.IMAGE
        case AudioPart():
            return MediaKind.AUDIO
    return None


def _param(part: Part) -> str:
    return "messages" if isinstance(part, TextPart) else part.param


def _with_notes(parts: Sequence[Part], unread: Sequence[Part]) -> Iterator[Part]:
    """Each note on a line of its own."""
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1
        if part in unread:
            note = PICTURE if isinstance(part, ImagePart) else SOUND
            yield TextPart(note if is_last else note + "\n")
        elif isinstance(part, TextPart) and not is_last and parts[index + 1] in unread:
            yield TextPart(part.text + "\n" if part.text else "")
        else:
            yield part


# Leaving out a little more than is needed lets several turns pass before the next step, and all that time the model
# finds the prompt's beginning in its cache.
_STEPS: Final = 8
# Only an estimate of where to begin; the tokens are counted afterwards.
_LETTERS_PER_TOKEN: Final = 3


def shortened(messages: Sequence[Message], *, context: int, media: Sequence[int] = ()) -> list[tuple[Message, ...]]:
    """The ways to shorten a conversation, from the mildest to the severest. System messages stay in all of them, and so do the last user message and what
    was said last; the results of a call that is left out are left out with it. `context` is in tokens, and so are the sizes of the `media` that have places in the messages."""
    groups = list(_groups(messages))
    lengths = list(accumulate(sum(_length(messages[index], media) for index in group) for group in groups))
    return [_without(messages, groups[:count]) for count in _counts(lengths, context * _LETTERS_PER_TOKEN)]


def _counts(lengths: Sequence[int], letters: int) -> Iterator[int]:
    """How many groups to leave out: as many as fill an eighth of the context, two eighths and so on, and all."""
    step = max(1, letters // _STEPS)
    for count, length in enumerate(lengths, start=1):
        before = lengths[count - 2] if count > 1 else 0
        if length // step > before // step or count == len(lengths):
            yield count


def _groups(messages: Sequence[Message]) -> Iterator[list[int]]:
    """What can be left out together, oldest first: a user's message with all the replies to it; after the last such
    message, each round of calls with its results, but not the last round."""
    last_user = max((i for i, message in enumerate(messages) if message.role is Role.USER), default=-1)
    group: list[int] = []
    for index, message in enumerate(messages):
        begins = message.role is Role.USER or (index > last_user and message.role is Role.ASSISTANT)
        if begins and group:
            yield group
            group = []
        if message.role is not Role.SYSTEM and index != last_user:
            group.append(index)


def _without(messages: Sequence[Message], groups: Sequence[Sequence[int]]) -> tuple[Message, ...]:
    left_out = {index for group in groups for index in group}
    return tuple(message for index, message in enumerate(messages) if index not in left_out)


def _length(message: Message, media: Sequence[int]) -> int:
    calls = sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
    shown = sum(media[number] for number in media_places(message.text)) * _LETTERS_PER_TOKEN
    return len(message.text) + len(message.reasoning or "") + calls + shown
