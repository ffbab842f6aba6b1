"""What is left out of earlier turns: pictures and sounds, and whole turns of what does not fit."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Final

from modules.messages import AudioPart, ImagePart, Message, Part, Role, TextPart

PICTURE: Final = "[picture left out]"
SOUND: Final = "[sound left out]"
LEFT_OUT: Final = "pictures-left-out"


def without_earlier_pictures(messages: Sequence[Message]) -> list[Message]:
    """The last turn begins with the last message of the user."""
    last = max((i for i, message in enumerate(messages) if message.role is Role.USER), default=0)
    return [_without_media(message) if i < last else message for i, message in enumerate(messages)]


def _without_media(message: Message) -> Message:
    if all(isinstance(part, TextPart) for part in message.parts):
        return message
    return replace(message, parts=tuple(_readable_parts(message.parts)))


def _readable_parts(parts: Sequence[Part]) -> Iterator[TextPart]:
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


# Leaving out a little more than is needed lets several turns pass before the next step, and all that time the model
# finds the prompt's beginning in its cache.
_STEPS: Final = 8
# Only an estimate of where to begin; the tokens are counted afterwards.
_LETTERS_PER_TOKEN: Final = 3


def shortened(messages: Sequence[Message], *, context: int) -> list[tuple[Message, ...]]:
    """The ways to shorten a conversation, from the mildest to the severest. System messages stay in all of them, and so do the last user message and what
    was said last; the results of a call that is left out are left out with it. `context` is in tokens."""
    groups = list(_groups(messages))
    lengths = list(accumulate(sum(_length(messages[index]) for index in group) for group in groups))
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


def _length(message: Message) -> int:
    calls = sum(len(call.name) + len(call.arguments) for call in message.tool_calls)
    return len(message.text) + len(message.reasoning or "") + calls
