"""Reasoning in replayed replies: clients that were sent it within the text send it back within the text."""

from dataclasses import dataclass, replace
from typing import Final

from modules.messages import Message, Role, TextPart


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
