"""Conversations as values: rows of a user's and an assistant's turn with all versions, and their text."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from modules.errors import BadRequest
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
class Outcome:
    """How a reply was written: seconds `waited` until its first token, and spent `writing` from there to the last, without
    what tools took; `finish`, why there are no more: "stop", "length", "stopped" by its user, or "incomplete" while it is
    written; tokens of the prompt; `failure`, what went wrong in a sentence; and the `receipt` of the model's last answer
    in it, in JSON's types, empty where there is none."""

    waited: float = 0.0
    writing: float = 0.0
    finish: str = ""
    prompt_tokens: int = 0
    failure: str = ""
    receipt: Mapping[str, object] = field(default_factory=dict)


NO_OUTCOME: Final = Outcome()


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One of the texts that a turn has had, and what belongs to that text only; `probabilities` are those of its tokens,
    packed. `continuation` is what followed a user's message before it was sent anew with other words: a row with its
    reply, and those after it. The version that a turn has now has none."""

    text: str
    visible: str
    timestamp: str = ""
    tool_messages: tuple[Message, ...] = ()
    model: str = ""
    tokens: int = 0
    seconds: float = 0.0
    outcome: Outcome = NO_OUTCOME
    probabilities: str = ""
    lore: str = ""
    continuation: "tuple[Row, ...] | None" = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTurn:
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
    outcome: Outcome = NO_OUTCOME
    probabilities: str = ""
    lore: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A message and its reply, either of which may be empty. A greeting is a reply to no message."""

    user: ChatTurn = field(default_factory=ChatTurn)
    assistant: ChatTurn = field(default_factory=ChatTurn)
    is_greeting: bool = False

    def side(self, side: Side) -> ChatTurn:
        return self.user if side is Side.USER else self.assistant


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    rows: tuple[Row, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)


def last_model(history: History) -> str:
    """The model that gave the latest reply; empty where none is known."""
    return next((row.assistant.model for row in reversed(history.rows) if row.assistant.model), "")


def version_of(turn: ChatTurn) -> Version:
    """What the turn is now."""
    return Version(
        text=turn.text,
        visible=turn.visible,
        timestamp=turn.timestamp,
        tool_messages=turn.tool_messages,
        model=turn.model,
        tokens=turn.tokens,
        seconds=turn.seconds,
        outcome=turn.outcome,
        probabilities=turn.probabilities,
        lore=turn.lore,
    )


def with_current(turn: ChatTurn, version: Version) -> ChatTurn:
    """The turn with `version` in the place of what it is now."""
    versions = tuple(version if index == turn.version else each for index, each in enumerate(turn.versions))
    return _showing(replace(turn, versions=versions), version)


def appended(turn: ChatTurn, version: Version) -> ChatTurn:
    """The turn with `version` as its newest, beside what it was before."""
    versions = (*(turn.versions or (version_of(turn),)), version)
    return _showing(replace(turn, versions=versions, version=len(versions) - 1), version)


def chosen(turn: ChatTurn, index: int) -> ChatTurn:
    """The turn as its version `index` has it. Raises BadRequest where there is none."""
    versions = turn.versions or (version_of(turn),)
    if not 0 <= index < len(versions):
        raise BadRequest(f"There is no version {index} of this message, which has {len(versions)}.", param="version")
    return _showing(replace(turn, version=index), versions[index])


def without_current(turn: ChatTurn) -> ChatTurn:
    """The turn as its version before was, without the one that it is now; a turn of one version as it is."""
    if not turn.versions:
        return turn
    versions = (*turn.versions[: turn.version], *turn.versions[turn.version + 1 :])
    index = max(turn.version - 1, 0)
    return _showing(replace(turn, versions=versions, version=index), versions[index]) if versions else turn


def _showing(turn: ChatTurn, version: Version) -> ChatTurn:
    return replace(
        turn,
        text=version.text,
        visible=version.visible,
        timestamp=version.timestamp,
        tool_messages=version.tool_messages,
        model=version.model,
        tokens=version.tokens,
        seconds=version.seconds,
        outcome=version.outcome,
        probabilities=version.probabilities,
        lore=version.lore,
    )


# text-generation-webui's names of chat files; sorting them sorts by time.
ID_FORMAT: Final = "%Y%m%d-%H-%M-%S"

_TITLE_LENGTH: Final = 80
# Of a chat in which nothing was said yet.
UNTITLED: Final = "New chat"
# What the index holds of one conversation. Attached files could make it gigabytes.
_LONGEST_TEXT: Final = 2**21
_TIME: Final = re.compile(r"\d{8}-\d\d-\d\d-\d\d")


def id_at(moment: datetime) -> str:
    return moment.strftime(ID_FORMAT)


def is_named(chat_id: str) -> bool:
    """Whether the user chose that id, which the program would not have."""
    return _TIME.fullmatch(chat_id) is None


def title(chat_id: str, history: History) -> str:
    """The user's name for it, or the first line that the user wrote, or the first file that came with it."""
    return chat_id if is_named(chat_id) else next(filter(None, map(shortened, _openings(history))), UNTITLED)


def shortened(text: str) -> str:
    """The first line that says something, as long as a title may be."""
    # Cut before it is split: a message may be a whole pasted file.
    begin = text.lstrip()[: 4 * _TITLE_LENGTH]
    line = " ".join(begin.partition("\n")[0].split())
    return line if len(line) <= _TITLE_LENGTH else f"{line[: _TITLE_LENGTH - 1].rstrip()}…"


def _openings(history: History) -> Iterator[str]:
    yield from (row.user.text for row in history.rows)
    yield from (attachment.name for row in history.rows for attachment in row.user.attachments)


def searched_text(history: History) -> str:
    """What both sides said and what was attached as text; of a very long conversation, the beginning."""
    return "\n".join(_texts(history))[:_LONGEST_TEXT]


def _texts(history: History) -> Iterator[str]:
    for row in history.rows:
        yield row.user.text
        for attachment in row.user.attachments:
            yield attachment.name
            yield attachment.content
        yield row.assistant.text
