"""Plans → text: a conversation by its template, a dialogue, or a dialogue inside an instruction, in each case perhaps
with a last reply to go on with."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from modules.errors import BadRequest
from modules.messages import Message, Role, TextPart, text_message
from modules.prompt.conversation import Quote, template_messages
from modules.prompt.persona import Cast, with_names
from modules.prompt.plan import Plan, joined_system, leading_system
from modules.prompt.render import TemplateKilled
from modules.prompt.rendering import Rendering
from modules.prompt.shape import Shape, shape_of
from modules.prompt.templates import ChatTemplate
from modules.prompt.thoughts import tags_for
from modules.prompt.tokens import PLACE, ControlTexts, without_reserved
from modules.requests import Mode

_STRANGERS: Final = frozenset({Role.USER, Role.TOOL})
_PROBE: Final = "c4a71e"
_KEPT_SHAPES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """Turns to be written with one template. `ready` are turns whose texts must not be quoted once more."""

    template: ChatTemplate
    variables: dict[str, Any]
    turns: tuple[Message, ...]
    controls: ControlTexts
    continues: bool = False
    prompts_reply: bool = True
    ready: frozenset[int] = field(default_factory=frozenset)


class PromptWriter:
    """Writes prompts; texts come out with CUT inside what must not become a control token."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._controls = lru_cache(maxsize=4)(ControlTexts)
        self._shapes: OrderedDict[str, Shape] = OrderedDict()

    def controls(self, plan: Plan) -> ControlTexts:
        return self._controls(plan.card.control_tokens)

    async def write(self, plan: Plan, messages: Sequence[Message]) -> str:
        """The prompt with `messages`, which are all of the plan's or fewer. Raises BadRequest."""
        match plan.cast, plan.mode:
            case Cast() as cast, Mode.CHAT:
                page = self._dialogue(plan, cast, messages)
                return with_names(await self._written(page), cast)
            case Cast() as cast, _:
                return await self._instructed(plan, cast, messages)
        return await self._written(self._page(plan, messages))

    async def render(self, plan: Plan, turns: Sequence[Message]) -> str:
        """`turns`, instead of the plan's, by its outermost template and without a generation prompt."""
        page = replace(self._page(plan, turns), continues=False, prompts_reply=False)
        text = await self._rendered(page)
        return text if plan.cast is None else with_names(text, plan.cast)

    def _page(self, plan: Plan, turns: Sequence[Message]) -> _Page:
        return _Page(
            template=plan.template,
            variables=plan.variables,
            turns=tuple(turns),
            controls=self.controls(plan),
            continues=plan.continues,
            prompts_reply=plan.prompts_reply,
        )

    def _dialogue(self, plan: Plan, cast: Cast, messages: Sequence[Message]) -> _Page:
        """The character's context stands above the request's own system text; the user's bio needs it there too."""
        count = leading_system(messages)
        asked = () if plan.mode is Mode.CHAT_INSTRUCT else messages[:count]
        system = [*([text_message(Role.SYSTEM, cast.context)] if cast.context else []), *asked]
        if cast.user_bio and not system:
            system = [text_message(Role.SYSTEM, "")]
        turns = [*([joined_system(system)] if system else []), *messages[count:]]
        return replace(self._page(plan, turns), template=cast.template)

    async def _instructed(self, plan: Plan, cast: Cast, messages: Sequence[Message]) -> str:
        count = leading_system(messages)
        partial = messages[-1:] if plan.continues else ()
        told = messages[: len(messages) - len(partial)]
        dialogue = replace(self._dialogue(plan, cast, told), continues=False, prompts_reply=False)
        text = with_names(await self._rendered(dialogue), cast).rstrip("\n")
        asked = text_message(Role.USER, cast.instruction(text))
        return await self._written(
            replace(self._page(plan, [*messages[:count], asked, *partial]), ready=frozenset({count}))
        )

    async def _written(self, page: _Page) -> str:
        if not page.continues:
            return await self._rendered(page)
        last = page.turns[-1]
        if last.reasoning is not None and not last.text.strip():
            return await self._with_open_thought(page, last.reasoning)
        marked = replace(last, parts=(TextPart(PLACE),))
        text = await self._rendered(replace(page, turns=(*page.turns[:-1], marked), prompts_reply=False))
        before, place, _ = text.rpartition(PLACE)
        if not place:
            raise BadRequest(
                "The chat template of this model leaves no place to continue a reply at.", param="messages"
            )
        return before + without_reserved(last.text)

    async def _with_open_thought(self, page: _Page, thought: str) -> str:
        """A reply that was broken off while it was thinking. Templates that leave such thoughts out get it after the
        generation prompt, where the model had begun it."""
        *earlier, last = page.turns
        marked = replace(last, parts=(), reasoning=PLACE)
        text = await self._rendered(replace(page, turns=(*earlier, marked), prompts_reply=False))
        before, place, _ = text.rpartition(PLACE)
        if not place:
            before = await self._rendered(replace(page, turns=tuple(earlier), prompts_reply=True))
            start = tags_for(page.template.source).start
            before = before if before.rstrip().endswith(start) else before + start
        return before + without_reserved(thought)

    async def _rendered(self, page: _Page) -> str:
        shape = await self._shape(page.template)
        turns = template_messages(page.turns, shape=shape, quote=_quote(page))
        own = {"messages": turns, "add_generation_prompt": page.prompts_reply}
        return await self._rendering.render(page.template, page.variables | own)

    async def _shape(self, template: ChatTemplate) -> Shape:
        known = self._shapes.get(template.source)
        if known is None:
            known = shape_of(template.source, as_parts=await self._wants_parts(template))
            self._shapes[template.source] = known
            if len(self._shapes) > _KEPT_SHAPES:
                self._shapes.popitem(last=False)
        return known

    async def _wants_parts(self, template: ChatTemplate) -> bool:
        """True for templates that walk through a list of typed parts and would lose a plain text."""
        as_list = [{"type": "text", "text": _PROBE}]
        return not await self._shows(template, _PROBE) and await self._shows(template, as_list)

    async def _shows(self, template: ChatTemplate, content: object) -> bool:
        variables = {"messages": [{"role": "user", "content": content}], "add_generation_prompt": True}
        try:
            return _PROBE in await self._rendering.render(template, variables)
        except TemplateKilled:
            raise
        except BadRequest:
            return False


def _quote(page: _Page) -> Quote:
    ready = {id(page.turns[index]) for index in page.ready}

    def quote(message: Message, text: str) -> str:
        if id(message) in ready or text == PLACE:
            return text
        return page.controls.cut(text) if message.role in _STRANGERS else without_reserved(text)

    return quote
