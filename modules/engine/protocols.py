"""`Engine`, for asyncio callers, and `Backend`, for the one thread that owns a model."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from modules.engine.types import Chunk, Generation, Job, LoadSpec, MediaShape, ModelCard, Output

if TYPE_CHECKING:
    # It needs NumPy, which this process does without.
    from modules.engine.constraints.matcher import Guide

ReportProgress: TypeAlias = Callable[[float], None]


class Engine(Protocol):
    """A loaded model that many coroutines may ask at once."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def is_alive(self) -> bool:
        """False once the engine can answer nothing more and has to be loaded again."""
        ...

    def generate(self, generation: Generation) -> AsyncGenerator[Chunk, None]:
        """Stream the reply. Closing the generator, at any time, is how a caller cancels.

        Raises Busy when the queue is full, EngineFailed when the model dies, BadRequest when it refuses the job.
        """
        ...

    async def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Token ids of `text` without BOS; `special` reads control-token texts as control tokens."""
        ...

    async def detokenize(self, tokens: Sequence[int]) -> str: ...

    async def media_tokens(self, shape: MediaShape) -> list[int]:
        """All that stands in a prompt for a picture or a sound: ids of tokens that the model wants around and within it,
        and negative ids for its cells. Raises BadRequest for what the model cannot read."""
        ...

    async def aclose(self) -> None:
        """Give all memory back. Open streams end with EngineFailed."""
        ...


class Tokenizer(Protocol):
    """Text ↔ ids; safe to call from a second thread while the backend steps."""

    def encode(self, text: str, *, special: bool) -> list[int]: ...

    def decode(self, tokens: Sequence[int]) -> str: ...


@runtime_checkable
class MediaTokenizer(Protocol):
    """What the tokenizer of a model that reads media is besides."""

    def media_tokens(self, shape: MediaShape) -> list[int]:
        """As in `Engine`; safe to call from a second thread as well."""
        ...


class Backend(Protocol):
    """A model and the jobs it runs. Every method but `is_prepared`, `prepare` and `tokenizer`'s is called from one thread
    only."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def tokenizer(self) -> Tokenizer: ...

    def is_prepared(self, job: Job) -> bool:
        """Whether `prepare` would return at once. Must not compute."""
        ...

    def prepare(self, job: Job) -> "Guide | None":
        """Do what takes long before `admit`: compile the job's constraint. Called on threads beside everything else, for
        jobs with a constraint, a thought or media. Raises BadRequest, within two seconds, when it cannot be enforced."""
        ...

    def admit(self, job: Job, guide: "Guide | None") -> None:
        """Take a job with what `prepare` made for it, or raise BadRequest, ContextTooLong or Busy. Must not compute."""
        ...

    def step(self) -> Iterable[Output]:
        """Advance every running job by one bounded batch. Nothing to do: return nothing, at once."""
        ...

    @property
    def has_work(self) -> bool: ...

    def drop(self, job_id: int) -> None:
        """Forget a job, finished or not, and free its room. Unknown ids are ignored."""
        ...

    def close(self) -> None: ...


class Loader(Protocol):
    """Brings up a backend in two steps, so that a bad file is found before a good model is given up for it."""

    def probe(self, spec: LoadSpec) -> ModelCard:
        """Read the file's header and vocabulary only. Raises LoadFailed."""
        ...

    def load(self, spec: LoadSpec, report: ReportProgress) -> Backend:
        """Load the weights, calling `report` with 0…1. Raises LoadFailed."""
        ...
