"""What proposes tokens: a draft model, and texts that a reply may repeat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from modules.engine.protocols import Drafter


@dataclass(frozen=True, slots=True)
class Ask:
    """A reply that could use a draft: `tokens` are its prompt and what it has said, the list that grows with it.

    `most` tokens are wanted at most, and none that is right with a probability below `least`.
    """

    job_id: int
    tokens: list[int]
    most: int
    least: float


@dataclass(frozen=True, slots=True)
class Draft:
    """Tokens that may come next, with the chance of each to be right where those before it are, and who proposed it."""

    tokens: tuple[int, ...] = ()
    chances: tuple[float, ...] = ()
    drafters: tuple[Drafter, ...] = ()

    def cut(self, length: int) -> "Draft":
        return Draft(self.tokens[:length], self.chances[:length], self.drafters[:length])


@dataclass(frozen=True, slots=True)
class Guess:
    """What a draft model proposes. `tries` tokens were sought: more than were found where it was too unsure."""

    tokens: tuple[int, ...]
    tries: int


class DraftSource(Protocol):
    """A draft model. Called from the thread that steps the backend. What it proposes is verified, so it may be wrong."""

    def propose(self, asks: Sequence[Ask], patience: float) -> dict[int, Guess]:
        """By job; jobs that nothing can be proposed for are left out. What a source has to read before it can propose
        is read in steps of about `patience` seconds."""
        ...

    def seconds(self, count: int) -> float:
        """What it takes to seek one more token for each of `count` replies; 0 while that is not known."""
        ...

    def forget(self, job_id: int) -> None:
        """The job is over. Unknown ids are ignored."""
        ...

    def close(self) -> None: ...
