"""Which conversation was open last at each place, in `logs/chat_state.json`."""

import json
from pathlib import Path
from threading import Lock
from typing import Final

from modules.errors import BadRequest
from modules.library.chats.places import Place
from modules.library.text_files import parse_json, read_text
from modules.paths import atomic_write

_LAST: Final = "last_chats"


class ChatState:
    """Safe to share between threads. What else stands in the file stays; a file that is damaged counts as empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()

    def last(self, place: Place) -> str | None:
        chat_id = _last_chats(self._read()).get(_key(place))
        return chat_id if isinstance(chat_id, str) else None

    def set_last(self, place: Place, chat_id: str) -> None:
        with self._lock:
            content = self._read()
            chats = _last_chats(content)
            if chats.get(_key(place)) != chat_id:
                changed = {**content, _LAST: {**chats, _key(place): chat_id}}
                atomic_write(self._path, json.dumps(changed, indent=2, ensure_ascii=False))

    def _read(self) -> dict[str, object]:
        try:
            content = parse_json(read_text(self._path), self._path.name)
        except (BadRequest, FileNotFoundError):
            return {}
        return content if isinstance(content, dict) else {}


def _last_chats(content: dict[str, object]) -> dict[str, object]:
    chats = content.get(_LAST)
    return chats if isinstance(chats, dict) else {}


def _key(place: Place) -> str:
    return "instruct" if place.character is None else f"chat_{place.character}"
