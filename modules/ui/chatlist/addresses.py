"""Addresses of chats: `?chat=<id>`, which a browser keeps and a user may send to others."""

import json

from modules.library.chats.histories import Histories, Place


def asked_chat(kept: str) -> str | None:
    """The chat in the address that a page was opened with, from what its browser says of itself; None without one."""
    try:
        content = json.loads(kept)
    except ValueError:
        return None
    asked = content.get("asked") if isinstance(content, dict) else None
    return asked if isinstance(asked, str) else None


def absence(histories: Histories, place: Place, chat_id: str) -> str:
    """Why a chat cannot be opened among those of `place`."""
    elsewhere = [other for other in histories.places_of(chat_id) if other != place]
    if not elsewhere:
        return "There is no such chat. It may have been deleted."
    if elsewhere[0].character is None:
        return "That chat was led with the assistant itself. Choose the mode Instruct to open it."
    return f"That chat was led with the character {elsewhere[0].character}. Choose that character to open it."
