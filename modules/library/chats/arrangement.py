"""How the user has arranged conversations: pins, folders in two levels, tags and titles. Pure."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from modules.errors import BadRequest, NotFound

MAX_NAME: Final = 80
MAX_TAG: Final = 30
MAX_TAGS: Final = 12
# A menu to move chats with shows them all.
MAX_FOLDERS: Final = 500
_ID_BYTES: Final = 4
# Addresses of renamed chats that still lead somewhere.
_MAX_FORMER: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatFolder:
    """`parent` is the id of the folder that it is in, empty at the top. A folder in a folder holds none."""

    id: str
    name: str
    parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatOrigin:
    """The message of another chat at which one branched off; `digest` is of its text."""

    chat: str
    row: int
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatNotes:
    """What is noted of one chat. `title` is shown in place of the one that its file gives; `folder` is an id; `origin` is
    that of a branch. `extra` is what other programs wrote."""

    title: str = ""
    is_pinned: bool = False
    folder: str = ""
    tags: tuple[str, ...] = ()
    origin: ChatOrigin | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


NOTHING_NOTED: Final = ChatNotes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """The chats of one place, by id. `former` leads from ids that chats had before they were renamed to the next one."""

    folders: tuple[ChatFolder, ...] = ()
    chats: Mapping[str, ChatNotes] = field(default_factory=dict)
    former: Mapping[str, str] = field(default_factory=dict)

    def notes(self, chat_id: str) -> ChatNotes:
        return self.chats.get(chat_id, NOTHING_NOTED)

    def folder(self, folder_id: str) -> ChatFolder:
        """Raises NotFound."""
        found = next((each for each in self.folders if each.id == folder_id), None)
        if found is None:
            raise NotFound("That folder is gone. Reload the page.", param="folder")
        return found

    def current(self, chat_id: str) -> str:
        """The id that a chat has since it was renamed."""
        seen: set[str] = set()
        while chat_id in self.former and chat_id not in seen:
            seen.add(chat_id)
            chat_id = self.former[chat_id]
        return chat_id

    @property
    def arranged(self) -> frozenset[str]:
        """Chats that are listed however old they are."""
        return frozenset(chat for chat, notes in self.chats.items() if notes.is_pinned or notes.folder)


def noted(arrangement: Arrangement, chat_id: str, notes: ChatNotes) -> Arrangement:
    """With these notes of the chat; nothing is kept of one of which nothing is noted."""
    others = {each: kept for each, kept in arrangement.chats.items() if each != chat_id}
    return replace(arrangement, chats=others if notes == NOTHING_NOTED else {**others, chat_id: notes})


def pinned(arrangement: Arrangement, chat_id: str, *, is_pinned: bool) -> Arrangement:
    return noted(arrangement, chat_id, replace(arrangement.notes(chat_id), is_pinned=is_pinned))


def moved(arrangement: Arrangement, chat_id: str, folder_id: str) -> Arrangement:
    """Into a folder, or with an empty id out of all. Raises NotFound."""
    if folder_id:
        arrangement.folder(folder_id)
    return noted(arrangement, chat_id, replace(arrangement.notes(chat_id), folder=folder_id))


def tagged(arrangement: Arrangement, chat_id: str, tags: Iterable[str]) -> Arrangement:
    """With these tags and no others. Raises BadRequest for too many or too long ones."""
    kept = tuple(dict.fromkeys(tag for each in tags if (tag := " ".join(each.split()).lstrip("#").strip())))
    if len(kept) > MAX_TAGS or any(len(tag) > MAX_TAG for tag in kept):
        raise BadRequest(f"A chat can have {MAX_TAGS} tags of {MAX_TAG} characters at most.", param="tags")
    return noted(arrangement, chat_id, replace(arrangement.notes(chat_id), tags=kept))


def titled(arrangement: Arrangement, chat_id: str, title: str) -> Arrangement:
    return noted(arrangement, chat_id, replace(arrangement.notes(chat_id), title=title))


def renamed(arrangement: Arrangement, old_id: str, new_id: str) -> Arrangement:
    """After a chat was given a name, which has become its id: what was noted of it stays, but for another title."""
    notes = replace(arrangement.notes(old_id), title="")
    if old_id == new_id:
        return noted(arrangement, new_id, notes)
    former = {old: new for old, new in arrangement.former.items() if old not in {old_id, new_id}}
    former = dict([*former.items(), (old_id, new_id)][-_MAX_FORMER:])
    chats = {chat: _of_renamed(each, old_id, new_id) for chat, each in arrangement.chats.items()}
    moved_to = replace(arrangement, chats=chats, former=former)
    return noted(noted(moved_to, old_id, NOTHING_NOTED), new_id, notes)


def _of_renamed(notes: ChatNotes, old_id: str, new_id: str) -> ChatNotes:
    origin = notes.origin
    return notes if origin is None or origin.chat != old_id else replace(notes, origin=replace(origin, chat=new_id))


def with_folder(arrangement: Arrangement, name: str, parent: str = "") -> tuple[Arrangement, str]:
    """A new folder, at the end, and its id. Raises BadRequest, and NotFound without its parent."""
    _check_parent(arrangement, parent)
    if len(arrangement.folders) >= MAX_FOLDERS:
        raise BadRequest(f"There can be {MAX_FOLDERS} folders at most.", param="folder")
    taken = {each.id for each in arrangement.folders}
    folder_id = next(each for each in iter(lambda: secrets.token_hex(_ID_BYTES), "") if each not in taken)
    made = ChatFolder(id=folder_id, name=_name(name), parent=parent)
    return replace(arrangement, folders=(*arrangement.folders, made)), folder_id


def with_parents(arrangement: Arrangement, names: Iterable[str], chat_id: str) -> Arrangement:
    """With the chat in a folder within folders of these names, outermost first; those that are missing are made."""
    parent = ""
    for name in names:
        same = next((each for each in arrangement.folders if (each.name, each.parent) == (name, parent)), None)
        arrangement, parent = (arrangement, same.id) if same else with_folder(arrangement, name, parent)
    return moved(arrangement, chat_id, parent)


def folder_renamed(arrangement: Arrangement, folder_id: str, name: str) -> Arrangement:
    """Raises NotFound, BadRequest."""
    return _replaced(arrangement, replace(arrangement.folder(folder_id), name=_name(name)))


def folder_moved(arrangement: Arrangement, folder_id: str, parent: str) -> Arrangement:
    """Into another one, or to the top. Raises NotFound, and BadRequest where that would be a third level."""
    folder = arrangement.folder(folder_id)
    _check_parent(arrangement, parent)
    if parent and (parent == folder_id or any(each.parent == folder_id for each in arrangement.folders)):
        raise BadRequest("Folders can be nested in two levels only.", param="folder")
    return _replaced(arrangement, replace(folder, parent=parent))


def without_folder(arrangement: Arrangement, folder_id: str) -> Arrangement:
    """What was in it, chats and folders, is then where it was. Raises NotFound."""
    gone = arrangement.folder(folder_id)
    folders = tuple(
        replace(each, parent="") if each.parent == folder_id else each
        for each in arrangement.folders
        if each.id != folder_id
    )
    left = replace(arrangement, folders=folders)
    for chat_id, notes in arrangement.chats.items():
        if notes.folder == folder_id:
            left = noted(left, chat_id, replace(notes, folder=gone.parent))
    return left


def _replaced(arrangement: Arrangement, folder: ChatFolder) -> Arrangement:
    folders = tuple(folder if each.id == folder.id else each for each in arrangement.folders)
    return replace(arrangement, folders=folders)


def _check_parent(arrangement: Arrangement, parent: str) -> None:
    if parent and arrangement.folder(parent).parent:
        raise BadRequest("Folders can be nested in two levels only.", param="folder")


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise BadRequest("Give the folder a name.", param="name")
    return name[:MAX_NAME].rstrip()
