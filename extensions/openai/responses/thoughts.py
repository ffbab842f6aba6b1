"""Thoughts that travel through clients which keep no text of them: `encrypted_content` carries it, readable here only
in the sense that nobody else looks for it."""

import base64
import binascii
from typing import Final

from extensions.openai.responses.items import ReasoningItem

_MARK: Final = "local1."


def sealed(thought: str) -> str:
    """What clients send back as it is. It hides nothing from them: the thought is theirs."""
    return _MARK + base64.b64encode(thought.encode()).decode()


def thought_of(item: ReasoningItem) -> str:
    """The whole thought if the item holds it, else its summary; empty when another server sealed it."""
    if item.content:
        return "".join(part.text for part in item.content)
    return _opened(item.encrypted_content or "") or "\n\n".join(part.text for part in item.summary)


def _opened(content: str) -> str:
    if not content.startswith(_MARK):
        return ""
    try:
        return base64.b64decode(content.removeprefix(_MARK), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
