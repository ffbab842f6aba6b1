"""What a prompt is made of, decided before rendering: templates, characters, messages in order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from modules.engine.types import ModelCard
from modules.errors import BadRequest
from modules.library.library import Library
from modules.library.lorebooks.book import Lorebook
from modules.messages import Message, Role, TextPart, ToolUse, text_message
from modules.prompt.characters.cast import (
    Cast,
    Circumstances,
    cast_for,
    scene_of,
    seed_of,
    speakers,
    with_notes,
)
from modules.prompt.characters.lore import Lore
from modules.prompt.characters.scan import Scene
from modules.prompt.templates.choice import ChatTemplate, TemplateSelector
from modules.prompt.templates.shape import ends_with_thought, with_thought_apart
from modules.prompt.templates.variables import template_variables
from modules.prompt.tokens import is_media_place, media_places
from modules.requests import ChatRequest, Mode
from modules.settings.values import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPlan:
    """`template` is the one that surrounds everything: in the mode CHAT the dialogue's, else the instruction template,
    with its `variables`. `cast` is None in the mode INSTRUCT. Leading system texts are one message, the first. `repairs`
    name what was changed in the `messages` of the request. With `keeps_system`, system texts stay in their places even where
    the template would move them."""

    card: ModelCard
    mode: Mode
    template: ChatTemplate
    variables: dict[str, Any]
    cast: Cast | None
    messages: tuple[Message, ...]
    continues: bool
    prompts_reply: bool
    repairs: tuple[str, ...] = ()
    keeps_system: bool = True

    @property
    def continues_thought(self) -> bool:
        """Whether the last reply was broken off while the model was thinking."""
        last = self.messages[-1]
        return self.continues and last.reasoning is not None and not last.text.strip()


@dataclass(frozen=True, slots=True)
class LoreSearch:
    """Lorebooks, and what to look for in them."""

    books: tuple[Lorebook, ...]
    scene: Scene


class Planner:
    """Makes plans with the user's files and settings; blocks for as long as reading files takes."""

    def __init__(self, library: Library, settings: Settings) -> None:
        self._library = library
        self._settings = settings
        self._shelf = TemplateSelector(library, settings)

    def plan(self, card: ModelCard, request: ChatRequest, lore: Lore | None = None) -> PromptPlan:
        """Raises BadRequest: names that do not exist, arguments that cannot be set, nothing to continue."""
        mode = request.persona.mode
        messages = self._messages(request)
        cast = None if mode is Mode.INSTRUCT else self._cast(request, messages, lore or Lore())
        template = (
            cast.template if cast is not None and mode is Mode.CHAT else self._shelf.choose(card, request.template)
        )
        if cast is not None and cast.takes_system:
            messages = messages[leading_system(messages) :]
        if cast is not None and cast.greeting and _opens_with_user(messages):
            messages = _greeted(messages, cast.greeting)
        shows_tools = request.tool_choice.use is not ToolUse.NONE
        variables = template_variables(card, request, template.source, shows_tools=shows_tools)
        return PromptPlan(
            card=card,
            mode=mode,
            template=template,
            variables=variables | (_names(cast) if cast is not None else {}),
            cast=cast,
            messages=tuple(messages),
            continues=request.continue_last,
            prompts_reply=request.add_generation_prompt,
            keeps_system=self._keeps_system(request),
        )

    def search(self, request: ChatRequest) -> LoreSearch | None:
        """What lorebooks there are to look into for a reply, and with what; None where there are none. Raises BadRequest
        for a book that there is not."""
        persona = request.persona
        uses = self._settings.use_lorebooks if persona.uses_lore is None else persona.uses_lore
        if persona.mode is Mode.INSTRUCT or not uses:
            return None
        who = speakers(persona, self._library, self._settings)
        names = self._settings.lorebooks if persona.lorebooks is None else persona.lorebooks
        books = [self._library.lorebooks.read(name) for name in names]
        if who.character.book is not None:
            books.append(who.character.book)
        if not books:
            return None
        scene = scene_of(self._messages(request), who, persona, continues=request.continue_last)
        return LoreSearch(tuple(books), scene)

    def _keeps_system(self, request: ChatRequest) -> bool:
        names = self._settings.prefix_repair if request.prefix_repair is None else request.prefix_repair
        return "system" in names

    def _cast(self, request: ChatRequest, messages: Sequence[Message], lore: Lore) -> Cast:
        system = messages[0].text if leading_system(messages) else ""
        # Pictures stay where the request has them.
        system = "" if media_places(system) else system
        is_default = not any(message.role is Role.SYSTEM for message in request.messages)
        around = Circumstances(seed=seed_of(messages), system=system, is_default_system=is_default, lore=lore)
        return cast_for(request.persona, self._library, self._settings, around)

    def _messages(self, request: ChatRequest) -> list[Message]:
        if request.continue_last and request.messages[-1].role is not Role.ASSISTANT:
            raise BadRequest(
                "Only a reply can be continued: the last message must be the assistant's.", param="messages"
            )
        *earlier, last = request.messages
        turns = [with_thought_apart(message) for message in earlier]
        is_complete_thought = request.continue_last and ends_with_thought(last.text)
        turns.append(last if is_complete_thought else with_thought_apart(last))
        return self._with_system(turns)

    def _with_system(self, messages: Sequence[Message]) -> list[Message]:
        count = leading_system(messages)
        if count == 0:
            if any(message.role is Role.SYSTEM for message in messages):
                return list(messages)
            custom = self._settings.custom_system_message
            return [*([text_message(Role.SYSTEM, custom)] if custom.strip() else []), *messages]
        return [joined_system(messages[:count]), *messages[count:]]


def conversation_of(plan: PromptPlan) -> tuple[Message, ...]:
    """The plan's messages; those of a character begin with who it is and whom it speaks to."""
    if plan.cast is None:
        return plan.messages
    count = leading_system(plan.messages)
    told = noted(plan, plan.messages)[count:]
    about = [text for text in (plan.cast.context, plan.cast.user_bio) if text]
    system = [*(text_message(Role.SYSTEM, text) for text in about), *plan.messages[:count]]
    return (*([joined_system(system)] if system else []), *told)


def noted(plan: PromptPlan, messages: Sequence[Message]) -> Sequence[Message]:
    """`messages`, which are all of the plan's or fewer, with the notes of the character and of its lorebooks."""
    if plan.cast is None or not plan.cast.notes:
        return messages
    return with_notes(messages, plan.cast.notes, start=leading_system(messages), continues=plan.continues)


def _names(cast: Cast) -> dict[str, Any]:
    return {"name1": cast.user, "name2": cast.bot, "user_bio": cast.user_bio}


def leading_system(messages: Sequence[Message]) -> int:
    """How many system messages stand in front of everything else."""
    return next((i for i, message in enumerate(messages) if message.role is not Role.SYSTEM), len(messages))


def joined_system(messages: Sequence[Message]) -> Message:
    """One message that says what all of `messages` say, each on lines of its own.

    Its texts are one part, since there are templates that read only the first.
    """
    parts = [part for message in messages for part in message.parts]
    # A place stays a part of its own until the texts beside it have been cleaned.
    if not all(isinstance(part, TextPart) and not is_media_place(part.text) for part in parts):
        return replace(messages[0], parts=tuple(parts))
    return replace(messages[0], parts=(TextPart("\n".join(message.text for message in messages)),))


def _opens_with_user(messages: Sequence[Message]) -> bool:
    count = leading_system(messages)
    return count == len(messages) or messages[count].role is not Role.ASSISTANT


def _greeted(messages: Sequence[Message], greeting: str) -> list[Message]:
    count = leading_system(messages)
    return [*messages[:count], text_message(Role.ASSISTANT, greeting), *messages[count:]]
