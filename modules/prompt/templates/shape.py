"""The shape in which a chat template reads a conversation: ids, tool results, arguments, thoughts."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from typing_extensions import override

from modules.messages import Message, Role, TextPart

# Gemma 4's
_FOLDED: Final = re.compile(r"""\.tool_responses\b|[\[(]\s*['"]tool_responses['"]\s*[\])]""")
# Mistral's templates compare the length of ids with 9.
_ID_LENGTH: Final = re.compile(r"\|\s*length\s*(?:!=|==)\s*9\b|\blen\w*\s*(?:!=|==)\s*9\b")


class IdStyle(StrEnum):
    """What ids of calls look like: as they came, nine letters and digits, or `functions.NAME:NUMBER`, counted from 0
    over the whole conversation."""

    AS_GIVEN = "as given"
    SHORT = "short"
    NUMBERED = "numbered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`as_parts`: content is a list of typed parts. `folds_results`: tool results stand in the message with the calls.
    `thought_or_text`: a message with calls has only one of both. `null_beside_calls`: the content of a message with
    calls and no text is null. `no_tools_are_a_list`: without tools the template goes through an empty list.
    """

    as_parts: bool = False
    folds_results: bool = False
    ids: IdStyle = IdStyle.AS_GIVEN
    thought_or_text: bool = False
    null_beside_calls: bool = False
    no_tools_are_a_list: bool = False


def shape_of(source: str) -> Shape:
    """What `source` gives away; the rest has to be found out by rendering."""
    return Shape(
        ids=_ids_of(source),
        # GPT-OSS's refuse both together.
        thought_or_text="<|channel|>" in source and "thinking" in source,
    )


def may_fold_results(source: str) -> bool:
    """Whether the template reads results from the message with their calls; it may know them as turns, too."""
    return _FOLDED.search(source) is not None


def _ids_of(source: str) -> IdStyle:
    # Kimi's print them, and the model was trained on no others.
    if "<|tool_call_argument_begin|>" in source:
        return IdStyle.NUMBERED
    # Mistral's refuse all other ids.
    return IdStyle.SHORT if _ID_LENGTH.search(source) else IdStyle.AS_GIVEN


# Before arguments that the loaded model wrote itself: the next of the noncharacters after those of `prompt/tokens.py`.
OWN: Final = "\ufddf"


class ReplayedArguments(dict[str, Any]):
    """An object that, printed or concatenated, is the JSON text it came from; as JSON too where it `is_own`."""

    def __init__(self, values: Mapping[str, Any], text: str, *, is_own: bool = False) -> None:
        super().__init__(values)
        self._text = text
        self.is_own = is_own

    @override
    def __str__(self) -> str:
        return self._text

    def __add__(self, other: str) -> str:
        return self._text + other

    def __radd__(self, other: str) -> str:
        return other + self._text


class BrokenArguments(str):
    """What a model wrote in place of a JSON object, for a conversation must go on after it: printed as it was written,
    and one argument for templates that walk through them."""

    __slots__ = ()

    def items(self) -> Iterable[tuple[str, str]]:
        return (("arguments", str(self)),)


def replayed_arguments(text: str) -> ReplayedArguments | BrokenArguments:
    """`text` as the model or a client wrote it; nothing and null mean no arguments."""
    is_own = text.startswith(OWN)
    text = text.removeprefix(OWN)
    value = _parsed(text)
    if isinstance(value, str) and isinstance(inner := _parsed(value), dict):
        # Some clients encode twice.
        return ReplayedArguments(inner, value)
    if isinstance(value, dict):
        return ReplayedArguments(value, text, is_own=is_own)
    return ReplayedArguments({}, "{}") if value is None and text.strip() in {"", "null"} else BrokenArguments(text)


def with_arguments(variables: Mapping[str, Any]) -> dict[str, Any]:
    """A template's variables with the text arguments of `messages[*].tool_calls[*].function` made usable either way."""
    if "messages" not in variables:
        return dict(variables)
    return {**variables, "messages": [_message(message) for message in variables["messages"]]}


def _message(message: Mapping[str, Any]) -> Mapping[str, Any]:
    if not message.get("tool_calls"):
        return message
    return {**message, "tool_calls": [_call(call) for call in message["tool_calls"]]}


def _call(call: Mapping[str, Any]) -> Mapping[str, Any]:
    function = call["function"]
    if not isinstance(function["arguments"], str):
        return call
    return {**call, "function": {**function, "arguments": replayed_arguments(function["arguments"])}}


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class ThoughtTags:
    """Texts around a thought; where `answer` stands between it and the reply, it belongs to neither."""

    start: str
    end: str
    answer: str = ""


_THINK: Final = ThoughtTags("<think>", "</think>")
_CHANNELS: Final = "<|start|>assistant<|channel|>final<|message|>"
_TAGS: Final = (
    _THINK,
    ThoughtTags("<seed:think>", "</seed:think>"),
    ThoughtTags("<|channel|>analysis<|message|>", "<|end|>", _CHANNELS),
    ThoughtTags("<|channel>thought", "<channel|>"),
    ThoughtTags("<|think|>", "<|end|>", "<|content|>"),
    ThoughtTags("[THINK]", "[/THINK]"),
)
_PREFIXES: Final = ("<|start|>assistant",)


def with_thought_apart(message: Message) -> Message:
    """A reply whose text begins with a marked thought, as one with `reasoning`; any other message as it is.

    A thought that is not closed was broken off, and is all there is.
    """
    if message.role is not Role.ASSISTANT or message.reasoning is not None:
        return message
    text = _without(message.text.lstrip(), _PREFIXES)
    tags = next((tags for tags in _TAGS if text.startswith(tags.start)), None)
    if tags is None:
        return message
    thought, _, answer = text.removeprefix(tags.start).partition(tags.end)
    answer = _without(answer.lstrip(), (tags.answer, tags.answer.removeprefix("<|start|>assistant")))
    parts = (TextPart(answer),) if answer else ()
    return replace(message, parts=parts, reasoning=thought.strip("\n"))


def ends_with_thought(text: str) -> bool:
    """Whether the thought in it is complete and nothing has been said after it."""
    return text.rstrip().endswith(tuple(tags.end for tags in _TAGS))


def tags_for(source: str) -> ThoughtTags:
    """Those that a chat template mentions, or the most used ones."""
    return next((tags for tags in _TAGS if tags.start in source or tags.end in source), _THINK)


def _without(text: str, prefixes: tuple[str, ...]) -> str:
    for prefix in filter(None, prefixes):
        if text.startswith(prefix):
            return text.removeprefix(prefix)
    return text
