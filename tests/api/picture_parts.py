"""Pictures as clients of all APIs send them, and what the scripted model says that it sees."""

import base64
import io
from typing import Any

from PIL import Image

from tests.api.serving import CHAT, TEXT, Served

MESSAGES = "/v1/messages"
RESPONSES = "/v1/responses"
RED, BLUE = "#ff0000", "#0000ff"


def png(colour: str, size: tuple[int, int] = (20, 10), form: str = "PNG") -> str:
    content = io.BytesIO()
    Image.new("RGB", size, colour).save(content, form)
    return base64.b64encode(content.getvalue()).decode()


def url(colour: str, size: tuple[int, int] = (20, 10)) -> str:
    return f"data:image/png;base64,{png(colour, size)}"


def seen(colour: str, size: tuple[int, int] = (20, 10)) -> str:
    """What the scripted model says of such a picture."""
    return f"[image {size[0]}x{size[1]} {colour}]"


def image(colour: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url(colour), **more}}


def words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def asked(*parts: object, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(parts), **more}], "max_tokens": 500}


async def said(api: Served, path: str, body: dict[str, Any]) -> str:
    response = await api.post(path, body)
    assert response.status_code == 200, response.text
    answer = response.json()
    if path == CHAT:
        return str(answer["choices"][0]["message"]["content"])
    if path == TEXT:
        return str(answer["choices"][0]["text"])
    if path == MESSAGES:
        return "".join(block["text"] for block in answer["content"])
    return str(answer["output"][-1]["content"][0]["text"])


async def refused(api: Served, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = await api.post(path, body)
    assert response.status_code == 400, response.text
    error: dict[str, Any] = response.json()["error"]
    return error
