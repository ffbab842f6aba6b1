"""A conversation as the messages that a model gets."""

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Final

from modules.errors import BadRequest
from modules.library.chats.history import Attachment, ChatTurn, History
from modules.messages import ImagePart, Message, Part, Role, TextPart, text_message

_RULE: Final = "=" * 5


def history_messages(history: History, *, include_past_attachments: bool) -> Iterator[Message]:
    """As `session.messages`."""
    for row in history.rows:
        with_attachments = include_past_attachments or row is history.rows[-1]
        parts = _user_parts(row.user, row.user.attachments if with_attachments else ())
        if parts and not row.is_greeting:
            yield Message(role=Role.USER, parts=parts)
        yield from row.assistant.tool_messages
        if row.assistant.text:
            yield text_message(Role.ASSISTANT, row.assistant.text)


def _user_parts(turn: ChatTurn, attachments: Sequence[Attachment]) -> tuple[Part, ...]:
    pictures = [_picture(attachment) for attachment in attachments if attachment.is_image]
    texts = [_laid_out(attachment) for attachment in attachments if not attachment.is_image]
    text = "\n\n".join(filter(None, (turn.text, *(("ATTACHMENTS:", *texts) if texts else ()))))
    return (*pictures, *((TextPart(text),) if text else ()))


def _laid_out(attachment: Attachment) -> str:
    url = f"URL: {attachment.url}\n" if attachment.url else ""
    return f"File: {attachment.name}\n{url}{_RULE}\n{attachment.content}\n{_RULE}"


def _picture(attachment: Attachment) -> ImagePart:
    head, _, encoded = attachment.image_data.partition(",")
    mime = head.removeprefix("data:").removesuffix(";base64")
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or not mime.startswith("image/") or not head.endswith(";base64"):
        raise BadRequest(
            f"The picture {attachment.name!a} in this chat cannot be read. Remove its message, or edit the chat's file.",
            param="attachments",
        )
    return ImagePart(data, mime)
