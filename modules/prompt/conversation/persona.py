"""Names and context in the modes chat and chat-instruct; files and settings fill what is missing."""

import re
from dataclasses import dataclass
from typing import Final

from modules.library.characters.characters import Character
from modules.library.library import Library
from modules.prompt.templates.choice import DIALOGUE, ChatTemplate
from modules.prompt.tokens import BOT_NAME, USER_NAME, without_reserved
from modules.requests import Persona
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
