"""Which messages a browser tab shows, so that an action on one never affects another. Pure.

Another tab may have changed the chat meanwhile: then the action is refused.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from modules.errors import BadRequest
from modules.library.chats.history import ChatTurn, History, Row, Side

_CHANGED: Final = "This chat was changed in another tab. It is shown as it is now; do it again if you still want to."
_BYTES: Final = 12


class ChangedElsewhere(BadRequest):
    """What the tab means is not there any more as it shows it."""

    def __init__(self) -> None:
        super().__init__(_CHANGED)


class Part(StrEnum):
    """What of a turn a message shows."""

    TEXT = "text"
    THOUGHT = "thought"
    TOOL = "tool"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Where a message stands in the conversation; `versions` is how many its turn has had, `pace` how fast it was
    written, `info` what else to say of it, `finish` and `failure` how it ended; `is_open` for a message that has no
    reply. `tokens` is another text for other probabilities of its tokens, empty for none."""

    row: int
    side: Side
    part: Part
    version: int = 0
    versions: int = 1
    pace: str = ""
    info: str = ""
    finish: str = ""
    failure: str = ""
    is_open: bool = False
    tokens: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """`facts` are those of the messages that are shown, with a mark of each one's turn; `rows` is how many rows the
    conversation had, `last` marks the last one, and `whole` all of them."""

    facts: tuple[Fact, ...]
    turns: tuple[str, ...]
    rows: int
    last: str
    whole: str

    def fact(self, index: object, history: History) -> Fact | None:
        """Of the shown message that a browser names by its number; None where there is no such number. Raises
        ChangedElsewhere unless the message is in `history` as it is shown."""
        if not isinstance(index, int) or not 0 <= index < len(self.facts):
            return None
        fact = self.facts[index]
        if _turn_mark(history, fact) != self.turns[index]:
            raise ChangedElsewhere
        return fact

    def check_end(self, history: History) -> None:
        """For what is done to the last message. Raises ChangedElsewhere unless that is the one that is shown."""
        if (self.rows, self.last) != (len(history.rows), _last_mark(history)):
            raise ChangedElsewhere


def marks_of(history: History, facts: Sequence[Fact]) -> Marks:
    turns = tuple(_turn_mark(history, fact) for fact in facts)
    return Marks(
        facts=tuple(facts), turns=turns, rows=len(history.rows), last=_last_mark(history), whole=whole_mark(history)
    )


def whole_mark(history: History) -> str:
    """Another text where any message is another one."""
    return _mark([word for row in history.rows for word in _row_words(row)])


def _turn_mark(history: History, fact: Fact) -> str:
    if fact.row >= len(history.rows):
        return ""
    return _mark(_words(history.rows[fact.row].side(fact.side)))


def _last_mark(history: History) -> str:
    return _mark(_row_words(history.rows[-1])) if history.rows else ""


def _row_words(row: Row) -> list[str]:
    return [word for side in Side for word in _words(row.side(side))]


def _words(turn: ChatTurn) -> list[str]:
    """A turn of which another version is shown is another message."""
    return [turn.text, str(turn.version), str(len(turn.versions)), str(len(turn.tool_messages))]


def _mark(words: Sequence[str]) -> str:
    text = "\0".join(words).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=_BYTES).hexdigest()
