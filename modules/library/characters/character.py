"""A character as a value, with all that character cards hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from modules.library.lorebooks.book import Lorebook, nothing

# Fields of cards, and the attribute of each: one text, or a list of texts.
CARD_TEXTS: Final = MappingProxyType(
    {
        "nickname": "nickname",
        "personality": "personality",
        "scenario": "scenario",
        "mes_example": "examples",
        "system_prompt": "system_prompt",
        "post_history_instructions": "post_history_instructions",
        "creator": "creator",
        "creator_notes": "creator_notes",
        "character_version": "version",
    }
)
CARD_LISTS: Final = MappingProxyType(
    {
        "alternate_greetings": "alternate_greetings",
        "group_only_greetings": "group_greetings",
        "tags": "tags",
    }
)
BOOK: Final = "character_book"


@dataclass(frozen=True, slots=True)
class Character:
    """Who the model speaks as. `name` is what the character is called, not its file; texts that reach the model may hold
    macros such as `{{user}}` and `{{char}}`, which stands for the `nickname` where there is one. `context` is a card's
    description, `user_name` whom it speaks with, if it says so, `voice` what it is read aloud with. `more` are fields of the
    card that nothing here uses, `outside` what stood beside them; both are kept."""

    name: str
    context: str = ""
    greeting: str = ""
    user_name: str | None = None
    picture: Path | None = None
    voice: str = ""
    nickname: str = ""
    personality: str = ""
    scenario: str = ""
    examples: str = ""
    system_prompt: str = ""
    post_history_instructions: str = ""
    creator: str = ""
    creator_notes: str = ""
    version: str = ""
    alternate_greetings: tuple[str, ...] = ()
    group_greetings: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    book: Lorebook | None = None
    more: Mapping[str, object] = field(default_factory=nothing, repr=False)
    outside: Mapping[str, object] = field(default_factory=nothing, repr=False)

    @property
    def greetings(self) -> tuple[str, ...]:
        """All that a chat may begin with, the first one first."""
        return tuple(filter(None, (self.greeting, *self.alternate_greetings)))

    def card_fields(self) -> dict[str, object]:
        """What the fields of cards say that are texts or lists of texts; empty ones are left out."""
        texts = {key: getattr(self, name) for key, name in CARD_TEXTS.items()}
        lists = {key: list(getattr(self, name)) for key, name in CARD_LISTS.items()}
        return {key: value for key, value in (texts | lists).items() if value}
