"""A conversation as the messages that a model gets."""

from collections.abc import Iterator, Sequence
from typing import Final

from modules.chat.attachments.attachments import laid_out
from modules.chat.citations import KNOWLEDGE, is_in_passages
from modules.errors import BadRequest
from modules.library.chats.history import Attachment, ChatTurn, History
from modules.media.pictures.data_urls import bytes_in
from modules.messages import ImagePart, Message, Part, Role, TextPart, text_message

_IN_PASSAGES: Final = "File: {name} (too long to be given whole; passages of it are given instead)"


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
    passages = [attachment.content for attachment in attachments if attachment.type == KNOWLEDGE]
    others = [each for each in attachments if not each.is_image and each.type != KNOWLEDGE]
    texts = [_IN_PASSAGES.format(name=each.name) if is_in_passages(each) else laid_out(each) for each in others]
    text = "\n\n".join(filter(None, (turn.text, *(("ATTACHMENTS:", *texts) if texts else ()), *passages)))
    return (*pictures, *((TextPart(text),) if text else ()))


def _picture(attachment: Attachment) -> ImagePart:
    try:
        if not attachment.image_data.startswith("data:image/"):
            raise BadRequest("no picture")
        bytes_in(attachment.image_data, param="attachments")
    except BadRequest:
        raise BadRequest(
            f"The picture {attachment.name!a} in this chat cannot be read. Remove its message, or edit the chat's file.",
            param="attachments",
        ) from None
    return ImagePart(attachment.image_data, param="attachments")
