"""What a chat template supports, found by rendering small conversations with it, once."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from modules.prompt.conversation.messages import template_messages, template_tools, with_pairs
from modules.prompt.templates.choice import ChatTemplate, Rendering
from modules.prompt.templates.needs import OF_CALLS, TOOL, TemplateNeed, TemplateProbe, probes, question
from modules.prompt.templates.shape import Shape, may_fold_results, shape_of
from modules.prompt.templates.variables import EFFORT_WORDS

# Templates in use at one time are few, and each entry costs thirty renderings.
_KEPT: Final = 32
_VARIABLES: Final = MappingProxyType(
    {
        **dict.fromkeys(("bos_token", "eos_token", "date_string", "functions", "datetime"), ""),
        **dict.fromkeys(("name1", "name2", "user_bio"), ""),
        "documents": None,
        "add_generation_prompt": True,
    }
)
# How much of what is known to be lacking is taken for granted when a template refuses a conversation all the same:
# first whatever is out of the ordinary, then everything but system texts, then those too.
_ORDINARY: Final = frozenset({TemplateNeed.CALL, TemplateNeed.RESULT, TemplateNeed.SYSTEM})


@dataclass(frozen=True, slots=True)
class Abilities:
    """The `shape` in which a template takes conversations, and what it lacks: it refuses it, or leaves texts out."""

    shape: Shape
    lacks: frozenset[TemplateNeed] = frozenset()

    def levels(self) -> Iterator[frozenset[TemplateNeed]]:
        """What is to be thought lacking: what is known to be, then more and more. Most tools are plain, also for templates
        that do not take all."""
        everything = frozenset(TemplateNeed)
        yield from dict.fromkeys(
            (
                self.lacks - {TemplateNeed.TOOLS},
                self.lacks,
                self.lacks | (everything - _ORDINARY),
                everything - {TemplateNeed.SYSTEM} | self.lacks,
                everything,
            )
        )


_Tools: TypeAlias = list[dict[str, Any]] | None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A conversation in a shape, and the tools that come with it."""

    shape: Shape
    probe: TemplateProbe
    tools: _Tools

    @property
    def variables(self) -> dict[str, Any]:
        turns = with_pairs(self.probe.turns, self.shape.ids)
        return {**_VARIABLES, "messages": template_messages(turns, shape=self.shape), "tools": self.tools}

    def is_shown_in(self, text: str | None) -> bool:
        return text is not None and all(word in text for word in self.probe.words)


class TemplateAbilities:
    """Finds them; remembers those of the last few templates."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._known: OrderedDict[str, Abilities] = OrderedDict()
        self._efforts: OrderedDict[tuple[str, str], frozenset[str]] = OrderedDict()

    async def of(self, template: ChatTemplate) -> Abilities:
        """Raises TemplateKilled."""
        known = self._known.get(template.source)
        if known is None:
            known = self._known[template.source] = await self._found(template)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return known

    async def efforts(self, template: ChatTemplate, name: str) -> frozenset[str]:
        """The words for the variable `name`, an effort of reasoning, that the template does not refuse. Raises
        TemplateKilled."""
        key = (template.source, name)
        if key not in self._efforts:
            shape = (await self.of(template)).shape
            attempt = _Attempt(shape, question(), _none(shape)).variables
            thinking = dict.fromkeys(("enable_thinking", "thinking"), True)
            words = (*EFFORT_WORDS, "no_think")
            texts = await self._rendering.attempt(template, [attempt | thinking | {name: word} for word in words])
            self._efforts[key] = frozenset(word for word, text in zip(words, texts, strict=True) if text is not None)
            if len(self._efforts) > _KEPT:
                self._efforts.popitem(last=False)
        return self._efforts[key]

    async def _found(self, template: ChatTemplate) -> Abilities:
        plain = shape_of(template.source)
        shapes = [
            replace(plain, as_parts=as_parts, no_tools_are_a_list=is_list)
            for is_list in (False, True)
            for as_parts in (False, True)
        ]
        tool = template_tools([TOOL])
        attempts = [_Attempt(shape, question(), _none(shape)) for shape in shapes]
        shown = await self._shown(template, [*attempts, *(_Attempt(shape, question(), tool) for shape in shapes[:2])])
        shape = next((shape for shape, is_shown in zip(shapes, shown, strict=False) if is_shown), None)
        if shape is None:
            return Abilities(plain)
        takes_tools = shown[len(shapes) + shape.as_parts]
        return await self._with_needs(template, shape, frozenset() if takes_tools else frozenset({TemplateNeed.TOOLS}))

    async def _with_needs(self, template: ChatTemplate, shape: Shape, lacks: frozenset[TemplateNeed]) -> Abilities:
        is_fitted = TemplateNeed.TOOLS in lacks
        lacking = await self._lacking(template, shape, is_fitted=is_fitted)
        others = {TemplateNeed.CALL: replace(shape, null_beside_calls=True)}
        if may_fold_results(template.source):
            others[TemplateNeed.RESULT] = replace(shape, folds_results=True)
        # A shape with more in it is chosen only where the template shows more with it.
        for need, other in others.items():
            if need in lacking and need not in (better := await self._lacking(template, other, is_fitted=is_fitted)):
                shape, lacking = other, better
        return Abilities(shape, lacks | lacking)

    async def _lacking(self, template: ChatTemplate, shape: Shape, *, is_fitted: bool) -> frozenset[TemplateNeed]:
        pairs = list(probes())
        tools = template_tools([TOOL], is_fitted=is_fitted)
        attempts = [_Attempt(shape, probe, tools if need in OF_CALLS else _none(shape)) for need, probe in pairs]
        shown = await self._shown(template, attempts)
        lacking = {need for (need, _), is_shown in zip(pairs, shown, strict=True) if not is_shown}
        # What shows no calls, or no system text, says nothing of where they may stand.
        if lacking & {TemplateNeed.CALL, TemplateNeed.RESULT, TemplateNeed.SYSTEM}:
            lacking -= {TemplateNeed.NO_USER_BEFORE_CALL, TemplateNeed.SYSTEM_BEFORE_RESULT}
        return frozenset(lacking)

    async def _shown(self, template: ChatTemplate, attempts: Sequence[_Attempt]) -> list[bool]:
        texts = await self._rendering.attempt(template, [attempt.variables for attempt in attempts])
        return [attempt.is_shown_in(text) for attempt, text in zip(attempts, texts, strict=True)]


def _none(shape: Shape) -> _Tools:
    return [] if shape.no_tools_are_a_list else None
