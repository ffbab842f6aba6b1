"""Plans → prompt text: by chat template, as a dialogue, or as a dialogue inside an instruction."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from modules.engine.types import ModelCard
from modules.errors import BadRequest
from modules.messages import Message, Role, TextPart, text_message
from modules.prompt.characters.cast import Cast, with_names
from modules.prompt.conversation.messages import (
    Quote,
    fitted_tools,
    quoted,
    template_messages,
    with_margins,
    with_pairs,
)
from modules.prompt.conversation.repair import repaired
from modules.prompt.plan import PromptPlan, joined_system, leading_system, noted
from modules.prompt.templates.abilities import Abilities, TemplateAbilities, TemplateNeed
from modules.prompt.templates.choice import ChatTemplate, Rendering
from modules.prompt.templates.render import TemplateKilled
from modules.prompt.templates.sandbox import TemplateExhausted
from modules.prompt.templates.shape import tags_for
from modules.prompt.templates.variables import EFFORT_NAMES, nearest_effort, no_effort
from modules.prompt.tokens import PLACE, cut, is_media_place, media_places, without_reserved
from modules.requests import Mode
from modules.text.control_tokens import ControlTexts

# Roles whose text is untrusted: control tokens in it must not take effect.
_STRANGERS: Final = frozenset({Role.USER, Role.TOOL})


@dataclass(frozen=True, slots=True)
class Written:
    """A prompt as text, and the names of what had to be done for the template to take the conversation."""

    text: str
    repairs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """Turns to be written with one template. `ready` are turns whose texts must not be quoted once more."""

    template: ChatTemplate
    variables: dict[str, Any]
    turns: tuple[Message, ...]
    controls: ControlTexts
    continues: bool = False
    prompts_reply: bool = True
    keeps_system: bool = True
    ready: frozenset[int] = field(default_factory=frozenset)


class PromptWriter:
    """Writes prompts; texts come out with CUT inside what must not become a control token."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        # Preparing the search for hundreds of control tokens costs more than a short prompt.
        self._controls = lru_cache(maxsize=4)(ControlTexts)
        self._abilities = TemplateAbilities(rendering)

    def controls(self, card: ModelCard) -> ControlTexts:
        return self._controls(card.control_tokens)

    async def write(self, plan: PromptPlan, messages: Sequence[Message]) -> Written:
        """The prompt with `messages`, which are all of the plan's or fewer. Raises BadRequest."""
        written = await self._of_mode(plan, noted(plan, messages))
        return replace(written, repairs=(*plan.repairs, *written.repairs)) if plan.repairs else written

    async def _of_mode(self, plan: PromptPlan, messages: Sequence[Message]) -> Written:
        match plan.cast, plan.mode:
            case Cast() as cast, Mode.CHAT:
                written = await self._written(self._dialogue(plan, cast, messages))
                return replace(written, text=with_names(written.text, cast))
            case Cast() as cast, _:
                return await self._instructed(plan, cast, messages)
        return await self._written(self._page(plan, messages))

    async def render(self, plan: PromptPlan, turns: Sequence[Message]) -> str:
        """`turns`, instead of the plan's, by its outermost template and without a generation prompt."""
        page = replace(self._page(plan, turns), continues=False, prompts_reply=False)
        text = (await self._rendered(page)).text
        return text if plan.cast is None else with_names(text, plan.cast)

    def _page(self, plan: PromptPlan, turns: Sequence[Message]) -> _Page:
        return _Page(
            template=plan.template,
            variables=plan.variables,
            turns=tuple(turns),
            controls=self.controls(plan.card),
            continues=plan.continues,
            prompts_reply=plan.prompts_reply,
            keeps_system=plan.keeps_system,
        )

    def _dialogue(self, plan: PromptPlan, cast: Cast, messages: Sequence[Message]) -> _Page:
        """The character's context stands above the request's own system text; the user's bio needs it there too."""
        count = leading_system(messages)
        asked = () if plan.mode is Mode.CHAT_INSTRUCT else messages[:count]
        system = [*([text_message(Role.SYSTEM, cast.context)] if cast.context else []), *asked]
        if cast.user_bio and not system:
            system = [text_message(Role.SYSTEM, "")]
        turns = [*([joined_system(system)] if system else []), *messages[count:]]
        return replace(self._page(plan, turns), template=cast.template)

    async def _instructed(self, plan: PromptPlan, cast: Cast, messages: Sequence[Message]) -> Written:
        count = leading_system(messages)
        partial = messages[-1:] if plan.continues else ()
        told = messages[: len(messages) - len(partial)]
        dialogue = replace(self._dialogue(plan, cast, told), continues=False, prompts_reply=False)
        inner = await self._rendered(dialogue)
        text = with_names(inner.text, cast).rstrip("\n")
        asked = text_message(Role.USER, cast.instruction(text))
        outer = await self._written(
            replace(self._page(plan, [*messages[:count], asked, *partial]), ready=frozenset({count}))
        )
        return replace(outer, repairs=tuple(dict.fromkeys((*inner.repairs, *outer.repairs))))

    async def _written(self, page: _Page) -> Written:
        if not page.continues:
            return await self._rendered(page)
        last = page.turns[-1]
        if last.reasoning is not None and not last.text.strip():
            return await self._with_open_thought(page, last.reasoning)
        # The text itself might be trimmed or escaped by the template; a mark shows where it belongs.
        marked = replace(last, parts=(TextPart(PLACE),))
        written = await self._rendered(replace(page, turns=(*page.turns[:-1], marked), prompts_reply=False))
        before, place, _ = written.text.rpartition(PLACE)
        if not place:
            raise BadRequest(
                "The chat template of this model leaves no place to continue a reply at.", param="messages"
            )
        return replace(written, text=before + without_reserved(last.text))

    async def _with_open_thought(self, page: _Page, thought: str) -> Written:
        """A reply that was broken off while it was thinking. Templates that leave such thoughts out get it after the
        generation prompt, where the model had begun it."""
        *earlier, last = page.turns
        marked = replace(last, parts=(), reasoning=PLACE)
        written = await self._rendered(replace(page, turns=(*earlier, marked), prompts_reply=False))
        before, place, _ = written.text.rpartition(PLACE)
        if not place:
            written = await self._rendered(replace(page, turns=tuple(earlier), prompts_reply=True))
            before, start = written.text, tags_for(page.template.source).start
            before = before if before.rstrip().endswith(start) else before + start
        return replace(written, text=before + without_reserved(thought))

    async def _rendered(self, page: _Page) -> Written:
        """As the template takes it, or, where it refuses that all the same, with more and more taken for lacking."""
        abilities = await self._abilities.of(page.template)
        page = await self._with_efforts(page)
        quote = _quote(page)
        messages = [quoted(message, quote) for message in with_pairs(page.turns, abilities.shape.ids)]
        messages = await self._with_margins(page, messages)
        refusal: BadRequest | None = None
        tried: list[_Attempt] = []
        for lacks in abilities.levels(keeps_system=page.keeps_system):
            attempt = _attempt(page, abilities, messages, lacks)
            # A level that changes nothing for this conversation would be refused again.
            if attempt in tried:
                continue
            try:
                return Written(await self._rendering.render(page.template, attempt.variables), attempt.repairs)
            except TemplateKilled:
                raise
            except BadRequest as failure:
                # Another form of the same conversation would take as long.
                if isinstance(failure.__cause__, TemplateExhausted):
                    raise
                refusal = refusal or failure
                tried.append(attempt)
        assert refusal is not None
        raise refusal

    async def _with_margins(self, page: _Page, messages: list[Message]) -> list[Message]:
        """What the template would write around a picture is written around its place."""
        if not any(media_places(message.text) for message in messages):
            return messages
        margins = await self._abilities.picture_margins(page.template)
        return [with_margins(message, margins) for message in messages]

    async def _with_efforts(self, page: _Page) -> _Page:
        efforts = await self._efforts(page)
        if not efforts:
            return page
        kept = {name: value for name, value in page.variables.items() if name not in efforts}
        return replace(page, variables=kept | {name: word for name, word in efforts.items() if word is not None})

    async def _efforts(self, page: _Page) -> dict[str, str | None]:
        """Efforts of reasoning in words that the template takes; None for one that it takes no word for."""
        source = page.template.source
        words: dict[str, str | None] = {}
        for name in (name for name in EFFORT_NAMES if name in source):
            wish, is_off = page.variables.get(name), page.variables.get("thinking") is False
            if not is_off and not isinstance(wish, str):
                continue
            taken = await self._abilities.efforts(page.template, name)
            off = no_effort(taken, source) if is_off else None
            if off is not None:
                words[name] = off
            elif isinstance(wish, str):
                words[name] = nearest_effort(wish, taken, source)
        return words


@dataclass(frozen=True, slots=True)
class _Attempt:
    variables: dict[str, Any]
    repairs: tuple[str, ...]


def _attempt(
    page: _Page, abilities: Abilities, messages: Sequence[Message], lacks: frozenset[TemplateNeed]
) -> _Attempt:
    turns, repairs = repaired(messages, lacks, page.template.source)
    variables = page.variables | {
        "messages": template_messages(turns, shape=abilities.shape),
        "add_generation_prompt": page.prompts_reply,
    }
    tools = variables.get("tools")
    if tools is None and abilities.shape.no_tools_are_a_list:
        variables["tools"] = []
    if tools and TemplateNeed.TOOLS in lacks and (fitted := fitted_tools(tools)) != tools:
        variables["tools"] = fitted
        repairs = (*repairs, "tools-simplified")
    return _Attempt(variables, repairs)


def _quote(page: _Page) -> Quote:
    ready = {id(page.turns[index]) for index in page.ready}

    def quote(message: Message, text: str) -> str:
        if id(message) in ready or text == PLACE or is_media_place(text):
            return text
        return cut(text, page.controls) if message.role in _STRANGERS else without_reserved(text)

    return quote
