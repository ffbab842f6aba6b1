"""The signature of a thought. Nothing is signed here; where a client wants its thoughts without their text, the
signature carries it, so that the thought is there when the conversation goes on."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

SIGNATURE: Final = "dW5zaWduZWQ="
_CARRIER: Final = "thought-"


def carrying_signature(thought: str) -> str:
    return _CARRIER + urlsafe_b64encode(thought.encode()).decode()


def carried_thought(signature: str) -> str:
    """Empty for a signature that carries none, such as another server's."""
    if not signature.startswith(_CARRIER):
        return ""
    try:
        return urlsafe_b64decode(signature.removeprefix(_CARRIER)).decode()
    except ValueError:
        return ""
