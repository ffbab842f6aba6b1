"""Addresses of chats: `?chat=<id>`, which a browser keeps and a user may send to others."""

import json
from collections.abc import Mapping

from modules.library.chats.histories import Histories, Place


def asked_chat(kept: str) -> str | None:
    """The chat in the address that a page was opened with, from what its browser says of itself; None without one."""
    asked = _said(kept).get("asked")
    return asked if isinstance(asked, str) else None


def asks_new(kept: str) -> bool:
    """Whether the address asks for a new chat, as one with words for it does."""
    return _said(kept).get("new") is True


def _said(kept: str) -> Mapping[str, object]:
    try:
        content = json.loads(kept)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def absence(histories: Histories, place: Place, chat_id: str) -> str:
    """Why a chat cannot be opened among those of `place`."""
    elsewhere = [other for other in histories.places_of(chat_id) if other != place]
    if not elsewhere:
        return "There is no such chat. It may have been deleted."
    if elsewhere[0].character is None:
        return "That chat was led with the assistant itself. Choose the mode Instruct to open it."
    return f"That chat was led with the character {elsewhere[0].character}. Choose that character to open it."
