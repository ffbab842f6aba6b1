"""Imports characters of other programs: text files, pictures with a card in them, CharX archives."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from types import MappingProxyType
from typing import Final

from modules.errors import BadRequest
from modules.library.characters.character import BOOK, CARD_LISTS, CARD_TEXTS, Character
from modules.library.characters.containers import ZIP_MAGIC, CharX, exif_card_texts, is_charx, png_card_texts
from modules.library.characters.contents import without_embedded
from modules.library.characters.pictures import (
    JPEG_MAGIC,
    MAX_PICTURE_BYTES,
    PNG_MAGIC,
    as_picture,
    embedded_path,
    icon_addresses,
    is_jpeg,
    pictures_within,
    without_notes,
)
from modules.library.lorebooks.book import nothing
from modules.library.lorebooks.formats import is_lorebook, read_book
from modules.library.text_files import MAX_TEXT_BYTES, as_mapping, decoded, parse_json, parse_yaml, text_at

# The first that is there counts: newer programs before older ones.
_NAME_KEYS: Final = ("name", "bot", "<|bot|>", "char_name")
_USER_KEYS: Final = ("your_name", "user", "<|user|>")
_GREETING_KEYS: Final = ("greeting", "char_greeting", "first_mes")
# A mix of several.
_LONGEST_VOICE: Final = 300
_NICKNAME: Final = "nickname"
_DESCRIPTION: Final = "description"
# By these a file is a character's, even without a name.
_TELLING: Final = ("char_persona", "char_greeting", "world_scenario", "first_mes", "mes_example", "personality")
# Pygmalion's, whose texts become one.
_PERSONA: Final = ("char_persona", "world_scenario", "example_dialogue")
_OWN: Final = ("context", "voice", _DESCRIPTION)
# All that is understood here; what else a file holds is kept as it is.
KNOWN: Final = frozenset(
    {*_NAME_KEYS, *_USER_KEYS, *_GREETING_KEYS, *_OWN, *_PERSONA, *CARD_TEXTS, *CARD_LISTS, BOOK, "data", "spec"}
) | {"spec_version"}


@dataclass(frozen=True, slots=True)
class _Fields:
    """`takes_lists` lets several texts stand where one is expected, as other programs write them."""

    content: Mapping[str, object]
    file_name: str
    takes_lists: bool

    def text(self, *keys: str) -> str:
        """The first of these that says anything."""
        return next((text for key in keys if (text := self._one(key))), "")

    def texts(self, key: str) -> tuple[str, ...]:
        """A list, or one text."""
        value = self.content.get(key)
        if not isinstance(value, list):
            return (text,) if (text := self._one(key)) else ()
        return tuple(text for each in value if isinstance(each, str | int | float) and (text := whole(str(each))))

    def _one(self, key: str) -> str:
        value = self.content.get(key)
        if value is False or (isinstance(value, list | dict) and not value):
            return ""
        if isinstance(value, list) and self.takes_lists:
            value = "\n".join(str(each) for each in value if isinstance(each, str | int | float))
        return whole(text_at({key: value}, key, self.file_name)).strip()


def card_fields(content: Mapping[str, object]) -> Mapping[str, object]:
    """Where the texts stand: from the second version of TavernAI's cards on under `data`, whether or not `spec` says so.

    The name alone may stand outside.
    """
    wrapped = content.get("data")
    if not isinstance(wrapped, dict) or ("spec" not in content and any(content.get(key) for key in _NAME_KEYS)):
        return content
    fields = {str(key): value for key, value in wrapped.items()}
    return fields if fields.get("name") else {**fields, "name": content.get("name")}


def character_of(content: Mapping[str, object], file_name: str, *, takes_lists: bool = True) -> Character:
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
    is_persona = any(found.get(key) for key in _PERSONA)
    texts = {attribute: fields.text(key) for key, attribute in CARD_TEXTS.items()}
    lists = {attribute: fields.texts(key) for key, attribute in CARD_LISTS.items()}
    if is_persona:
        texts |= dict.fromkeys(("personality", "scenario", "examples"), "")
    book = found.get(BOOK)
    return Character(
        name=name,
        context=_persona(fields, nickname or name) if is_persona else fields.text("context", _DESCRIPTION),
        greeting=fields.text(*_GREETING_KEYS),
        user_name=fields.text(*_USER_KEYS) or None,
        voice=_voice(found),
        book=read_book(book, file_name) if isinstance(book, dict) and is_lorebook(book) else None,
        more=MappingProxyType({key: value for key, value in found.items() if key not in KNOWN}),
        outside=nothing() if found is content else MappingProxyType(_outside(content, found)),
        **texts,  # type: ignore[arg-type]
        **lists,  # type: ignore[arg-type]
    )


def _outside(content: Mapping[str, object], found: Mapping[str, object]) -> dict[str, object]:
    """What stands beside `data`, but for what says the same once more."""
    return {
        key: value
        for key, value in content.items()
        if key not in {"data", "spec", "spec_version"} and found.get(key) != value
    }


def _voice(found: Mapping[str, object]) -> str:
    """In our own files beside the texts, in cards among what programs keep for themselves; other programs' voices are
    objects."""
    extensions = found.get("extensions")
    kept = extensions.get("voice") if isinstance(extensions, dict) else None
    voice = found.get("voice") or kept
    return " ".join(voice.split())[:_LONGEST_VOICE] if isinstance(voice, str) else ""


def _persona(fields: _Fields, name: str) -> str:
    """`context` as it is; Pygmalion had a field for each part of it."""
    persona = fields.text("char_persona", _DESCRIPTION)
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


def whole(text: str) -> str:
    """Without half characters, which JSON can hold and files cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# Large archives of pictures and sounds come with some characters, and lorebooks of megabytes with others.
MAX_FILE_BYTES: Final = 64 * 2**20
# Cards with large books of lore have some megabytes.
MAX_CARD_BYTES: Final = 16 * 2**20

# As base64, which may stand in lines.
_MAX_PACKED_BYTES: Final = 3 * MAX_CARD_BYTES // 2
_JSON: Final = ".json"


@dataclass(frozen=True, slots=True)
class Card:
    """A character and its picture, PNG or JPEG, if there is one; `left_out` counts the assets that came with it and are
    not kept."""

    text: Character
    picture: bytes | None = None
    left_out: int = 0


def read_card(content: bytes, file_name: str) -> Card:
    """By what the file is, whatever it is called. Raises BadRequest when `content` holds no character."""
    card = _read(content, file_name)
    text, left_out = without_embedded(card.text)
    return replace(card, text=text, left_out=left_out)


def _read(content: bytes, file_name: str) -> Card:
    if content.startswith(PNG_MAGIC):
        _check_size(content, file_name, MAX_PICTURE_BYTES)
        texts = png_card_texts(content, limit=_MAX_PACKED_BYTES)
        return Card(_first_readable(texts, file_name), content)
    _check_size(content, file_name, MAX_FILE_BYTES)
    if content.startswith((ZIP_MAGIC, JPEG_MAGIC)) and is_charx(content):
        return _from_charx(CharX.opened(content, file_name), file_name)
    if content.startswith(JPEG_MAGIC) or (content.startswith(b"RIFF") and content[8:12] == b"WEBP"):
        _check_size(content, file_name, MAX_PICTURE_BYTES)
        text = _first_readable(exif_card_texts(content), file_name)
        picture = as_picture(content)
        return Card(text, without_notes(picture) if picture and picture.startswith(JPEG_MAGIC) else picture)
    return _from_text(content, file_name)


def _from_charx(charx: CharX, file_name: str) -> Card:
    content = _json(charx.card_text(limit=MAX_CARD_BYTES), file_name)
    fields = card_fields(content)
    paths = filter(None, map(embedded_path, icon_addresses(fields)))
    icons = (charx.asset(path, limit=MAX_PICTURE_BYTES) for path in paths)
    before = [charx.before] if is_jpeg(charx.before) else []
    pictures = (as_picture(each) for found in (icons, pictures_within(fields), before) for each in found)
    return Card(character_of(content, file_name), next(filter(None, pictures), None))


def _from_text(content: bytes, file_name: str) -> Card:
    _check_size(content, file_name, MAX_CARD_BYTES)
    text = decoded(content, file_name)
    is_json = file_name.lower().endswith(_JSON) or text.lstrip().startswith("{")
    if not is_json:
        _check_size(content, file_name, MAX_TEXT_BYTES)
    parsed = as_mapping(parse_json(text, file_name) if is_json else parse_yaml(text, file_name), file_name)
    picture = next(filter(None, map(as_picture, pictures_within(card_fields(parsed)))), None)
    return Card(character_of(parsed, file_name), picture)


def _first_readable(texts: Iterable[bytes], file_name: str) -> Character:
    """A damaged one does not hide a good one."""
    failure: BadRequest | None = None
    for text in texts:
        try:
            return character_of(_json(_plain(text, file_name), file_name), file_name)
        except BadRequest as error:
            failure = failure or error
    raise failure or BadRequest(f"{file_name} is a picture without a character in it.")


def _plain(text: bytes, file_name: str) -> bytes:
    """JSON, which stands there as base64, in lines or in one, or as it is."""
    if len(text) > _MAX_PACKED_BYTES:
        raise _too_large(file_name)
    if text.lstrip().startswith(b"{"):
        return text
    packed = b"".join(text.split())
    try:
        if not packed:
            raise binascii.Error
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except binascii.Error:
        raise BadRequest(f"The character in {file_name} is damaged: it is not base64.") from None


def _json(content: bytes, file_name: str) -> Mapping[str, object]:
    if len(content) > MAX_CARD_BYTES:
        raise _too_large(file_name)
    return as_mapping(parse_json(decoded(content, file_name), file_name), file_name)


def _too_large(file_name: str) -> BadRequest:
    return BadRequest(f"The character in {file_name} is larger than {MAX_CARD_BYTES // 2**20} MiB.")


def _check_size(content: bytes, file_name: str, limit: int) -> None:
    if len(content) > limit:
        raise BadRequest(f"{file_name} is larger than {limit // 1024:,} KiB, too large for a character.")
