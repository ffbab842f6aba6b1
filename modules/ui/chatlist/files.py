"""Files with chats, for a browser to save and from one to read."""

import re
from typing import Final

from modules.library.chats.archive import MARKDOWN
from modules.library.chats.histories import Place
from modules.library.chats.places import CHAT
from modules.library.library import Library

ALL_CHATS: Final = "chats.zip"
_MOST_LETTERS: Final = 60
# What some system cannot have in the name of a file.
_UNUSABLE: Final = re.compile(r"[^\w .,()'+-]+")


def exported(library: Library, place: Place, chat_id: str, kind: str) -> tuple[str, bytes]:
    """Name and content of a file with one chat, as Markdown ("md") or in the program's own format. Raises NotFound,
    BadRequest."""
    if kind == "md":
        return _name(library.chats.title(place, chat_id)) + MARKDOWN, library.archive.markdown(place, chat_id)
    return _name(library.chats.title(place, chat_id)) + CHAT, library.histories.export(place, chat_id)


def _name(title: str) -> str:
    return _UNUSABLE.sub(" ", title)[:_MOST_LETTERS].strip(" .") or "chat"
