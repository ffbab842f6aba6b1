"""What a conversation may need of a chat template, each with conversations that test for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from modules.messages import Message, Role, TextPart, ToolCall, ToolSpec, text_message


class TemplateNeed(StrEnum):
    """Later system texts: after whom they stand, and ALONE where no system text opens the conversation."""

    SYSTEM = "a system text"
    SYSTEM_AFTER_USER = "a system text after a user's"
    SYSTEM_AFTER_USER_ALONE = "a first system text after a user's"
    SYSTEM_AFTER_REPLY = "a system text after a reply"
    SYSTEM_AFTER_REPLY_ALONE = "a first system text after a reply"
    USERS = "two user turns in a row"
    REPLIES = "two replies in a row"
    REPLY_FIRST = "a reply in front of everything"
    NO_USER = "no user turn"
    NO_USER_BEFORE_CALL = "no user turn before a call"
    SYSTEM_BEFORE_RESULT = "a system text while a user's turn is not the last"
    EMPTY_REPLY = "a reply without text"
    TOOLS = "tools with schemas of any kind"
    CALL = "a call"
    CALLS = "several calls in one turn"
    CALL_WITH_TEXT = "a text beside a call"
    BROKEN_CALL = "a call whose arguments are no JSON"
    UNANSWERED_CALL = "a call without a result"
    RESULT = "a result"
    USER_AFTER_RESULT = "a user turn after a result"


# What a client may send beside system texts, questions and replies by turns.
OF_CALLS: Final = frozenset(
    {
        TemplateNeed.CALL,
        TemplateNeed.CALLS,
        TemplateNeed.CALL_WITH_TEXT,
        TemplateNeed.BROKEN_CALL,
        TemplateNeed.UNANSWERED_CALL,
        TemplateNeed.RESULT,
        TemplateNeed.USER_AFTER_RESULT,
        TemplateNeed.NO_USER_BEFORE_CALL,
        TemplateNeed.SYSTEM_BEFORE_RESULT,
    }
)


@dataclass(frozen=True, slots=True)
class TemplateProbe:
    """A small conversation, and the words of it that must stand in its prompt."""

    turns: tuple[Message, ...]
    words: tuple[str, ...]


# A union, an argument without a description, one without a type.
TOOL: Final = ToolSpec(
    "kq7fn",
    "kq7about",
    {
        "type": "object",
        "properties": {
            "kq7arg": {"type": ["string", "null"]},
            "kq7any": {"anyOf": [{"type": "integer"}]},
            "kq7bare": {},
        },
    },
)
# Letters that no template contains and none changes: no capitals, blanks or punctuation.
_WORDS: Final = ("kq1bd", "kq2hm", "kq3tw", "kq4rs", "kq5xj")
_VALUE: Final = "kq6val"
_RESULT: Final = "kq8res"


def question() -> TemplateProbe:
    return TemplateProbe((text_message(Role.USER, _WORDS[0]),), _WORDS[:1])


def probes() -> Iterator[tuple[TemplateNeed, TemplateProbe]]:
    """A template has what a need asks for when it shows the words of all its probes."""
    yield from _by_roles()
    yield from _with_calls()


def _by_roles() -> Iterator[tuple[TemplateNeed, TemplateProbe]]:
    s, u, a = Role.SYSTEM, Role.USER, Role.ASSISTANT
    conversations: tuple[tuple[TemplateNeed, tuple[Role, ...]], ...] = (
        (TemplateNeed.SYSTEM, (s, u)),
        (TemplateNeed.SYSTEM_AFTER_USER, (s, u, s)),
        (TemplateNeed.SYSTEM_AFTER_USER, (s, u, s, a, u)),
        (TemplateNeed.SYSTEM_AFTER_USER_ALONE, (u, s)),
        (TemplateNeed.SYSTEM_AFTER_USER_ALONE, (u, s, a, u)),
        (TemplateNeed.SYSTEM_AFTER_REPLY, (s, u, a, s, u)),
        (TemplateNeed.SYSTEM_AFTER_REPLY, (s, u, a, s)),
        (TemplateNeed.SYSTEM_AFTER_REPLY_ALONE, (u, a, s, u)),
        (TemplateNeed.SYSTEM_AFTER_REPLY_ALONE, (u, a, s)),
        (TemplateNeed.USERS, (u, u)),
        (TemplateNeed.USERS, (u, u, a, u)),
        (TemplateNeed.REPLIES, (u, a, a, u)),
        (TemplateNeed.REPLY_FIRST, (a, u)),
        (TemplateNeed.NO_USER, (s,)),
    )
    for need, roles in conversations:
        turns = tuple(text_message(role, word) for role, word in zip(roles, _WORDS, strict=False))
        yield need, TemplateProbe(turns, _WORDS[: len(turns)])


def _with_calls() -> Iterator[tuple[TemplateNeed, TemplateProbe]]:
    asked, reply, more = map(text_message, (Role.USER, Role.ASSISTANT, Role.USER), _WORDS)
    call, other = _call("kq9callid", _VALUE), _call("kq9other0", "kq6two")
    broken = ToolCall(call.id, TOOL.name, call.arguments.removesuffix('"}'))
    result, second = _result(call, _RESULT), _result(other, "kq8two")
    yield TemplateNeed.EMPTY_REPLY, TemplateProbe((asked, Message(role=Role.ASSISTANT), more), (_WORDS[0], _WORDS[2]))
    told = text_message(Role.SYSTEM, _WORDS[4])
    yield TemplateNeed.CALL, TemplateProbe((asked, _calling(call), result), (_VALUE,))
    yield TemplateNeed.NO_USER_BEFORE_CALL, TemplateProbe((told, _calling(call), result), (_WORDS[4], _VALUE, _RESULT))
    yield (
        TemplateNeed.SYSTEM_BEFORE_RESULT,
        TemplateProbe((told, asked, _calling(call), result), (_WORDS[0], _WORDS[4])),
    )
    yield TemplateNeed.RESULT, TemplateProbe((asked, _calling(call), result), (_RESULT,))
    yield TemplateNeed.RESULT, TemplateProbe((asked, _calling(call), result, reply, more), (_RESULT, _WORDS[2]))
    calls = (asked, _calling(call, other), result, second)
    yield TemplateNeed.CALLS, TemplateProbe(calls, (_VALUE, "kq6two", _RESULT, "kq8two"))
    yield (
        TemplateNeed.CALL_WITH_TEXT,
        TemplateProbe((asked, _calling(call, text="kq5text"), result), (_VALUE, "kq5text")),
    )
    yield TemplateNeed.BROKEN_CALL, TemplateProbe((asked, _calling(broken), result), (_VALUE,))
    yield TemplateNeed.UNANSWERED_CALL, TemplateProbe((asked, _calling(call), more), (_VALUE, _WORDS[2]))
    yield TemplateNeed.USER_AFTER_RESULT, TemplateProbe((asked, _calling(call), result, more), (_RESULT, _WORDS[2]))


def _call(identifier: str, value: str) -> ToolCall:
    return ToolCall(identifier, TOOL.name, f'{{"kq7arg": "{value}"}}')


def _calling(*calls: ToolCall, text: str = "") -> Message:
    return Message(role=Role.ASSISTANT, parts=(TextPart(text),) if text else (), tool_calls=calls)


def _result(call: ToolCall, text: str) -> Message:
    return Message(role=Role.TOOL, parts=(TextPart(text),), tool_call_id=call.id)
