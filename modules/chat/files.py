"""Files in messages → texts and pictures, as attachments on the page are read."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from modules.chat.attachments.attachments import laid_out, read_attachment
from modules.errors import BadRequest
from modules.media.pictures.sources import Sources
from modules.messages import FilePart, ImagePart, Message, Part, TextPart

# Each is read in a process of its own.
_MOST: Final = 32


async def with_read_files(messages: Sequence[Message], sources: Sources) -> tuple[Message, ...]:
    """`messages` without file parts. Raises BadRequest for what cannot be read."""
    count = sum(isinstance(part, FilePart) for message in messages for part in message.parts)
    if count == 0:
        return tuple(messages)
    if count > _MOST:
        raise BadRequest(f"One request may have {_MOST} files at most.", param="messages")
    return tuple([await _with_read_files(message, sources) for message in messages])


async def _with_read_files(message: Message, sources: Sources) -> Message:
    return replace(message, parts=tuple([await _read(part, sources) for part in message.parts]))


async def _read(part: Part, sources: Sources) -> Part:
    if not isinstance(part, FilePart):
        return part
    content = await sources.content(part.source, param=part.param)
    try:
        attachment = await read_attachment(part.name, content)
    except BadRequest as refusal:
        raise BadRequest(refusal.message, param=part.param, code="invalid_file") from None
    if attachment.is_image:
        return ImagePart(part.source, param=part.param)
    return TextPart(laid_out(attachment) + "\n")
