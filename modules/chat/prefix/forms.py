"""What a turn says, apart from how it is spelled, and how it was spelled. Pure."""

import json
import operator
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final

from modules.messages import Message, Part, Role, TextPart, ToolCall, ToolSpec

# Beyond, a text is compared as it is: reading it as JSON would take longer than computing a few tokens of it.
_LONGEST_JSON: Final = 256 * 1024
# A picture is told apart by its length and its ends; hashing megabytes for each request would not pay.
_END: Final = 96


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a turn was spelled: `texts` are, for each text that says anything, the white space before and after it, or
    all of a result that is JSON; `arguments` those of its calls. A turn that `is_own` was generated here."""

    texts: tuple[tuple[str, str] | str, ...] = ()
    arguments: tuple[str, ...] = ()
    is_own: bool = False

    @property
    def size(self) -> int:
        """Roughly, in characters."""
        return sum(map(len, self.arguments)) + sum(
            len(each) if isinstance(each, str) else len(each[0]) + len(each[1]) for each in self.texts
        )


class _RepeatedKey(ValueError):
    """An object that has a key twice is not the same in another order."""


def canonical_json(text: str) -> str | None:
    """The same for all spellings of one object or array; None for everything else."""
    if len(text) > _LONGEST_JSON or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_float=_number)
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _RepeatedKey
    return made


def _number(text: str) -> float | int:
    """JavaScript writes 1.0 as 1."""
    value = float(text)
    return int(value) if value.is_integer() else value


def meaning(message: Message, repairs: Collection[str]) -> str:
    """What `message` says, the same for all spellings that `repairs` make one. Without ids, and without thoughts, which
    clients may leave out."""
    calls = [[call.name, _arguments(call.arguments, repairs)] for call in message.tool_calls]
    texts = [_words(message, part, repairs) for part in message.parts if _says_anything(part)]
    return json.dumps([message.role.value, texts, calls], ensure_ascii=False)


def spelling(message: Message, *, is_own: bool = False) -> Spelling:
    """How it is spelled now."""
    return Spelling(
        tuple(_spelled(message, part) for part in message.parts if isinstance(part, TextPart) and _says_anything(part)),
        tuple(call.arguments for call in message.tool_calls),
        is_own,
    )


def respelled(message: Message, how: Spelling, repairs: Collection[str]) -> Message:
    """`message`, which means the same as what was spelled as `how`, in that spelling."""
    texts = iter(how.texts)
    parts = tuple(
        _respelled(part, next(texts, None), repairs) if isinstance(part, TextPart) and _says_anything(part) else part
        for part in message.parts
    )
    calls = message.tool_calls
    if "json" in repairs and len(how.arguments) == len(calls):
        calls = tuple(_with_arguments(call, text, how.is_own) for call, text in zip(calls, how.arguments, strict=True))
    if parts == message.parts and all(map(operator.is_, calls, message.tool_calls)):
        return message
    return replace(message, parts=parts, tool_calls=calls)


def _with_arguments(call: ToolCall, arguments: str, is_own: bool) -> ToolCall:
    is_same = call.arguments == arguments and call.is_own is is_own
    return call if is_same else replace(call, arguments=arguments, is_own=is_own)


def _respelled(part: TextPart, how: tuple[str, str] | str | None, repairs: Collection[str]) -> TextPart:
    match how:
        case str() if "json" in repairs:
            return TextPart(how)
        case (before, after) if "whitespace" in repairs:
            return TextPart(before + part.text.strip() + after)
    return part


def _says_anything(part: Part) -> bool:
    return not isinstance(part, TextPart) or bool(part.text.strip())


def _words(message: Message, part: Part, repairs: Collection[str]) -> str:
    if not isinstance(part, TextPart):
        source = part.source
        return f"\0{len(source)} {source[:_END]} {source[-_END:]}"
    if "json" in repairs and message.role is Role.TOOL and (found := canonical_json(part.text)) is not None:
        return found
    return part.text.strip() if "whitespace" in repairs else part.text


def _arguments(text: str, repairs: Collection[str]) -> str:
    return (canonical_json(text) if "json" in repairs else None) or text


def _spelled(message: Message, part: TextPart) -> tuple[str, str] | str:
    text = part.text
    if message.role is Role.TOOL and canonical_json(text) is not None:
        return text
    begin = len(text) - len(text.lstrip())
    return text[:begin], text[len(text.rstrip()) :]


def tool_meaning(tool: ToolSpec, repairs: Collection[str]) -> str:
    """What is offered, the same for all orders of the keys of its schema where `repairs` say so."""
    fields = [tool.name, tool.description, tool.strict, tool.is_custom, tool.parameters]
    return json.dumps(fields, sort_keys="json" in repairs, ensure_ascii=False, default=repr)
