"""Messages ↔ the history that old scripts know: rows of what the user and the model have said."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from modules.messages import Message, Role, TextPart, text_message

BEGINNING: Final = "<|BEGIN-VISIBLE-CHAT|>"


@dataclass(frozen=True, slots=True)
class _Row:
    user: str
    assistant: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """`system` are the messages in front of all others, `asked` is the last one if the user said it, and `rows` are what
    stands between."""

    system: tuple[Message, ...]
    rows: tuple[_Row, ...]
    asked: Message | None

    @property
    def history(self) -> dict[str, Any]:
        """In the shape that scripts know; whatever they do to it, the conversation stays as it is."""
        return {
            "internal": [[row.user, row.assistant] for row in self.rows],
            "visible": [["" if row.user == BEGINNING else row.user, row.assistant] for row in self.rows],
            "metadata": {},
        }

    def messages(self, history: object, asked: str) -> tuple[Message, ...]:
        """The conversation as `history` has it, with the last user message saying `asked`. Rows that did not change
        keep all that was in their messages."""
        rows = history.get("internal", []) if isinstance(history, dict) else []
        known = {(row.user, row.assistant): row.messages for row in self.rows}
        turns = [message for row in rows for message in _messages_of(row, known)]
        last = () if self.asked is None else (with_text(self.asked, asked),)
        return (*self.system, *turns, *last)


def conversation_of(messages: Sequence[Message]) -> Conversation:
    count = next((i for i, message in enumerate(messages) if message.role is not Role.SYSTEM), len(messages))
    rest = list(messages[count:])
    asked = rest.pop() if rest and rest[-1].role is Role.USER else None
    return Conversation(tuple(messages[:count]), tuple(_rows(rest)), asked)


def with_text(message: Message, text: str) -> Message:
    """The message with other words; whatever in it is no text stays."""
    if text == message.text:
        return message
    others = tuple(part for part in message.parts if not isinstance(part, TextPart))
    return replace(message, parts=(*others, TextPart(text)))


def _rows(messages: Sequence[Message]) -> Iterator[_Row]:
    """A user's message begins a row, and so does an assistant's after which another has spoken."""
    group: list[Message] = []
    for message in messages:
        has_answer = any(each.role is Role.ASSISTANT and not each.tool_calls for each in group)
        if group and (message.role is Role.USER or (message.role is Role.ASSISTANT and has_answer)):
            yield _row(group)
            group = []
        group.append(message)
    if group:
        yield _row(group)


def _row(messages: Sequence[Message]) -> _Row:
    user = "\n".join(message.text for message in messages if message.role is Role.USER)
    assistant = "\n".join(message.text for message in messages if message.role is Role.ASSISTANT and message.text)
    has_user = any(message.role is Role.USER for message in messages)
    return _Row(user if has_user else BEGINNING, assistant, tuple(messages))


def _messages_of(row: Sequence[Any], known: dict[tuple[str, str], tuple[Message, ...]]) -> tuple[Message, ...]:
    user, assistant = (str(row[place]) if len(row) > place and row[place] is not None else "" for place in (0, 1))
    if (user, assistant) in known:
        return known[user, assistant]
    asked = (text_message(Role.USER, user),) if user and user != BEGINNING else ()
    return (*asked, *((text_message(Role.ASSISTANT, assistant),) if assistant else ()))
