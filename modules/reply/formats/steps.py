"""Parsers as coroutines: reading is written straight on, and steps aside wherever the reply has not come far enough."""

from collections.abc import Generator
from typing import TypeAlias, TypeVar

from modules.reply.tool_format import CallArguments, Piece

T = TypeVar("T")

# Yields what became certain, or None where it needs more of the reply to go on.
Steps: TypeAlias = Generator[Piece | None, None, T]


class NotACall(Exception):
    """What stands here is not how the format writes a call."""


class ReplyEnded(Exception):
    """The reply is over where more of it was needed."""


def collected(steps: Steps[object]) -> Steps[str]:
    """The arguments that `steps` would give, held back and joined."""
    parts = []
    for piece in steps:
        if piece is None:
            yield None
        elif isinstance(piece, CallArguments):
            parts.append(piece.text)
    return "".join(parts)


def led_by(lead: str, steps: Steps[None]) -> Steps[None]:
    """`steps` with the arguments text `lead` before the first piece; nothing where they give none."""
    for piece in steps:
        if piece is not None and lead:
            yield CallArguments(lead)
            lead = ""
        yield piece
