"""The keys under which programs have stored a character's texts, over the years."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from modules.errors import BadRequest
from modules.library.text_files import text_at

_NAME_KEYS: Final = ("name", "bot", "<|bot|>", "char_name")
_USER_KEYS: Final = ("your_name", "user", "<|user|>")
_GREETING_KEYS: Final = ("greeting", "char_greeting", "first_mes")


@dataclass(frozen=True, slots=True)
class CharacterText:
    """What a character's file says; empty where it says nothing."""

    name: str
    context: str
    greeting: str
    user_name: str


def character_text(content: Mapping[str, object], file_name: str) -> CharacterText:
    """Out of our own format, Pygmalion's (`char_persona` …) or TavernAI's, whose second version stands under `data`.

    Raises BadRequest when a text is something else.
    """
    wrapped = content.get("data")
    if isinstance(wrapped, dict) and "spec" in content:
        content = wrapped
    name = _first(content, _NAME_KEYS, file_name)
    if not name:
        raise BadRequest(f"{file_name} holds no character: there is no `name` in it (line 1).")
    return CharacterText(
        name=name,
        context=_context(content, name, file_name),
        greeting=_first(content, _GREETING_KEYS, file_name),
        user_name=_first(content, _USER_KEYS, file_name),
    )


def _context(content: Mapping[str, object], name: str, file_name: str) -> str:
    """`context` as it is; older formats had a field for each part of it."""

    def text(*keys: str) -> str:
        return _first(content, keys, file_name)

    persona = text("char_persona", "description")
    described = (
        f"{name}'s Persona: {persona}" if persona else "",
        f"Personality: {personality}" if (personality := text("personality")) else "",
        f"Scenario: {scenario}" if (scenario := text("world_scenario", "scenario")) else "",
    )
    parts = (text("context") or "\n".join(filter(None, described)), text("example_dialogue", "mes_example"))
    return "\n".join(filter(None, parts))


def _first(content: Mapping[str, object], keys: tuple[str, ...], file_name: str) -> str:
    return next((text for key in keys if (text := text_at(content, key, file_name).strip())), "")
