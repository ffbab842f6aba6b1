"""What clients add to prompts at every request without meaning it: found by what it looks like. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from modules.messages import Message, Part, Role, TextPart

# Claude Code puts it first, with a hash that is another one each time.
_BILLING: Final = re.compile(r"^x-anthropic-billing-header:[^\n]*(?:\n+|\Z)", re.MULTILINE)
_COUNTER_LINE: Final = r"[ \t]*<total_tokens>\s*\d[\d,._]*\s+tokens\s+left\s*</total_tokens>[ \t]*"
_COUNTER: Final = re.compile(
    rf"(?:^|\n+)(?:<system-reminder>\s*{_COUNTER_LINE}\s*</system-reminder>|{_COUNTER_LINE})(?=\n|\Z)"
)
# A user may quote one; what the client adds stands at an end of the text.
_COUNTERS_AT_START: Final = re.compile(rf"\A(?:{_COUNTER.pattern})+\n*")
_COUNTERS_AT_END: Final = re.compile(rf"(?:{_COUNTER.pattern})+\n*\Z")
_TIME: Final = re.compile(r"(?<![\d:.])(?P<hour>[01]?\d|2[0-3]):[0-5]\d(?P<seconds>:[0-5]\d(?:[.,]\d+)?)?(?![\d:])")

_Clean = Callable[[str], str]


def without_billing(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Without the line of Claude Code's that says who pays, in system texts."""
    return _cleaned(messages, lambda text: _BILLING.sub("", text), (Role.SYSTEM,))


def without_counters(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Without reminders of how many tokens are left, in system texts and at the ends of what a user says."""
    cleaned = _cleaned(messages, _without_counters, (Role.SYSTEM,))
    return _cleaned(cleaned, _without_counters_at_ends, (Role.USER,))


def with_whole_hours(messages: Sequence[Message]) -> tuple[Message, ...]:
    """With the times of day in system texts rounded down to the hour."""
    return _cleaned(messages, lambda text: _TIME.sub(_whole_hour, text), (Role.SYSTEM,))


def _without_counters(text: str) -> str:
    cleaned, count = _COUNTER.subn("", text)
    return cleaned.strip("\n") if count else text


def _without_counters_at_ends(text: str) -> str:
    if "<total_tokens>" not in text:
        return text
    return _COUNTERS_AT_START.sub("", _COUNTERS_AT_END.sub("", text))


def _whole_hour(match: re.Match[str]) -> str:
    return f"{match['hour']}:00" + (":00" if match["seconds"] else "")


def _cleaned(messages: Sequence[Message], clean: _Clean, roles: Sequence[Role]) -> tuple[Message, ...]:
    """Turns of which nothing is left are left out, but not all of them."""
    told = [_with_clean_parts(message, clean) if message.role in roles else message for message in messages]
    kept = tuple(new for old, new in zip(messages, told, strict=True) if new is old or new.parts)
    return kept or tuple(messages)


def _with_clean_parts(message: Message, clean: _Clean) -> Message:
    parts: list[Part] = []
    for part in message.parts:
        if not isinstance(part, TextPart) or (text := clean(part.text)) == part.text:
            parts.append(part)
        elif text:
            parts.append(TextPart(text))
    # The same object where nothing changed: that is how it is told apart.
    same = len(parts) == len(message.parts) and all(map(_is, parts, message.parts))
    return message if same else replace(message, parts=tuple(parts))


def _is(one: Part, other: Part) -> bool:
    return one is other
