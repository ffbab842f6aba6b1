"""A tool with which the chat model makes pictures, and where the page finds them again."""

import re
from contextlib import aclosing
from typing import Any, Final

from modules.chat.tools.base import ToolFailed
from modules.chat.tools.extension import ExtensionTool
from modules.errors import ServiceError
from modules.library.text_files import read_bytes
from modules.media.images.gallery import ImageGallery
from modules.media.images.requests import MAX_PROMPT, FinishedImage, ImageRequest
from modules.media.images.sizes import parse_size
from modules.messages import ToolSpec
from modules.runtime import Runtime
from modules.ui.page.thumbnails import data_url, small_jpeg

NAME: Final = "generate_image"
_OWNER: Final = "page:images:chat"
_DESCRIPTION: Final = "Draws a picture from a description and shows it to the user."
_PARAMETERS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "prompt": {"type": "string", "description": "What is to be seen, in detail: subject, setting, light, style."},
        "negative_prompt": {"type": "string", "description": "What should not be in the picture."},
        "size": {
            "type": "string",
            "description": "WIDTHxHEIGHT in pixels, such as 1024x768; the model's own if left out.",
        },
    },
    "required": ["prompt"],
}
_ANSWER: Final = "The picture was made and is shown to the user. Do not describe where it is. [picture {name}]"
_MADE: Final = re.compile(r"\[picture ([\w./-]{1,200})\]\Z")
_SIDE: Final = 768
_MAX_BYTES: Final = 64 * 2**20


def image_tool(runtime: Runtime) -> ExtensionTool:
    """Its pictures are kept in the gallery, where the chat that they belong to finds them."""

    async def generate_image(arguments: dict[str, Any]) -> str:
        try:
            async with aclosing(runtime.images.draw(_request(arguments), owner=_OWNER)) as events:
                made = [event async for event in events if isinstance(event, FinishedImage)]
        except ServiceError as error:
            raise ToolFailed(error.message) from error
        if not made:
            raise ToolFailed("The drawing was stopped.")
        return _ANSWER.format(name=made[0].name)

    return ExtensionTool(ToolSpec(name=NAME, description=_DESCRIPTION, parameters=_PARAMETERS), generate_image)


def _request(arguments: dict[str, Any]) -> ImageRequest:
    """Raises BadRequest, ToolFailed."""
    prompt, negative, size = (arguments.get(name) or "" for name in ("prompt", "negative_prompt", "size"))
    if not all(isinstance(text, str) for text in (prompt, negative, size)):
        raise ToolFailed("All arguments are texts.")
    if not prompt.strip() or len(prompt) + len(negative) > MAX_PROMPT:
        raise ToolFailed("The argument prompt is missing or too long; it says what is to be seen.")
    return ImageRequest(prompt=prompt, negative_prompt=negative, size=parse_size(size), is_kept=True)


def picture_name(tool: str, answer: str) -> str:
    """The name in the gallery of the picture that the tool's answer tells of; empty where it tells of none."""
    found = _MADE.search(answer) if tool == NAME else None
    return found[1] if found is not None else ""


def picture_url(gallery: ImageGallery, name: str) -> str:
    """A data URL of modest size; nothing for a picture that was deleted."""
    try:
        small = small_jpeg(read_bytes(gallery.path_of(name), limit=_MAX_BYTES), _SIDE)
    except (ServiceError, OSError):
        return ""
    return data_url(small, "image/jpeg") if small else ""
