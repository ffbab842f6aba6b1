"""The user's characters: reading, saving, deleting, importing and exporting them."""

import base64
import json
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from modules.errors import BadRequest
from modules.library.characters.card import MAX_CARD_BYTES, CharacterText, character_text, read_card
from modules.library.characters.pictures import (
    PICTURE_SUFFIXES,
    PNG_MAGIC,
    picture_beside,
    remove_picture,
    save_picture,
)
from modules.library.folder import FileCache, Folder, blaming
from modules.library.model_memory import ModelMemory
from modules.library.text_files import MAX_TEXT_BYTES, as_mapping, parse_json, parse_yaml, read_text, yaml_text
from modules.paths import UserData, atomic_write

DEFAULT_CHARACTER: Final = "Assistant"

_JSON: Final = ".json"
_SUFFIXES: Final = (".yml", ".yaml", _JSON)
# What Windows allows in no file name; and %, which an address would decode.
_FORBIDDEN: Final = frozenset('<>:"/\\|?*%')
# Some cards have a whole sentence as a name, and it becomes a file's.
_LONGEST_IMPORTED_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Character:
    """Who the model speaks as. `name` is what the character is called, not its file; `context` and `greeting` may hold
    the placeholders `{{user}}`, `{{char}}`, `<USER>` and `<BOT>`; `user_name` is whom it speaks with, if it says so, `voice`
    what it is read aloud with."""

    name: str
    context: str = ""
    greeting: str = ""
    user_name: str | None = None
    picture: Path | None = None
    voice: str = ""


_ASSISTANT: Final = Character(
    name="AI",
    context="The following is a conversation with an AI assistant. The assistant is helpful, honest and to the point.",
    greeting="How can I help you today?",
)


class Characters:
    """Files in `characters/`, one for each; the name of a character is its file's name. `models` says which model spoke as
    each last."""

    def __init__(self, data: UserData) -> None:
        self._folder = Folder(data.characters, "character", _SUFFIXES)
        self._cache = FileCache(_read)
        self.models = ModelMemory(data.characters)

    def names(self) -> list[str]:
        return self._folder.names()

    def read(self, name: str, *, param: str = "character") -> Character:
        """The default character is there even when its file is not. Raises BadRequest, naming `param`."""
        path = self._folder.find(name, param=param)
        if path is None and name == DEFAULT_CHARACTER:
            return _ASSISTANT
        with blaming(param):
            path = path or self._folder.existing(name, param=param)
            return replace(self._cache.read(path), picture=picture_beside(path))

    def save(self, name: str, character: Character, *, picture: bytes | None = None, param: str = "character") -> None:
        """Write the character's texts; `picture`, PNG or JPEG, replaces the one it has. Raises BadRequest."""
        path = self._folder.find(name, param=param)
        if path is None or path.suffix.lower() == _JSON:
            path = self._folder.new(name, ".yaml", param=param)
        if picture is not None:
            save_picture(self._folder, name, picture, param=param)
        atomic_write(path, yaml_text(_stored(character)))

    def remove_picture(self, name: str, *, param: str = "character") -> None:
        """Take the picture away, if there is one. Raises BadRequest for what is no plain name."""
        remove_picture(self._folder, name, param=param)

    def delete(self, name: str, *, param: str = "character") -> None:
        """Remove the character and its picture. Raises BadRequest when there is none of that name."""
        self._folder.delete(name, *PICTURE_SUFFIXES, param=param)
        self.models.forget(name)

    def import_file(
        self, file_name: str, content: bytes, *, picture: bytes | None = None, param: str = "character"
    ) -> str:
        """Add a character out of a YAML or JSON file, a picture that carries one (PNG, WebP, JPEG) or a CharX archive;
        returns its name. Its own picture goes before `picture`.

        A name that is taken gets _001, _002 … appended. Raises BadRequest for what holds no character.
        """
        shown = _shown(file_name)
        with blaming(param):
            card = read_card(content, shown)
        character = _character(card.text)
        if len(yaml_text(_stored(character)).encode()) > MAX_TEXT_BYTES:
            raise BadRequest(f"The texts in {shown} are larger than {MAX_TEXT_BYTES // 1024} KiB.", param=param)
        name = self._folder.unused_name(file_name_for(character.name))
        self.save(name, character, picture=card.picture or picture, param=param)
        return name


def _read(path: Path) -> Character:
    """What people write by hand is told what is wrong with it; JSON comes from other programs."""
    is_json = path.suffix.lower() == _JSON
    text = read_text(path, limit=MAX_CARD_BYTES if is_json else MAX_TEXT_BYTES)
    parsed = parse_json(text, path.name) if is_json else parse_yaml(text, path.name)
    return _character(character_text(as_mapping(parsed, path.name), path.name, takes_lists=is_json))


def _character(text: CharacterText) -> Character:
    return Character(text.name, text.context, text.greeting, text.user_name or None, voice=text.voice)


def _stored(character: Character) -> dict[str, object]:
    fields = {
        "name": character.name,
        "your_name": character.user_name,
        "greeting": character.greeting,
        "context": character.context,
        "voice": character.voice,
    }
    return {key: value for key, value in fields.items() if value}


def _shown(file_name: str) -> str:
    return file_name.replace("\\", "/").rpartition("/")[2][:100] or "The file"


def file_name_for(name: str) -> str:
    """The nearest to a character's name that every file system takes."""
    plain = "".join(" " if character in _FORBIDDEN or not character.isprintable() else character for character in name)
    return " ".join(plain.split())[:_LONGEST_IMPORTED_NAME].strip(" .") or "Character"


# The magic number, then the header chunk: length, name, 13 bytes, checksum.
_AFTER_HEADER: Final = len(PNG_MAGIC) + 4 + 4 + 13 + 4


def yaml_file(character: Character) -> bytes:
    fields = {
        "name": character.name,
        "greeting": character.greeting,
        "context": character.context,
        "voice": character.voice,
    }
    return yaml_text({key: value for key, value in fields.items() if value}).encode()


def card_file(character: Character, png: bytes) -> bytes:
    """The picture `png` with the character in it. Raises BadRequest for what is no PNG."""
    if not png.startswith(PNG_MAGIC) or len(png) < _AFTER_HEADER:
        raise BadRequest("A card needs a PNG picture.")
    text = base64.b64encode(json.dumps(_card(character), ensure_ascii=False).encode())
    return png[:_AFTER_HEADER] + _chunk(b"tEXt", b"chara\0" + text) + png[_AFTER_HEADER:]


def _card(character: Character) -> dict[str, object]:
    """`context` is ours: where it is read, nothing has to be put together out of the other texts."""
    texts = {"description": character.context, "context": character.context, "first_mes": character.greeting}
    empty = dict.fromkeys(("personality", "scenario", "mes_example"), "")
    # Where the format lets programs keep what is theirs.
    own = {"extensions": {"voice": character.voice}} if character.voice else {}
    return {"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": character.name, **texts, **empty, **own}}


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)
