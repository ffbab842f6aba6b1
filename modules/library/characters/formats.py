"""The keys under which programs have stored a character's texts, over the years."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from modules.errors import BadRequest
from modules.library.text_files import text_at

# The first that is there counts: newer programs before older ones.
_NAME_KEYS: Final = ("name", "bot", "<|bot|>", "char_name")
_USER_KEYS: Final = ("your_name", "user", "<|user|>")
_GREETING_KEYS: Final = ("greeting", "char_greeting", "first_mes")
_NICKNAME: Final = "nickname"
# By these a file is a character's, even without a name.
_TELLING: Final = ("char_persona", "char_greeting", "world_scenario", "first_mes", "mes_example", "personality")
_CHARACTER: Final = re.compile(r"\{\{char\}\}|<(?:BOT|CHAR)>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CharacterText:
    """What a character's file says; empty where it says nothing."""

    name: str
    context: str
    greeting: str
    user_name: str


@dataclass(frozen=True, slots=True)
class _Fields:
    """`takes_lists` lets several texts stand where one is expected, as other programs write them."""

    content: Mapping[str, object]
    file_name: str
    takes_lists: bool

    def text(self, *keys: str) -> str:
        """The first of these that says anything."""
        return next((text for key in keys if (text := self._one(key))), "")

    def _one(self, key: str) -> str:
        value = self.content.get(key)
        if value is False or (isinstance(value, list | dict) and not value):
            return ""
        if isinstance(value, list) and self.takes_lists:
            value = "\n".join(str(each) for each in value if isinstance(each, str | int | float))
        return _whole(text_at({key: value}, key, self.file_name)).strip()


def card_fields(content: Mapping[str, object]) -> Mapping[str, object]:
    """Where the texts stand: from the second version of TavernAI's cards on under `data`, whether or not `spec` says so.

    The name alone may stand outside.
    """
    wrapped = content.get("data")
    if not isinstance(wrapped, dict) or ("spec" not in content and any(content.get(key) for key in _NAME_KEYS)):
        return content
    fields = {str(key): value for key, value in wrapped.items()}
    return fields if fields.get("name") else {**fields, "name": content.get("name")}


def character_text(content: Mapping[str, object], file_name: str, *, takes_lists: bool = True) -> CharacterText:
    """Out of our own format, Pygmalion's (`char_persona` …) or TavernAI's in all its versions.

    A character without a name is called what its file is called. Raises BadRequest when a text is something else.
    """
    found = card_fields(content)
    fields = _Fields(found, file_name, takes_lists)
    nickname = fields.text(_NICKNAME)
    name = fields.text(*_NAME_KEYS) or nickname
    if not name and not (found is not content or any(key in found for key in (*_NAME_KEYS, *_TELLING))):
        raise BadRequest(f"{file_name} holds no character: there is no `name` in it (line 1).")
    name = name or PurePath(file_name).stem
    return CharacterText(
        name=name,
        context=_called(_context(fields, nickname or name), nickname),
        greeting=_called(fields.text(*_GREETING_KEYS), nickname),
        user_name=fields.text(*_USER_KEYS),
    )


def _context(fields: _Fields, name: str) -> str:
    """`context` as it is; older formats had a field for each part of it."""
    persona = fields.text("char_persona", "description")
    described = (
        f"{name}'s Persona: {persona}" if persona else "",
        f"Personality: {personality}" if (personality := fields.text("personality")) else "",
        f"Scenario: {scenario}" if (scenario := fields.text("world_scenario", "scenario")) else "",
    )
    parts = (
        fields.text("context") or "\n".join(filter(None, described)),
        fields.text("example_dialogue", "mes_example"),
    )
    return "\n".join(filter(None, parts))


def _called(text: str, nickname: str) -> str:
    """In the third version placeholders stand for the nickname, not for the name."""
    return _CHARACTER.sub(lambda _: nickname, text) if nickname else text


def _whole(text: str) -> str:
    """Without half characters, which JSON can hold and files cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
