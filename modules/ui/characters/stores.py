"""Characters and user profiles as one form shows them: file name, name, texts, picture."""

from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Final, Protocol

from modules.errors import BadRequest
from modules.library.characters.character import Character
from modules.library.characters.characters import Characters, file_name_for
from modules.library.characters.pictures import MAX_PICTURE_BYTES
from modules.library.text_files import read_bytes
from modules.library.users import User, UserProfiles
from modules.ui.characters.fields import (
    CHARACTER_FIELDS,
    PERSONA_FIELDS,
    FieldValue,
    FormField,
    shown_values,
    with_values,
)

NO_PICTURE: Final = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormContent:
    """What a form shows: as many texts as the store has fields."""

    name: str = ""
    texts: tuple[FieldValue, ...] = ()
    picture: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedFile:
    """What was deleted last, with all it takes to bring it back; `picture` is empty where there was none."""

    file: str
    value: Character | User
    picture: bytes


class FormStore(Protocol):
    """Reads and writes files; every name is checked by the library, and BadRequest says what is wrong with it.

    `noun` is what one is called, `setting` the name of the setting that chooses one for chats."""

    noun: str
    setting: str
    fields: tuple[FormField, ...]

    def names(self) -> list[str]: ...

    def read(self, file: str) -> FormContent: ...

    def save(self, file: str, sheet: FormContent, picture: bytes | None, source: str | None = None) -> None:
        """A new file has what `source`, a copied one, holds besides. `picture` is a PNG or JPEG; None keeps the one there is, NO_PICTURE takes it away."""
        ...

    def delete(self, file: str) -> DeletedFile: ...

    def restore(self, removed: DeletedFile) -> None: ...


class CharacterStore:
    noun = "character"
    setting = "character"
    fields: tuple[FormField, ...] = CHARACTER_FIELDS

    def __init__(self, characters: Characters) -> None:
        self._characters = characters

    def names(self) -> list[str]:
        return self._characters.names()

    def read(self, file: str) -> FormContent:
        character = self._characters.read(file)
        return FormContent(
            name=character.name,
            texts=shown_values(character),
            picture=character.picture,
        )

    def save(self, file: str, sheet: FormContent, picture: bytes | None, source: str | None = None) -> None:
        of = file if file in self.names() else source
        before = self._characters.read(of) if of else Character(sheet.name)
        character = with_values(replace(before, name=sheet.name, picture=None), sheet.texts)
        self._characters.save(file, character, picture=picture or None)
        if picture == NO_PICTURE:
            self._characters.remove_picture(file)

    def delete(self, file: str) -> DeletedFile:
        character = self._characters.read(file)
        removed = DeletedFile(file=file, value=replace(character, picture=None), picture=_content(character.picture))
        self._characters.delete(file)
        return removed

    def restore(self, removed: DeletedFile) -> None:
        _check_free(self, removed.file)
        assert isinstance(removed.value, Character)
        self._characters.save(removed.file, removed.value, picture=removed.picture or None)


class UserStore:
    noun = "persona"
    setting = "user"
    fields: tuple[FormField, ...] = PERSONA_FIELDS

    def __init__(self, users: UserProfiles) -> None:
        self._users = users

    def names(self) -> list[str]:
        return self._users.names()

    def read(self, file: str) -> FormContent:
        user = self._users.read(file)
        return FormContent(name=user.name, texts=(user.bio,), picture=user.picture)

    def save(self, file: str, sheet: FormContent, picture: bytes | None, source: str | None = None) -> None:
        (bio,) = map(str, sheet.texts)
        self._users.save(file, User(sheet.name, bio), picture=picture or None)
        if picture == NO_PICTURE:
            self._users.remove_picture(file)

    def delete(self, file: str) -> DeletedFile:
        user = self._users.read(file)
        removed = DeletedFile(file=file, value=replace(user, picture=None), picture=_content(user.picture))
        self._users.delete(file)
        return removed

    def restore(self, removed: DeletedFile) -> None:
        _check_free(self, removed.file)
        assert isinstance(removed.value, User)
        self._users.save(removed.file, removed.value, picture=removed.picture or None)


def check_new(store: FormStore, file: str) -> str:
    """The name for a new file. Raises BadRequest for none, and for one that there is already."""
    file = file.strip()
    if not file:
        raise BadRequest(f"Give the {store.noun} a name.", param=store.setting)
    if file.lower() in map(str.lower, store.names()):
        raise BadRequest(
            f"There is a {store.noun} of that name already. Choose it and press Save, or take another name.",
            param=store.setting,
        )
    return file


def name_for_new(store: FormStore, name: str) -> str:
    """For the file of what is called `name`: one that every system takes and that is not there yet."""
    wish = file_name_for(name)
    taken = set(map(str.lower, store.names()))
    names = chain([wish], (f"{wish} {number}" for number in count(2)))
    return next(each for each in names if each.lower() not in taken)


def _check_free(store: FormStore, file: str) -> None:
    if file.lower() in map(str.lower, store.names()):
        raise BadRequest(f"There is a {store.noun} of that name again, so the old one stays deleted.")


def _content(picture: Path | None) -> bytes:
    return NO_PICTURE if picture is None else read_bytes(picture, limit=MAX_PICTURE_BYTES)
