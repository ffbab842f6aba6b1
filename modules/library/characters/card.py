"""Imports characters of other programs: text files, pictures with a card in them, CharX archives."""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from modules.errors import BadRequest
from modules.library.characters.containers import ZIP_MAGIC, CharX, exif_card_texts, is_charx, png_card_texts
from modules.library.characters.pictures import (
    JPEG_MAGIC,
    MAX_PICTURE_BYTES,
    PNG_MAGIC,
    as_picture,
    embedded_path,
    icon_addresses,
    is_jpeg,
    pictures_within,
)
from modules.library.text_files import MAX_TEXT_BYTES, as_mapping, decoded, parse_json, parse_yaml, text_at

# The first that is there counts: newer programs before older ones.
_NAME_KEYS: Final = ("name", "bot", "<|bot|>", "char_name")
_USER_KEYS: Final = ("your_name", "user", "<|user|>")
_GREETING_KEYS: Final = ("greeting", "char_greeting", "first_mes")
# A mix of several.
_LONGEST_VOICE: Final = 300
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
    voice: str = ""


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
        voice=_voice(found),
    )


def _voice(found: Mapping[str, object]) -> str:
    """In our own files beside the texts, in cards among what programs keep for themselves; other programs' voices are
    objects."""
    extensions = found.get("extensions")
    kept = extensions.get("voice") if isinstance(extensions, dict) else None
    voice = found.get("voice") or kept
    return " ".join(voice.split())[:_LONGEST_VOICE] if isinstance(voice, str) else ""


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


# Large archives of pictures and sounds come with some characters, and lorebooks of megabytes with others.
MAX_FILE_BYTES: Final = 64 * 2**20
# Cards with large books of lore have some megabytes.
MAX_CARD_BYTES: Final = 16 * 2**20

# As base64, which may stand in lines.
_MAX_PACKED_BYTES: Final = 3 * MAX_CARD_BYTES // 2
_JSON: Final = ".json"


@dataclass(frozen=True, slots=True)
class Card:
    """A character and its picture, PNG or JPEG, if there is one."""

    text: CharacterText
    picture: bytes | None = None


def read_card(content: bytes, file_name: str) -> Card:
    """By what the file is, whatever it is called. Raises BadRequest when `content` holds no character."""
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
        return Card(text, as_picture(content))
    return _from_text(content, file_name)


def _from_charx(charx: CharX, file_name: str) -> Card:
    content = _json(charx.card_text(limit=MAX_CARD_BYTES), file_name)
    fields = card_fields(content)
    paths = filter(None, map(embedded_path, icon_addresses(fields)))
    icons = (charx.asset(path, limit=MAX_PICTURE_BYTES) for path in paths)
    before = [charx.before] if is_jpeg(charx.before) else []
    pictures = (as_picture(each) for found in (icons, pictures_within(fields), before) for each in found)
    return Card(character_text(content, file_name), next(filter(None, pictures), None))


def _from_text(content: bytes, file_name: str) -> Card:
    _check_size(content, file_name, MAX_CARD_BYTES)
    text = decoded(content, file_name)
    is_json = file_name.lower().endswith(_JSON) or text.lstrip().startswith("{")
    if not is_json:
        _check_size(content, file_name, MAX_TEXT_BYTES)
    parsed = as_mapping(parse_json(text, file_name) if is_json else parse_yaml(text, file_name), file_name)
    picture = next(filter(None, map(as_picture, pictures_within(card_fields(parsed)))), None)
    return Card(character_text(parsed, file_name), picture)


def _first_readable(texts: Iterable[bytes], file_name: str) -> CharacterText:
    """A damaged one does not hide a good one."""
    failure: BadRequest | None = None
    for text in texts:
        try:
            return character_text(_json(_plain(text, file_name), file_name), file_name)
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
