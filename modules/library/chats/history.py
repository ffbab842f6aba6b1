"""Conversations as they are kept: rows of a user's and an assistant's turn, with all versions of both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from modules.messages import Message


class Side(StrEnum):
    """Whose turn of a row."""

    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with a message. Pictures have type "image" and their content as data URL in `image_data`; of
    all others `content` is the text. `extra` is what other programs wrote, here as everywhere in a history."""

    name: str
    type: str
    content: str = ""
    image_data: str = ""
    url: str = ""
    image_id: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_image(self) -> bool:
        return self.type == "image" or self.type.startswith("image/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One of the texts that a turn has had, and what belongs to that text only."""

    text: str
    visible: str
    timestamp: str = ""
    tool_messages: tuple[Message, ...] = ()
    model: str = ""
    tokens: int = 0
    seconds: float = 0.0
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One side of a row: `text` is what the model reads, `visible` the HTML-escaped text that is shown.

    `versions` is empty, or holds every text of the turn, and at the index `version` the one that the turn has now.
    `tool_messages` are the calls and results that came before `text`; `timestamp` reads "Nov 23, 2025 00:31".
    """

    text: str = ""
    visible: str = ""
    timestamp: str = ""
    attachments: tuple[Attachment, ...] = ()
    versions: tuple[Version, ...] = ()
    version: int = 0
    model: str = ""
    tool_messages: tuple[Message, ...] = ()
    tokens: int = 0
    seconds: float = 0.0
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A message and its reply, either of which may be empty. A greeting is a reply to no message."""

    user: Turn = field(default_factory=Turn)
    assistant: Turn = field(default_factory=Turn)
    is_greeting: bool = False

    def side(self, side: Side) -> Turn:
        return self.user if side is Side.USER else self.assistant


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    rows: tuple[Row, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)
