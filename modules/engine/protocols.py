"""`Engine`, for asyncio callers, and `Backend`, for the one thread that owns a model.

With what the steps of a backend give.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar, runtime_checkable

import msgspec

from modules.engine.types import (
    Chunk,
    Finish,
    Generation,
    Job,
    LoadSpec,
    MediaShape,
    ModelCard,
    PromptProgress,
    TokenLogprob,
)
from modules.process.server import Task

if TYPE_CHECKING:
    # It needs NumPy, which this process does without.
    from modules.engine.constraints.matcher import Guide

ReportProgress: TypeAlias = Callable[[float], None]
A = TypeVar("A")


class Drafter(StrEnum):
    """What proposed a token. What a CONSTRAINT proposes is the only token that it allows."""

    CONSTRAINT = "constraint"
    PREDICTION = "prediction"
    NGRAM = "ngram"
    MODEL = "model"


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a backend step did for a job: at most one token, its bytes, or the end. A step may do several.

    `data` is empty for tokens that print nothing. Without a token, `logprob` is of the one that ended the reply.
    The token had been proposed before it was sampled by what `drafted_by` names, if anything; `rejected` tokens had been
    proposed in vain, `mispredicted` of them by the request's prediction.
    `prompt_logprobs` arrive once, before the first token;
    their first entry is None, because nothing predicts a first token. `embedding` holds little-endian 32-bit floats.
    """

    job_id: int
    token: int | None = None
    data: bytes = b""
    logprob: TokenLogprob | None = None
    prompt_logprobs: tuple[TokenLogprob | None, ...] | None = None
    progress: PromptProgress | None = None
    finish: Finish | None = None
    stop_token: int | None = None
    error: str | None = None
    embedding: bytes | None = None
    drafted_by: Drafter | None = None
    rejected: int = 0
    mispredicted: int = 0


class AnyEngine(Protocol):
    """A loaded model of any kind."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def is_alive(self) -> bool:
        """False once the engine can answer nothing more and has to be loaded again."""
        ...

    async def aclose(self) -> None:
        """Give all memory back. Open streams end with EngineFailed."""
        ...


class MediaEngine(AnyEngine, Protocol):
    """A loaded model that is asked by messages of its own, one question after the other.

    `answers` decodes what comes back. Raises EngineFailed when the model dies or fails at the question, Busy when too many
    wait, and the BadRequest, Busy or NotSupported that the model's code raised.
    """

    async def ask(
        self, question: msgspec.Struct, answers: "msgspec.msgpack.Decoder[A]", *, seconds: float | None = None
    ) -> A:
        """The one answer. What takes longer than `seconds`, counted from its turn, ends the engine."""
        ...

    def stream(
        self, question: msgspec.Struct, answers: "msgspec.msgpack.Decoder[A]", *, seconds: float | None = None
    ) -> AsyncGenerator[A, None]:
        """The answers as they come. Closing the generator, at any time, is how a caller cancels. The model waits for a
        caller who is 32 answers behind, and others wait with it: whoever serves a slow client reads on into memory."""
        ...


class MediaModel(Protocol):
    """A media model in its own process; its methods are called from one thread only."""

    @property
    def card(self) -> ModelCard: ...

    def answer(self, question: "object", task: Task) -> Iterable[object]:
        """The answers to one question, of the types that the loader names. A generator is closed at its next answer when
        nobody waits any more; work that is long between answers asks `task.is_cancelled()`, and calls `task.advance()` where
        it does not compute. Raises BadRequest, Busy or NotSupported for what it cannot do."""
        ...


class MediaLoader(Protocol):
    """Brings a media model up in two steps, like `Loader`. `questions` is the type, or union of types, that it is asked."""

    @property
    def questions(self) -> object: ...

    def probe(self, spec: LoadSpec) -> ModelCard:
        """Read what tells whether the files are whole and of a known kind. Raises LoadFailed."""
        ...

    def load(self, spec: LoadSpec, report: ReportProgress) -> MediaModel:
        """Load the weights, calling `report` with 0…1. Raises LoadFailed."""
        ...


class Engine(AnyEngine, Protocol):
    """A loaded model that many coroutines may ask at once."""

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


@runtime_checkable
class Interruptible(Protocol):
    """What a backend is besides whose steps can end early."""

    def interrupt_when(self, is_wanted: Callable[[], bool]) -> None:
        """A step that only reads prompts may end without having done anything as soon as `is_wanted` says so: commands wait
        that are to be obeyed first. It is called between operations, and must return at once."""
        ...


class Loader(Protocol):
    """Brings up a backend in two steps, so that a bad file is found before a good model is given up for it."""

    def probe(self, spec: LoadSpec) -> ModelCard:
        """Read the file's header and vocabulary only. Raises LoadFailed."""
        ...

    def load(self, spec: LoadSpec, report: ReportProgress) -> Backend:
        """Load the weights, calling `report` with 0…1. Raises LoadFailed."""
        ...
