"""Texts → vectors on a llama.cpp context: as many texts in one batch as there is room for."""

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from llama_cpp import llama_cpp as c

from modules.backends.embedding import check_embedding_job, embedding_output
from modules.backends.llamacpp.library import Batch
from modules.backends.llamacpp.tokenizer import LlamaTokenizer
from modules.engine.constraints.matcher import Guide
from modules.engine.protocols import Output
from modules.engine.types import Job, ModelCard

# More texts in one batch gain nothing: a batch of this many keeps the cores busy.
SEQUENCES: Final = 64


class LlamaEmbedder:
    """Owns `model` and `context`, which pools, and frees both. `log` is what the library calls to log, and has to live
    as long. Each job is one text, all of which one batch must hold."""

    def __init__(self, model: Any, context: Any, card: ModelCard, log: object) -> None:
        self._log = log
        self._model = model
        self._context = context
        self._card = card
        self._tokenizer = LlamaTokenizer(c.llama_model_get_vocab(model))
        self._capacity = int(c.llama_n_ubatch(context))
        self._batch = Batch(self._capacity)
        self._waiting: deque[Job] = deque()

    @property
    def card(self) -> ModelCard:
        return self._card

    @property
    def tokenizer(self) -> LlamaTokenizer:
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
        self._waiting.append(job)

    def step(self) -> Iterable[Output]:
        jobs = self._next_jobs()
        if not jobs:
            return ()
        if (memory := c.llama_get_memory(self._context)) is not None:
            c.llama_memory_clear(memory, True)
        self._batch.clear()
        for sequence, job in enumerate(jobs):
            for position, token in enumerate(job.generation.prompt.tokens):
                self._batch.add(token, position, sequence, logits=True)
        if result := self._batch.decode(self._context):
            raise RuntimeError(f"llama_decode failed with {result}")
        c.llama_synchronize(self._context)
        return [self._output(job, sequence) for sequence, job in enumerate(jobs)]

    def drop(self, job_id: int) -> None:
        self._waiting = deque(job for job in self._waiting if job.id != job_id)

    def close(self) -> None:
        self._waiting.clear()
        self._batch.free()
        c.llama_free(self._context)
        c.llama_model_free(self._model)

    def _next_jobs(self) -> list[Job]:
        jobs: list[Job] = []
        room = self._capacity
        while self._waiting and len(jobs) < SEQUENCES:
            room -= len(self._waiting[0].generation.prompt.tokens)
            if room < 0:
                break
            jobs.append(self._waiting.popleft())
        return jobs

    def _output(self, job: Job, sequence: int) -> Output:
        """Of the vector or the scores, which the next step overwrites: a copy."""
        pointer = c.llama_get_embeddings_seq(self._context, sequence)
        if not pointer:
            return Output(job_id=job.id, error="The model gave no vector for the text.")
        row = np.ctypeslib.as_array(pointer, shape=(self._card.embedding_size,))
        return embedding_output(self._card, job, row)
