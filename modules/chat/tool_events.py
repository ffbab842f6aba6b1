"""What happens between the rounds of a reply that calls tools, and how its user decides about a call."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from modules.events import Event
from modules.messages import Message, ToolCall


class Approval(Enum):
    """A user's word about a call. ALWAYS holds for all calls of that tool in the same reply."""

    ONCE = auto()
    ALWAYS = auto()
    REJECT = auto()


Approve: TypeAlias = Callable[[ToolCall], Awaitable[Approval]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolProposed:
    """`call` waits for its user's word."""

    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted:
    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished:
    """The model will read `answer`, which says so where the tool failed."""

    call: ToolCall
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRefused:
    """`call` was not run, mostly because the user said no; the model will read `answer`."""

    call: ToolCall
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundFinished:
    """A round with calls is over: the assistant's message, and one TOOL message for each of its calls, to be kept."""

    messages: tuple[Message, ...]


ToolEvent: TypeAlias = ToolProposed | ToolStarted | ToolFinished | ToolRefused | RoundFinished
LoopEvent: TypeAlias = Event | ToolEvent
