"""Conversations from strangers: what they show is made anew out of what was said, and carries no markup."""

import html
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from modules.library.chats.history import Attachment, History, Turn

_PICTURE: Final = re.compile(r"data:image/(png|jpeg|gif|webp|bmp);base64,[A-Za-z0-9+/]+={0,2}")
_WEB: Final = ("http://", "https://")


def made_safe(history: History) -> History:
    """Visible texts are the escaped texts, pictures that are none are left out, and so are links to anything but web
    pages."""
    rows = (replace(row, user=_safe_turn(row.user), assistant=_safe_turn(row.assistant)) for row in history.rows)
    return replace(history, rows=tuple(rows))


def _safe_turn(turn: Turn) -> Turn:
    return replace(
        turn,
        visible=html.escape(turn.text),
        versions=tuple(replace(version, visible=html.escape(version.text)) for version in turn.versions),
        attachments=tuple(_safe_attachments(turn.attachments)),
    )


def _safe_attachments(attachments: Iterable[Attachment]) -> Iterable[Attachment]:
    for attachment in attachments:
        if attachment.is_image and not _PICTURE.fullmatch(attachment.image_data):
            continue
        image = attachment.image_data if attachment.is_image else ""
        url = attachment.url if attachment.url.lower().startswith(_WEB) else ""
        yield replace(attachment, image_data=image, url=url, image_id="")
