"""Begins the character's replies with a hidden text, in the modes chat and chat-instruct."""

from dataclasses import dataclass

from modules.extend.host import Host
from modules.hooks import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class CharacterBias:
    """`bias_string` is what is chosen, `custom_string` stands above it when it is not empty."""

    activate: bool = True
    bias_string: str = "*I speak in a cheerful mood*"
    custom_string: str = ""


def setup(host: Host) -> None:
    settings = host.settings(CharacterBias)
    bias = (settings.custom_string or settings.bias_string).strip()
    if not settings.activate or not bias:
        return

    @host.hook
    def reply_prefix(prefix: str, turn: Turn) -> str:
        return f"{prefix} {bias} "
