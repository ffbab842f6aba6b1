"""Characters as files for other programs: YAML, and cards as JSON or in PNG pictures."""

import base64
import json
from typing import Final

from modules.errors import BadRequest
from modules.library.characters.character import BOOK, Character
from modules.library.characters.containers import png_chunk
from modules.library.characters.pictures import PNG_MAGIC, without_card
from modules.library.lorebooks.formats import without_decorators
from modules.library.text_files import yaml_text

# The magic number, then the header chunk: length, name, 13 bytes, checksum.
_AFTER_HEADER: Final = len(PNG_MAGIC) + 4 + 4 + 13 + 4
# Which the second version of cards does not have.
_THIRD: Final = (
    "nickname",
    "group_only_greetings",
    "assets",
    "creator_notes_multilingual",
    "source",
    "creation_date",
    "modification_date",
)
_REQUIRED: Final = (
    "personality",
    "scenario",
    "mes_example",
    "system_prompt",
    "post_history_instructions",
    "creator",
    "creator_notes",
    "character_version",
)


def yaml_file(character: Character) -> bytes:
    """With the texts and the lorebook; other programs' fields are in cards only."""
    book = {BOOK: dict(character.book.raw)} if character.book else {}
    return yaml_text(own_fields(character) | book).encode()


def own_fields(character: Character) -> dict[str, object]:
    """What our own files hold; empty fields are left out."""
    fields = {
        "name": character.name,
        "greeting": character.greeting,
        "context": character.context,
        "voice": character.voice,
    }
    return {key: value for key, value in fields.items() if value} | character.card_fields()


def json_file(character: Character) -> bytes:
    """A card of the third version."""
    return json.dumps(card_of(character), ensure_ascii=False, indent=2).encode()


def card_file(character: Character, png: bytes) -> bytes:
    """The picture `png` with the character in it, for programs of both versions. Raises BadRequest for what is no PNG."""
    if not png.startswith(PNG_MAGIC) or len(png) < _AFTER_HEADER:
        raise BadRequest("A card needs a PNG picture.")
    plain, card = without_card(png), card_of(character)
    chunks = (
        png_chunk(b"tEXt", key + b"\0" + _packed(each)) for key, each in ((b"chara", second(card)), (b"ccv3", card))
    )
    return plain[:_AFTER_HEADER] + b"".join(chunks) + plain[_AFTER_HEADER:]


def card_of(character: Character) -> dict[str, object]:
    data: dict[str, object] = {
        "name": character.name,
        "description": character.context,
        "first_mes": character.greeting,
        **dict.fromkeys(_REQUIRED, ""),
        "alternate_greetings": [],
        "group_only_greetings": [],
        "tags": [],
        **character.card_fields(),
        **character.more,
        "extensions": _extensions(character),
    }
    if character.book is not None:
        data[BOOK] = dict(character.book.raw)
    return {"spec": "chara_card_v3", "spec_version": "3.0", **character.outside, "data": data}


def second(card: dict[str, object]) -> dict[str, object]:
    """The same for programs that know the second version only."""
    data = card["data"]
    assert isinstance(data, dict)
    kept = {key: value for key, value in data.items() if key not in _THIRD}
    if isinstance(kept.get(BOOK), dict):
        kept[BOOK] = without_decorators(kept[BOOK])
    return {"spec": "chara_card_v2", "spec_version": "2.0", "data": kept}


def _extensions(character: Character) -> dict[str, object]:
    """Where the format lets programs keep what is theirs, the voice among it."""
    given = character.more.get("extensions")
    kept = dict(given) if isinstance(given, dict) else {}
    if isinstance(kept.get("voice"), str):
        del kept["voice"]
    return {**kept, "voice": character.voice} if character.voice else kept


def _packed(card: dict[str, object]) -> bytes:
    return base64.b64encode(json.dumps(card, ensure_ascii=False).encode())
