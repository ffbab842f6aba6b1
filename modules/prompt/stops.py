"""Stop strings for models that do not end their turn: where the next turn would begin."""

import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final

from modules.errors import BadRequest
from modules.messages import Role, text_message
from modules.prompt.plan import PromptPlan
from modules.prompt.templates.render import TemplateKilled
from modules.prompt.writer import PromptWriter

# Words that no template contains, so that they are found in what it renders.
_WORDS: Final = ("f3a9c1", "b7d204", "e85c6f", "a1d93b")
# Marks such as <|im_end|>, [INST] or {user}; longer ones are text in brackets.
_BRACKETED: Final = re.compile(r"<[^<>\n]{1,60}>|\[[^\[\]\n]{1,60}\]|\([^()\n]{1,60}\)|\{[^{}\n]{1,60}\}")
# What is longer is an instruction between turns, not a name before one.
_LONGEST: Final = 200
# There the same mark stands between thoughts and answers, and other ones end the reply.
_DIVIDES_ONLY: Final = "<|end|>"
_CHANNELS: Final = "<|channel|>"
_THOUGHTS: Final = "<|think|>"
_ENDS_OF_CHANNELS: Final = ("<|return|>", "<|call|>")
# Names are part of the key, so the entries have to be bounded; finding one again takes milliseconds.
_KEPT: Final = 64


class StopTexts:
    """Finds them by rendering a dialogue and looking at what stands between its turns; remembers the last few."""

    def __init__(self, writer: PromptWriter) -> None:
        self._writer = writer
        self._known: OrderedDict[tuple[str, ...], tuple[str, ...]] = OrderedDict()

    async def of(self, plan: PromptPlan) -> tuple[str, ...]:
        """Empty for a template that has no such texts, or refuses the dialogue."""
        key = (plan.template.source, *(str(plan.variables.get(name)) for name in ("name1", "name2")))
        if key not in self._known:
            self._known[key] = await self._found(plan)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return self._known[key]

    async def _found(self, plan: PromptPlan) -> tuple[str, ...]:
        roles = (Role.USER, Role.ASSISTANT, Role.USER, Role.ASSISTANT)
        turns = [text_message(role, word) for role, word in zip(roles, _WORDS, strict=True)]
        try:
            text = await self._writer.render(plan, turns)
        except TemplateKilled:
            raise
        except BadRequest:
            return ()
        return stop_texts(text, plan.template.source)


def stop_texts(dialogue: str, source: str) -> tuple[str, ...]:
    """What stands in `dialogue`, which the template `source` made, where speakers change."""
    _, first, second, third = _WORDS
    gaps = (_between(dialogue, first, second), _between(dialogue, second, third))
    found = dict.fromkeys(stop for gap in gaps for stop in _stops_of(gap))
    if _CHANNELS in source or _THOUGHTS in source:
        found.pop(_DIVIDES_ONLY, None)
    if _CHANNELS in source:
        found |= dict.fromkeys(_ENDS_OF_CHANNELS)
    return _shortest(tuple(found))


def _between(dialogue: str, before: str, after: str) -> str:
    return dialogue.partition(before)[2].partition(after)[0]


def _stops_of(gap: str) -> Iterator[str]:
    """A mark in brackets, or a name up to its colon. A name ends replies at the beginning of a line only, since it may
    well occur within one."""
    words = gap.lstrip()
    if mark := _BRACKETED.match(words):
        yield mark.group()
        return
    name, colon, _ = words.partition(":")
    if not colon or len(name) > _LONGEST:
        return
    margin = gap[: len(gap) - len(words)]
    yield margin + name + colon
    # Models often leave out one of two line breaks.
    if margin.count("\n") > 1:
        yield "\n" + name + colon


def _shortest(texts: Sequence[str]) -> tuple[str, ...]:
    """Without those that begin with another one."""
    return tuple(text for text in texts if not any(text != other and text.startswith(other) for other in texts))
