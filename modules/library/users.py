"""The user's profiles: name, description and picture of the person who chats."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from modules.library.characters.pictures import PICTURE_SUFFIXES, picture_beside, remove_picture, save_picture
from modules.library.folder import FileCache, Folder, blaming
from modules.library.text_files import as_mapping, parse_yaml, read_text, text_at, yaml_text
from modules.paths import UserData, atomic_write

DEFAULT_USER: Final = "Default"


@dataclass(frozen=True, slots=True)
class User:
    """`name` is what the user is called; `bio` may hold the placeholders that characters may."""

    name: str
    bio: str = ""
    picture: Path | None = None


_YOU: Final = User("You")


class UserProfiles:
    """Files in `users/`, one for each profile."""

    def __init__(self, data: UserData) -> None:
        self._folder = Folder(data.users, "user", (".yaml", ".yml"))
        self._cache = FileCache(_read)

    def names(self) -> list[str]:
        return self._folder.names()

    def read(self, name: str, *, param: str = "user") -> User:
        """The default profile is there even when its file is not. Raises BadRequest, naming `param`."""
        path = self._folder.find(name, param=param)
        if path is None and name == DEFAULT_USER:
            return _YOU
        with blaming(param):
            path = path or self._folder.existing(name, param=param)
            return replace(self._cache.read(path), picture=picture_beside(path))

    def save(self, name: str, user: User, *, picture: bytes | None = None, param: str = "user") -> None:
        """Write the profile; `picture`, PNG or JPEG, replaces the one it has. Raises BadRequest."""
        path = self._folder.find(name, param=param) or self._folder.new(name, ".yaml", param=param)
        if picture is not None:
            save_picture(self._folder, name, picture, param=param)
        atomic_write(path, yaml_text({"name": user.name, "user_bio": user.bio}))

    def remove_picture(self, name: str, *, param: str = "user") -> None:
        """Take the picture away, if there is one. Raises BadRequest for what is no plain name."""
        remove_picture(self._folder, name, param=param)

    def delete(self, name: str, *, param: str = "user") -> None:
        """Remove the profile and its picture. Raises BadRequest when there is none of that name."""
        self._folder.delete(name, *PICTURE_SUFFIXES, param=param)


def _read(path: Path) -> User:
    content = as_mapping(parse_yaml(read_text(path), path.name), path.name)
    name, bio = (text_at(content, key, path.name).strip() for key in ("name", "user_bio"))
    return User(name or _YOU.name, bio)
