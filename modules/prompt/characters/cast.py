"""Who speaks in the modes chat and chat-instruct, and what is said of them around the conversation."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from modules.library.characters.character import Character
from modules.library.characters.contents import depth_prompt
from modules.library.library import Library
from modules.library.lorebooks.book import Position
from modules.messages import Message, Role, TextPart, text_message
from modules.prompt.characters.lore import Lore
from modules.prompt.characters.macros import Macros
from modules.prompt.characters.scan import ReplyStart, Scene
from modules.prompt.templates.choice import DIALOGUE, ChatTemplate
from modules.prompt.tokens import BOT_NAME, USER_NAME, without_reserved
from modules.requests import Persona
from modules.settings.values import Settings

_NOBODY: Final = frozenset({"", "None"})
_PLACEHOLDER: Final = re.compile(r"\{\{\s*(user|char)\s*\}\}|<(user|bot)>", re.IGNORECASE)
# In a template, <user> in small letters may be markup.
_IN_TEMPLATE: Final = re.compile(r"\{\{\s*(user|char)\s*\}\}|<(USER|BOT)>")
_IN_COMMAND: Final = re.compile(rf"<\|(character|prompt)\|>|{_PLACEHOLDER.pattern}", re.IGNORECASE)
_ORIGINAL: Final = re.compile(r"\{\{\s*original\s*\}\}", re.IGNORECASE)
# Between the examples of a card.
_START: Final = re.compile(r"<START>[ \t]*", re.IGNORECASE)
_EXAMPLE: Final = "[Example of dialogue]"


@dataclass(frozen=True, slots=True)
class Note:
    """A text that stands `depth` messages from the end of the conversation."""

    depth: int
    role: Role
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """The two who speak, with all macros in their texts filled in. In the `command` and in the source of the `template`
    they stand yet, for names must not become part of a program. `takes_system`: the request's system text has its place in
    the `context`. `lore` names the entries of lorebooks that are in these texts."""

    user: str
    bot: str
    context: str
    greeting: str
    user_bio: str
    command: str
    template: ChatTemplate
    notes: tuple[Note, ...] = ()
    takes_system: bool = False
    lore: tuple[str, ...] = ()

    def instruction(self, dialogue: str) -> str:
        """The command with the `dialogue` in it."""
        words = {"character": self.bot, "prompt": dialogue, "user": self.user, "char": self.bot, "bot": self.bot}
        return _IN_COMMAND.sub(lambda found: words[_name_in(found)], self.command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the texts of a character depend on besides its file: `seed` is what choices at random follow from, `system` the
    system text that there would be without a character's own, and `is_default_system` whether only the settings ask for
    it."""

    seed: str = ""
    system: str = ""
    is_default_system: bool = False
    lore: Lore = field(default_factory=Lore)


@dataclass(frozen=True, slots=True)
class Speakers:
    """The character and the user, as files, settings and the request have them."""

    character: Character
    user: str
    bot: str
    bio: str

    def macros(self, seed: str, outlet: Callable[[str], str] | None = None) -> Macros:
        """Without an `outlet` all of them are empty."""
        character = self.character
        about = {"description": character.context, "personality": character.personality, "scenario": character.scenario}
        plain = Macros(user=self.user, char=self.bot, seed=seed)
        plain = plain if outlet is None else replace(plain, outlet=outlet)
        # What these stand for may hold names, but not one another.
        words = {name: plain.filled(text) for name, text in (about | {"persona": self.bio}).items()}
        return replace(plain, words=MappingProxyType(words))


def speakers(persona: Persona, library: Library, settings: Settings) -> Speakers:
    """Reads files. Raises BadRequest for a character that there is not."""
    character = _character(persona, library, settings)
    profile = library.users.read(settings.user)
    is_given = settings.explicit.__contains__
    return Speakers(
        character=character,
        user=_first(persona.user_name, character.user_name, settings.name1 if is_given("name1") else profile.name),
        bot=_first(persona.bot_name, character.nickname or None, character.name),
        bio=_first(persona.user_bio, settings.user_bio if is_given("user_bio") else profile.bio),
    )


def cast_for(
    persona: Persona, library: Library, settings: Settings, circumstances: Circumstances | None = None
) -> Cast:
    """Reads files. Raises BadRequest for a character that there is not."""
    around = circumstances or Circumstances()
    who = speakers(persona, library, settings)
    outlets = _Outlets(around.lore, who.macros(around.seed))
    macros = who.macros(around.seed, outlets.text)

    def filled(text: str) -> str:
        return macros.filled(without_reserved(text)).strip()

    texts = _Texts(who.character, persona, around, macros)
    cast = Cast(
        user=who.user,
        bot=who.bot,
        context=texts.context(),
        greeting=filled(greeting_of(persona, who.character)),
        user_bio=filled(who.bio),
        command=_first(persona.chat_instruct_command, settings.chat_instruct_command),
        template=_dialogue_template(persona, settings),
        notes=texts.notes(),
        takes_system=texts.takes_system(),
    )
    return replace(cast, lore=outlets.titles())


def greeting_of(persona: Persona, character: Character) -> str:
    """With its macros; of a number that there is not, the first one."""
    if persona.greeting is not None:
        return persona.greeting
    greetings = character.greetings
    return greetings[persona.greeting_index if persona.greeting_index < len(greetings) else 0] if greetings else ""


def all_greetings(persona: Persona, library: Library, settings: Settings) -> tuple[str, ...]:
    """What a chat may begin with, macros filled in, the first one first. Reads files. Raises BadRequest."""
    who = speakers(persona, library, settings)
    macros = who.macros("")
    texts = (macros.filled(without_reserved(text)).strip() for text in who.character.greetings)
    return tuple(dict.fromkeys(filter(None, texts)))


class _Outlets:
    """What entries of lorebooks say where a text asks for it by name. Such a text is no entry itself."""

    def __init__(self, lore: Lore, macros: Macros) -> None:
        self._entries = lore.entries
        self._macros = macros
        self._asked: set[str] = set()

    def text(self, name: str) -> str:
        self._asked.add(name)
        said = [entry.content for entry in self._entries if entry.position is Position.OUTLET and entry.outlet == name]
        return "\n".join(self._macros.filled(without_reserved(text)).strip() for text in said)

    def titles(self) -> tuple[str, ...]:
        """Of the entries that are in the prompt, now that its texts are there."""
        return tuple(
            entry.title
            for entry in self._entries
            if entry.position is not Position.OUTLET or entry.outlet in self._asked
        )


class _Texts:
    """What stands above, in and below the conversation."""

    def __init__(self, character: Character, persona: Persona, around: Circumstances, macros: Macros) -> None:
        # A request that brings its own context brings all that would be said of the character.
        is_own = persona.context is not None
        self._character = Character(character.name) if is_own else character
        self._prompts = character
        self._description = without_reserved(persona.context or "") if is_own else character.context
        self._around = around
        self._macros = macros

    def context(self) -> str:
        """In the order in which cards and SillyTavern have it."""
        character, lore = self._character, self._around.lore.texts
        examples = _START.sub(_EXAMPLE, character.examples)
        parts = [
            self._prompts.system_prompt,
            *lore(Position.BEFORE),
            self._description,
            _labelled("Personality", [character.personality, *lore(Position.PERSONALITY)]),
            _labelled("Scenario", [character.scenario, *lore(Position.SCENARIO)]),
            *lore(Position.AFTER),
            *lore(Position.BEFORE_EXAMPLES),
            examples,
            *lore(Position.AFTER_EXAMPLES),
        ]
        return self._filled(parts)

    def notes(self) -> tuple[Note, ...]:
        """Those that stand at the same place in the order in which they are to be read."""
        text, depth, role = depth_prompt(self._prompts)
        notes = [Note(depth, _ROLES.get(role, Role.SYSTEM), text)] if text else []
        at_depth = [each for each in self._around.lore.entries if each.position is Position.DEPTH]
        notes += [Note(each.depth, each.role, each.content) for each in at_depth]
        after = _ORIGINAL.sub("", self._prompts.post_history_instructions)
        notes += [Note(0, Role.SYSTEM, after)]
        filled = [Note(note.depth, note.role, self._filled([note.text])) for note in notes]
        return tuple(note for note in filled if note.text)

    def takes_system(self) -> bool:
        prompt = self._prompts.system_prompt
        return bool(prompt) and (self._around.is_default_system or bool(_ORIGINAL.search(prompt)))

    def _filled(self, parts: Iterable[str]) -> str:
        """The request's own words go in last, and are not read for macros."""
        text = "\n\n".join(stripped for part in parts if (stripped := without_reserved(part).strip()))
        pieces = [self._macros.filled(piece) for piece in _ORIGINAL.split(text)]
        return self._around.system.join(pieces).strip()


_ROLES: Final = MappingProxyType({role.value: role for role in (Role.SYSTEM, Role.USER, Role.ASSISTANT)})


def _labelled(label: str, texts: Sequence[str]) -> str:
    said = [text for text in texts if text]
    return f"{label}: {said[0]}" + "".join(f"\n{text}" for text in said[1:]) if said else ""


def with_notes(messages: Sequence[Message], notes: Sequence[Note], *, start: int, continues: bool) -> list[Message]:
    """`messages` with `notes` at their depths, none before the first `start` ones. Calls of tools and their results stay
    together, and nothing comes after a reply that is gone on with."""
    end = len(messages) - (1 if continues else 0)
    places: dict[int, list[Message]] = {}
    for note in notes:
        place = max(start, end - note.depth)
        while place > start and (_is_result(messages, place) or _is_result(messages, place - 1)):
            place -= 1
        places.setdefault(place, []).append(text_message(note.role, note.text))
    if not places:
        return list(messages)
    rows = [*messages[:start]]
    for index in range(start, len(messages) + 1):
        rows += [*places.get(index, ()), *messages[index : index + 1]]
    return rows


def _is_result(messages: Sequence[Message], index: int) -> bool:
    return index < len(messages) and messages[index].role is Role.TOOL


def scene_of(messages: Sequence[Message], who: Speakers, persona: Persona, *, continues: bool = False) -> Scene:
    """What lorebooks are searched with: the conversation, and the greeting that it will begin with. A reply that is gone
    on with counts as one that is to be written."""
    seed = seed_of(messages)
    macros = Macros(user=who.user, char=who.bot, seed=seed, is_scan=True)
    said = [message for message in messages if message.role in {Role.USER, Role.ASSISTANT}]
    texts, number, before = [_text(message) for message in said], None, 0
    if said and said[0].role is Role.ASSISTANT:
        number = _greeting_number(texts[0], who, seed)
    elif greeting := macros.filled(greeting_of(persona, who.character)):
        texts.insert(0, greeting)
        number = persona.greeting_index if persona.greeting is None else None
        before = 1
    past, now = _moments(said, before)
    if continues and past:
        *past, begun = past
        now = replace(now, messages=begun.messages)
    return Scene(
        texts=tuple(filter(None, texts))[: now.texts],
        messages=now.messages,
        replies=now.replies,
        greeting=number,
        macros=macros,
        past=tuple(past),
    )


def _moments(said: Sequence[Message], before: int) -> tuple[list[ReplyStart], ReplyStart]:
    """When the replies in `said` began, and the next one; `before` is how many messages stand before them. A reply that
    called tools is one with what it goes on to say, and has what it began with. What the chat began with was no reply."""
    past: list[ReplyStart] = []
    texts = messages = before
    replies, goes_on = 0, False
    for message in said:
        is_reply = message.role is Role.ASSISTANT
        if is_reply and messages and not goes_on:
            past.append(ReplyStart(texts, messages, replies))
        messages += not (is_reply and goes_on)
        goes_on = is_reply and bool(message.tool_calls)
        replies += is_reply
        texts += bool(_text(message))
    return (past[:-1], past[-1]) if goes_on and past else (past, ReplyStart(texts, messages, replies))


def _greeting_number(first: str, who: Speakers, seed: str) -> int | None:
    macros = who.macros(seed)
    greetings = [macros.filled(text).strip() for text in who.character.greetings]
    return greetings.index(first.strip()) if first.strip() in greetings else None


def _text(message: Message) -> str:
    return "\n".join(part.text for part in message.parts if isinstance(part, TextPart))


def seed_of(messages: Sequence[Message]) -> str:
    """What stays the same as long as a conversation grows: its first message."""
    return next((_text(message) for message in messages if message.role is Role.USER), "")[:1000]


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
