"""Texts → vectors, or pairs of texts → scores, some texts of similar length in each step."""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from modules.backends.embedding import check_embedding_job, embedding_output
from modules.backends.encoders.tokenizer import FolderTokenizer
from modules.engine.constraints.matcher import Guide
from modules.engine.protocols import Output
from modules.engine.types import Job, ModelCard

# Steps are short so that a small request of another caller slips in between; on CPUs larger ones gain nothing.
TOKENS_OF_A_STEP: Final = 512
TOKENS_OF_A_STEP_ON_GPU: Final = 16384
_TEXTS_OF_A_STEP: Final = 64
_LOOKED_AT: Final = 512


Rows: TypeAlias = NDArray[np.float32]


class LoadedEncoder(Protocol):
    """A loaded encoder."""

    def rows(self, sequences: Sequence[Sequence[int]]) -> Rows:
        """[sequences, numbers]: vectors as the model computes them, or the scores of a classifier."""
        ...


class EncoderBackend:
    """Each job is one text, or a pair of them, all of which is read at once. The oldest job is in the next step, with
    those of its length beside it, so that little is computed for padding."""

    def __init__(self, encoder: LoadedEncoder, tokenizer: FolderTokenizer, card: ModelCard, step_tokens: int) -> None:
        self._encoder = encoder
        self._tokenizer = tokenizer
        self._card = card
        self._step_tokens = step_tokens
        self._waiting: dict[int, Job] = {}

    @property
    def card(self) -> ModelCard:
        return self._card

    @property
    def tokenizer(self) -> FolderTokenizer:
        return self._tokenizer

    @property
    def has_work(self) -> bool:
        return bool(self._waiting)

    def is_prepared(self, _job: Job) -> bool:
        return True

    def prepare(self, _job: Job) -> Guide | None:
        return None

    def admit(self, job: Job, _guide: Guide | None) -> None:
        check_embedding_job(self._card, job)
        for token in job.generation.prompt.tokens:
            self._tokenizer.check(token, "input")
        self._waiting[job.id] = job

    def step(self) -> Iterable[Output]:
        jobs = self._next_jobs()
        if not jobs:
            return ()
        rows = self._encoder.rows([job.generation.prompt.tokens for job in jobs])
        for job in jobs:
            del self._waiting[job.id]
        return [embedding_output(self._card, job, row) for job, row in zip(jobs, rows, strict=True)]

    def drop(self, job_id: int) -> None:
        self._waiting.pop(job_id, None)

    def close(self) -> None:
        self._waiting.clear()

    def _next_jobs(self) -> Sequence[Job]:
        waiting = list(self._waiting.values())[:_LOOKED_AT]
        if not waiting:
            return ()
        size = _length(waiting[0])
        waiting[1:] = sorted(waiting[1:], key=lambda job: abs(_length(job) - size))
        jobs: list[Job] = []
        longest = 0
        for job in waiting[:_TEXTS_OF_A_STEP]:
            longest = max(longest, _length(job))
            if jobs and longest * (len(jobs) + 1) > self._step_tokens:
                break
            jobs.append(job)
        return jobs


def _length(job: Job) -> int:
    return len(job.generation.prompt.tokens)
