"""What a prompt is made of, decided before rendering: templates, characters, messages in order."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from modules.engine.types import ModelCard
from modules.errors import BadRequest
from modules.library.characters.character import Character
from modules.library.library import Library
from modules.messages import Message, Role, TextPart, ToolUse, text_message
from modules.prompt.templates.choice import DIALOGUE, ChatTemplate, TemplateSelector
from modules.prompt.templates.shape import ends_with_thought, with_thought_apart
from modules.prompt.templates.variables import template_variables
from modules.prompt.tokens import BOT_NAME, USER_NAME, is_media_place, without_reserved
from modules.requests import ChatRequest, Mode, Persona
from modules.settings.values import Settings

_NOBODY: Final = frozenset({"", "None"})
_PLACEHOLDER: Final = re.compile(r"\{\{\s*(user|char)\s*\}\}|<(user|bot)>", re.IGNORECASE)
# In a template, <user> in small letters may be markup.
_IN_TEMPLATE: Final = re.compile(r"\{\{\s*(user|char)\s*\}\}|<(USER|BOT)>")
_IN_COMMAND: Final = re.compile(rf"<\|(character|prompt)\|>|{_PLACEHOLDER.pattern}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """The two who speak, with all placeholders in their texts filled in. In the `command` and in the source of the
    `template` they stand yet, for names must not become part of a program."""

    user: str
    bot: str
    context: str
    greeting: str
    user_bio: str
    command: str
    template: ChatTemplate

    def instruction(self, dialogue: str) -> str:
        """The command with the `dialogue` in it."""
        words = {"character": self.bot, "prompt": dialogue, "user": self.user, "char": self.bot, "bot": self.bot}
        return _IN_COMMAND.sub(lambda found: words[_name_in(found)], self.command)


def cast_for(persona: Persona, library: Library, settings: Settings) -> Cast:
    """Reads files. Raises BadRequest for a character that there is not."""
    character = _character(persona, library, settings)
    profile = library.users.read(settings.user)
    is_given = settings.explicit.__contains__
    user = _first(persona.user_name, character.user_name, settings.name1 if is_given("name1") else profile.name)
    bot = _first(persona.bot_name, character.name)
    bio = _first(persona.user_bio, settings.user_bio if is_given("user_bio") else profile.bio)

    def filled(text: str) -> str:
        words = {"user": user, "char": bot, "bot": bot}
        return _PLACEHOLDER.sub(lambda found: words[_name_in(found)], without_reserved(text)).strip()

    return Cast(
        user=user,
        bot=bot,
        context=filled(_first(persona.context, character.context)),
        greeting=filled(_first(persona.greeting, character.greeting)),
        user_bio=filled(bio),
        command=_first(persona.chat_instruct_command, settings.chat_instruct_command),
        template=_dialogue_template(persona, settings),
    )


def with_marked_names(source: str) -> str:
    """A dialogue template with marks in place of its placeholders; `with_names` puts the names there after rendering."""
    marks = {"user": USER_NAME, "char": BOT_NAME, "bot": BOT_NAME}
    return _IN_TEMPLATE.sub(lambda found: marks[_name_in(found)], source)


def with_names(text: str, cast: Cast) -> str:
    return text.replace(USER_NAME, cast.user).replace(BOT_NAME, cast.bot)


def _character(persona: Persona, library: Library, settings: Settings) -> Character:
    name = settings.character if persona.character is None else persona.character
    if name in _NOBODY:
        return Character(settings.name2, settings.context, settings.greeting)
    return library.characters.read(name)


def _dialogue_template(persona: Persona, settings: Settings) -> ChatTemplate:
    if persona.chat_template:
        return ChatTemplate(with_marked_names(persona.chat_template), param="chat_template_str")
    if settings.chat_template_str:
        return ChatTemplate(with_marked_names(settings.chat_template_str))
    return DIALOGUE


def _first(*texts: str | None) -> str:
    return next((without_reserved(text) for text in texts if text is not None), "")


def _name_in(found: re.Match[str]) -> str:
    return next(group for group in found.groups() if group).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPlan:
    """`template` is the one that surrounds everything: in the mode CHAT the dialogue's, else the instruction template,
    with its `variables`. `cast` is None in the mode INSTRUCT. Leading system texts are one message, the first. `repairs`
    name what was changed in the `messages` of the request."""

    card: ModelCard
    mode: Mode
    template: ChatTemplate
    variables: dict[str, Any]
    cast: Cast | None
    messages: tuple[Message, ...]
    continues: bool
    prompts_reply: bool
    repairs: tuple[str, ...] = ()

    @property
    def continues_thought(self) -> bool:
        """Whether the last reply was broken off while the model was thinking."""
        last = self.messages[-1]
        return self.continues and last.reasoning is not None and not last.text.strip()


class Planner:
    """Makes plans with the user's files and settings; blocks for as long as reading files takes."""

    def __init__(self, library: Library, settings: Settings) -> None:
        self._library = library
        self._settings = settings
        self._shelf = TemplateSelector(library, settings)

    def plan(self, card: ModelCard, request: ChatRequest) -> PromptPlan:
        """Raises BadRequest: names that do not exist, arguments that cannot be set, nothing to continue."""
        mode = request.persona.mode
        cast = None if mode is Mode.INSTRUCT else cast_for(request.persona, self._library, self._settings)
        template = (
            cast.template if cast is not None and mode is Mode.CHAT else self._shelf.choose(card, request.template)
        )
        messages = self._messages(request)
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
        )

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
    about = [text for text in (plan.cast.context, plan.cast.user_bio) if text]
    system = [*(text_message(Role.SYSTEM, text) for text in about), *plan.messages[:count]]
    return (*([joined_system(system)] if system else []), *plan.messages[count:])


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
