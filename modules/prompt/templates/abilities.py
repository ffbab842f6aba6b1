"""What a chat template supports, found by rendering small conversations with it, once."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from modules.messages import Message, Role, TextPart, ToolCall, ToolSpec, text_message
from modules.prompt.conversation.messages import template_messages, template_tools, with_pairs
from modules.prompt.templates.choice import ChatTemplate, Rendering
from modules.prompt.templates.shape import Shape, may_fold_results, shape_of
from modules.prompt.templates.variables import EFFORT_WORDS


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
_LATER_SYSTEM: Final = frozenset(
    {
        TemplateNeed.SYSTEM_AFTER_USER,
        TemplateNeed.SYSTEM_AFTER_USER_ALONE,
        TemplateNeed.SYSTEM_AFTER_REPLY,
        TemplateNeed.SYSTEM_AFTER_REPLY_ALONE,
    }
)


@dataclass(frozen=True, slots=True)
class Abilities:
    """The `shape` in which a template takes conversations, and what it lacks: it refuses it, or leaves texts out. What it
    `moves` it shows, but in front of what was said before, so that a later text changes the prompt's beginning."""

    shape: Shape
    lacks: frozenset[TemplateNeed] = frozenset()
    moves: frozenset[TemplateNeed] = frozenset()

    def levels(self, *, keeps_system: bool = True) -> Iterator[frozenset[TemplateNeed]]:
        """What is to be thought lacking: what is known to be, then more and more. Most tools are plain, also for templates
        that do not take all. With `keeps_system`, what the template moves counts as lacking."""
        everything = frozenset(TemplateNeed)
        lacks = self.lacks | self.moves if keeps_system else self.lacks
        yield from dict.fromkeys(
            (
                lacks - {TemplateNeed.TOOLS},
                lacks,
                lacks | (everything - _ORDINARY),
                everything - {TemplateNeed.SYSTEM} | lacks,
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

    def is_in_order_in(self, text: str) -> bool:
        places = [text.find(word) for word in self.probe.words]
        return places == sorted(places)


class TemplateAbilities:
    """Finds them; remembers those of the last few templates."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._known: OrderedDict[str, Abilities] = OrderedDict()
        self._efforts: OrderedDict[tuple[str, str], frozenset[str]] = OrderedDict()
        self._margins: OrderedDict[str, tuple[str, str] | None] = OrderedDict()

    async def of(self, template: ChatTemplate) -> Abilities:
        """Raises TemplateKilled."""
        known = self._known.get(template.source)
        if known is None:
            known = self._known[template.source] = await self._found(template)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return known

    async def picture_margins(self, template: ChatTemplate) -> tuple[str, str] | None:
        """The white space that the template writes before and after a picture's token within a text; None where it writes
        none for pictures. Raises TemplateKilled."""
        if template.source not in self._margins:
            shape = (await self.of(template)).shape
            texts = await self._rendering.attempt(template, [_picturing(part, shape) for part in _PICTURES])
            own = _between_words(texts[0]) if shape.as_parts else ""
            found = (_margins(text, own or "") for text in texts[1:])
            self._margins[template.source] = next((each for each in found if each is not None), None)
            if len(self._margins) > _KEPT:
                self._margins.popitem(last=False)
        return self._margins[template.source]

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
        found = await self._tried(template, shape, is_fitted=is_fitted)
        others = {TemplateNeed.CALL: replace(shape, null_beside_calls=True)}
        if may_fold_results(template.source):
            others[TemplateNeed.RESULT] = replace(shape, folds_results=True)
        # A shape with more in it is chosen only where the template shows more with it.
        for need, other in others.items():
            if (
                need in found.lacks
                and need not in (better := await self._tried(template, other, is_fitted=is_fitted)).lacks
            ):
                found = better
        return replace(found, lacks=lacks | found.lacks)

    async def _tried(self, template: ChatTemplate, shape: Shape, *, is_fitted: bool) -> Abilities:
        pairs = list(probes())
        tools = template_tools([TOOL], is_fitted=is_fitted)
        attempts = [_Attempt(shape, probe, tools if need in OF_CALLS else _none(shape)) for need, probe in pairs]
        texts = await self._rendering.attempt(template, [attempt.variables for attempt in attempts])
        lacking, moved = set[TemplateNeed](), set[TemplateNeed]()
        for (need, _), attempt, text in zip(pairs, attempts, texts, strict=True):
            if text is None or not attempt.is_shown_in(text):
                lacking.add(need)
            elif need in _LATER_SYSTEM and not attempt.is_in_order_in(text):
                moved.add(need)
        # What shows no calls, or no system text, says nothing of where they may stand.
        if lacking & {TemplateNeed.CALL, TemplateNeed.RESULT, TemplateNeed.SYSTEM}:
            lacking -= {TemplateNeed.NO_USER_BEFORE_CALL, TemplateNeed.SYSTEM_BEFORE_RESULT}
        return Abilities(shape, frozenset(lacking), frozenset(moved))

    async def _shown(self, template: ChatTemplate, attempts: Sequence[_Attempt]) -> list[bool]:
        texts = await self._rendering.attempt(template, [attempt.variables for attempt in attempts])
        return [attempt.is_shown_in(text) for attempt, text in zip(attempts, texts, strict=True)]


# How templates know a picture, after a text to compare with. Some look for one of these fields, some at the type.
_PICTURES: Final = (
    {"type": "text", "text": "kq0pic"},
    {"type": "image"},
    {"type": "image_url", "image_url": {"url": "kq0pic"}},
)


def _picturing(part: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """A question of a text, `part` and another text, as a template's variables."""
    before, after = ({"type": "text", "text": word} for word in _WORDS[:2])
    turn = {"role": Role.USER.value, "content": [before, part, after]}
    return {**_VARIABLES, "messages": [turn], "tools": _none(shape)}


def _between_words(text: str | None) -> str | None:
    before, after = _WORDS[:2]
    if text is None or text.count(before) != 1 or text.count(after) != 1:
        return None
    return text.partition(before)[2].partition(after)[0] if text.index(before) < text.index(after) else None


def _margins(text: str | None, own: str) -> tuple[str, str] | None:
    """Without what the template puts between its parts anyway, `own`."""
    found = _between_words(text)
    token = found.strip() if found else ""
    # One that prints the list as it is knows no pictures.
    if not found or not token or "{" in token:
        return None
    before, _, after = found.partition(token)
    gap, _, last_gap = own.partition("kq0pic")
    return before.removesuffix(gap) if gap else before, after.removeprefix(last_gap) if last_gap else after


def _none(shape: Shape) -> _Tools:
    return [] if shape.no_tools_are_a_list else None
