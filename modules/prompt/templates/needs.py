"""What a conversation may need of a chat template, each with conversations that show whether a template has it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from modules.messages import Message, Role, TextPart, ToolCall, ToolSpec, text_message


class Need(StrEnum):
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
        Need.CALL,
        Need.CALLS,
        Need.CALL_WITH_TEXT,
        Need.BROKEN_CALL,
        Need.UNANSWERED_CALL,
        Need.RESULT,
        Need.USER_AFTER_RESULT,
        Need.NO_USER_BEFORE_CALL,
        Need.SYSTEM_BEFORE_RESULT,
    }
)


@dataclass(frozen=True, slots=True)
class Probe:
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
_WORDS: Final = ("kq1bd", "kq2hm", "kq3tw", "kq4rs", "kq5xj")
_VALUE: Final = "kq6val"
_RESULT: Final = "kq8res"


def question() -> Probe:
    return Probe((text_message(Role.USER, _WORDS[0]),), _WORDS[:1])


def probes() -> Iterator[tuple[Need, Probe]]:
    """A template has what a need asks for when it shows the words of all its probes."""
    yield from _by_roles()
    yield from _with_calls()


def _by_roles() -> Iterator[tuple[Need, Probe]]:
    s, u, a = Role.SYSTEM, Role.USER, Role.ASSISTANT
    conversations: tuple[tuple[Need, tuple[Role, ...]], ...] = (
        (Need.SYSTEM, (s, u)),
        (Need.SYSTEM_AFTER_USER, (s, u, s)),
        (Need.SYSTEM_AFTER_USER, (s, u, s, a, u)),
        (Need.SYSTEM_AFTER_USER_ALONE, (u, s)),
        (Need.SYSTEM_AFTER_USER_ALONE, (u, s, a, u)),
        (Need.SYSTEM_AFTER_REPLY, (s, u, a, s, u)),
        (Need.SYSTEM_AFTER_REPLY, (s, u, a, s)),
        (Need.SYSTEM_AFTER_REPLY_ALONE, (u, a, s, u)),
        (Need.SYSTEM_AFTER_REPLY_ALONE, (u, a, s)),
        (Need.USERS, (u, u)),
        (Need.USERS, (u, u, a, u)),
        (Need.REPLIES, (u, a, a, u)),
        (Need.REPLY_FIRST, (a, u)),
        (Need.NO_USER, (s,)),
    )
    for need, roles in conversations:
        turns = tuple(text_message(role, word) for role, word in zip(roles, _WORDS, strict=False))
        yield need, Probe(turns, _WORDS[: len(turns)])


def _with_calls() -> Iterator[tuple[Need, Probe]]:
    asked, reply, more = map(text_message, (Role.USER, Role.ASSISTANT, Role.USER), _WORDS)
    call, other = _call("kq9callid", _VALUE), _call("kq9other0", "kq6two")
    broken = ToolCall(call.id, TOOL.name, call.arguments.removesuffix('"}'))
    result, second = _result(call, _RESULT), _result(other, "kq8two")
    yield Need.EMPTY_REPLY, Probe((asked, Message(role=Role.ASSISTANT), more), (_WORDS[0], _WORDS[2]))
    told = text_message(Role.SYSTEM, _WORDS[4])
    yield Need.CALL, Probe((asked, _calling(call), result), (_VALUE,))
    yield Need.NO_USER_BEFORE_CALL, Probe((told, _calling(call), result), (_WORDS[4], _VALUE, _RESULT))
    yield Need.SYSTEM_BEFORE_RESULT, Probe((told, asked, _calling(call), result), (_WORDS[0], _WORDS[4]))
    yield Need.RESULT, Probe((asked, _calling(call), result), (_RESULT,))
    yield Need.RESULT, Probe((asked, _calling(call), result, reply, more), (_RESULT, _WORDS[2]))
    calls = (asked, _calling(call, other), result, second)
    yield Need.CALLS, Probe(calls, (_VALUE, "kq6two", _RESULT, "kq8two"))
    yield Need.CALL_WITH_TEXT, Probe((asked, _calling(call, text="kq5text"), result), (_VALUE, "kq5text"))
    yield Need.BROKEN_CALL, Probe((asked, _calling(broken), result), (_VALUE,))
    yield Need.UNANSWERED_CALL, Probe((asked, _calling(call), more), (_VALUE, _WORDS[2]))
    yield Need.USER_AFTER_RESULT, Probe((asked, _calling(call), result, more), (_RESULT, _WORDS[2]))


def _call(identifier: str, value: str) -> ToolCall:
    return ToolCall(identifier, TOOL.name, f'{{"kq7arg": "{value}"}}')


def _calling(*calls: ToolCall, text: str = "") -> Message:
    return Message(role=Role.ASSISTANT, parts=(TextPart(text),) if text else (), tool_calls=calls)


def _result(call: ToolCall, text: str) -> Message:
    return Message(role=Role.TOOL, parts=(TextPart(text),), tool_call_id=call.id)
