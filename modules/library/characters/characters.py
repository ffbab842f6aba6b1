"""The user's characters: reading, saving, deleting and importing them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from modules.errors import BadRequest
from modules.library.characters.card import KNOWN, MAX_CARD_BYTES, character_of, read_card
from modules.library.characters.character import BOOK, Character
from modules.library.characters.contents import unused_parts, used_parts
from modules.library.characters.export import own_fields
from modules.library.characters.pictures import PICTURE_SUFFIXES, picture_beside, remove_picture, save_picture
from modules.library.folder import FileCache, Folder, blaming
from modules.library.lorebooks.book import Lorebook, nothing
from modules.library.lorebooks.formats import is_lorebook, read_book
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

_ASSISTANT: Final = Character(
    name="AI",
    context="The following is a conversation with an AI assistant. The assistant is helpful, honest and to the point.",
    greeting="How can I help you today?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A character out of a file, which is not one of the user's yet. `file` is what its own will be called, unless one of
    that name is there already (`is_taken`); `is_same` when that one says the same. `notes` tell in words what it brings, and
    what of that changes nothing."""

    character: Character
    picture: bytes | None
    file: str
    is_taken: bool
    is_same: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Rest:
    """What of a card stands in a file of its own, beside the texts."""

    more: Mapping[str, object] = field(default_factory=nothing)
    outside: Mapping[str, object] = field(default_factory=nothing)
    book: Lorebook | None = None


class Characters:
    """Files in `characters/`, one for each; the name of a character is its file's name. What of a card nobody would edit as
    a text, its lorebook among it, stands in `characters/cards/`. `models` says which model spoke as each last."""

    def __init__(self, data: UserData) -> None:
        self._folder = Folder(data.characters, "character", _SUFFIXES)
        self._cards = Folder(data.characters / "cards", "card", (_JSON,))
        self._cache = FileCache(_read)
        self._rests = FileCache(_read_rest)
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
            character = replace(self._cache.read(path), picture=picture_beside(path))
            rest = self._cards.find(_stem(path))
            return character if rest is None else _joined(character, self._rests.read(rest))

    def save(self, name: str, character: Character, *, picture: bytes | None = None, param: str = "character") -> None:
        """Write the character; `picture`, PNG or JPEG, replaces the one it has. Raises BadRequest."""
        path = self._folder.find(name, param=param)
        if path is None or path.suffix.lower() == _JSON:
            path = self._folder.new(name, ".yaml", param=param)
        own = _unknown(path)
        text = yaml_text(_stored(character) | own)
        if len(text.encode()) > MAX_TEXT_BYTES:
            raise BadRequest(f"The texts are larger than {MAX_TEXT_BYTES // 1024} KiB.", param=param)
        if picture is not None:
            save_picture(self._folder, name, picture, param=param)
        self._save_rest(_stem(path), character, own)
        atomic_write(path, text)

    def remove_picture(self, name: str, *, param: str = "character") -> None:
        """Take the picture away, if there is one. Raises BadRequest for what is no plain name."""
        remove_picture(self._folder, name, param=param)

    def delete(self, name: str, *, param: str = "character") -> None:
        """Remove the character and its picture. Raises BadRequest when there is none of that name."""
        stem = _stem(self._folder.existing(name, param=param))
        self._folder.delete(name, *PICTURE_SUFFIXES, param=param)
        self._cards.new(stem, _JSON).unlink(missing_ok=True)
        self.models.forget(name)

    def unused_name(self, name: str) -> str:
        """`name`, or with a number where a character has it."""
        return self._folder.unused_name(name)

    def opened_file(
        self, file_name: str, content: bytes, *, picture: bytes | None = None, param: str = "character"
    ) -> Imported:
        """The character in a YAML or JSON file, a picture that carries one (PNG, WebP, JPEG) or a CharX archive. Its own
        picture goes before `picture`. Raises BadRequest for what holds no character."""
        shown = _shown(file_name)
        with blaming(param):
            card = read_card(content, shown)
        character = card.text
        if len(yaml_text(_stored(character)).encode()) > MAX_TEXT_BYTES:
            raise BadRequest(f"The texts in {shown} are larger than {MAX_TEXT_BYTES // 1024} KiB.", param=param)
        file = file_name_for(character.name)
        taken = next((name for name in self.names() if name.lower() == file.lower()), None)
        return Imported(
            character=character,
            picture=card.picture or picture,
            file=file if taken is None else taken,
            is_taken=taken is not None,
            is_same=taken is not None and replace(self.read(taken, param=param), picture=None) == character,
            notes=_notes(character, card.left_out),
        )

    def add(self, imported: Imported, *, replaces: bool = False, param: str = "character") -> str:
        """Keep the character; returns its name. Where that is taken, it replaces the one there is, whose voice and user it
        gets where it has none, or gets _001, _002 … appended. Raises BadRequest."""
        character, name = imported.character, imported.file
        if replaces and imported.is_taken:
            before = self.read(name, param=param)
            character = replace(
                character,
                voice=character.voice or before.voice,
                user_name=character.user_name or before.user_name,
            )
        else:
            name = self._folder.unused_name(name)
        self.save(name, character, picture=imported.picture, param=param)
        return name

    def import_file(
        self, file_name: str, content: bytes, *, picture: bytes | None = None, param: str = "character"
    ) -> str:
        """Add the character that `opened_file` finds beside those that there are; returns its name."""
        return self.add(self.opened_file(file_name, content, picture=picture, param=param), param=param)

    def _save_rest(self, stem: str, character: Character, own: Mapping[str, object]) -> None:
        more = {key: value for key, value in character.more.items() if key not in own}
        book = {BOOK: dict(character.book.raw)} if character.book is not None else {}
        path = self._cards.new(stem, _JSON)
        if not more and not book and not character.outside:
            path.unlink(missing_ok=True)
            return
        content = {"data": more | book, "outside": dict(character.outside)}
        atomic_write(path, json.dumps(content, ensure_ascii=False, indent=1))


def _read(path: Path) -> Character:
    """What people write by hand is told what is wrong with it; JSON comes from other programs."""
    is_json = path.suffix.lower() == _JSON
    return character_of(_content(path), path.name, takes_lists=is_json)


def _content(path: Path) -> Mapping[str, object]:
    is_json = path.suffix.lower() == _JSON
    text = read_text(path, limit=MAX_CARD_BYTES if is_json else MAX_TEXT_BYTES)
    return as_mapping(parse_json(text, path.name) if is_json else parse_yaml(text, path.name), path.name)


def _read_rest(path: Path) -> _Rest:
    content = as_mapping(parse_json(read_text(path, limit=2 * MAX_CARD_BYTES), path.name), path.name)
    data, outside = (_mapping(content.get(key)) for key in ("data", "outside"))
    book = data.pop(BOOK, None)
    is_book = isinstance(book, dict) and is_lorebook(book)
    return _Rest(
        more=MappingProxyType(data),
        outside=MappingProxyType(outside),
        book=read_book(book, path.name) if isinstance(book, dict) and is_book else None,
    )


def _mapping(value: object) -> dict[str, object]:
    return {str(key): each for key, each in value.items()} if isinstance(value, dict) else {}


def _joined(character: Character, rest: _Rest) -> Character:
    """What people write into the file by hand goes before what is kept beside it."""
    return replace(
        character,
        book=character.book or rest.book,
        more=MappingProxyType({**rest.more, **character.more}),
        outside=MappingProxyType({**rest.outside, **character.outside}),
    )


def _unknown(path: Path) -> dict[str, object]:
    """What a file of ours holds that nothing here knows, and that stays in it."""
    try:
        content = _content(path)
    except (BadRequest, FileNotFoundError):
        return {}
    return {} if "data" in content else {key: value for key, value in content.items() if key not in KNOWN}


def _stored(character: Character) -> dict[str, object]:
    name, *others = own_fields(character).items()
    user = {"your_name": character.user_name} if character.user_name else {}
    return dict([name]) | user | dict(others)


def _notes(character: Character, left_out: int) -> tuple[str, ...]:
    unused = unused_parts(character)
    lost = "1 picture or sound" if left_out == 1 else f"{left_out} pictures and sounds"
    return (
        *used_parts(character),
        *([f"kept but not used: {', '.join(unused)}"] if unused else []),
        *([f"not kept: {lost} of the archive"] if left_out else []),
    )


def _stem(path: Path) -> str:
    return path.name.removesuffix(path.suffix)


def _shown(file_name: str) -> str:
    return file_name.replace("\\", "/").rpartition("/")[2][:100] or "The file"


def file_name_for(name: str) -> str:
    """The nearest to a character's name that every file system takes."""
    plain = "".join(" " if character in _FORBIDDEN or not character.isprintable() else character for character in name)
    return " ".join(plain.split())[:_LONGEST_IMPORTED_NAME].strip(" .") or "Character"
