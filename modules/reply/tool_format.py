"""What a tool format is: how one model family writes calls, and how such a reply is read and enforced."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from modules.engine.types import Constraint
from modules.messages import ToolSpec


@dataclass(frozen=True, slots=True)
class Text:
    """Ordinary text of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class CallStart:
    """A call of an offered tool begins; its arguments and its end follow before anything else, unless it breaks off."""

    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """More of the current call's arguments. All of a call's pieces together are the JSON text of one object."""

    text: str


@dataclass(frozen=True, slots=True)
class CallEnd:
    """The current call is complete."""


Piece = Text | CallStart | CallArguments | CallEnd


class ToolParser(Protocol):
    """Reads one reply, however it is cut into pieces; the joined result does not depend on the cuts."""

    def feed(self, text: str) -> Iterable[Piece]:
        """What became certain. Text that may yet turn out to be a call is held back, and nothing longer than needed."""
        ...

    def close(self, *, is_cut: bool = False) -> Iterable[Piece]:
        """What was held back, when the reply is over: text where no call came of it. Unless the reply `is_cut`, a call
        that lacks no more than closing marks is complete.

        A call that broke off, here or earlier, gets no CallEnd: all that the model said of it follows as Text."""
        ...


class ToolFormat(Protocol):
    """One way to write calls."""

    @property
    def name(self) -> str: ...

    @property
    def hints(self) -> tuple[str, ...]:
        """Texts in a chat template that give this format away."""
        ...

    @property
    def openers(self) -> tuple[str, ...]:
        """Texts that begin calls wherever they stand in a reply."""
        ...

    @property
    def markers(self) -> tuple[str, ...]:
        """Texts around calls that may be control tokens of the model, and have to be printed for the parser to see."""
        ...

    def parser(self, tools: Sequence[ToolSpec], *, keeps_space: bool = False) -> ToolParser:
        """For a reply to a request that offers `tools`; names of other functions are ordinary text. Space around calls is
        no text, unless the parser `keeps_space`."""
        ...

    def constraint(self, tools: Sequence[ToolSpec], *, parallel: bool) -> Constraint:
        """What a reply matches that is nothing but calls of `tools` (one of them without `parallel`), with arguments as
        their schemas say."""
        ...
