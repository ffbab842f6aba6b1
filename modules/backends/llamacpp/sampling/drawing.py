"""Rows of logits that llama.cpp computed → the tokens of jobs, with what is reported of them."""

import ctypes
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as c
from msgspec import structs

from modules.backends.kv.plan import Slice
from modules.backends.llamacpp.sampling.candidates import Candidates
from modules.backends.llamacpp.sampling.native_stages import SamplerVocabulary
from modules.backends.llamacpp.sampling.sampler import sampler_of
from modules.backends.llamacpp.tasks import LlamaTask
from modules.backends.llamacpp.tokenizer import LlamaTokenizer
from modules.backends.multimodal.cells import text_only
from modules.backends.sampling import logprobs
from modules.backends.sampling.logprobs import Row
from modules.engine.protocols import Drafter, Output
from modules.engine.types import Finish, Prompt, PromptProgress, TokenLogprob
from modules.errors import EngineFailed


class TokenDrawing:
    """Draws the tokens of all jobs of one context, with one buffer of candidates."""

    def __init__(self, context: Any, tokenizer: LlamaTokenizer, vocabulary: SamplerVocabulary) -> None:
        self._context = context
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._candidates = Candidates(tokenizer.size)

    def score(self, task: LlamaTask, piece: Slice, row: int) -> None:
        """Row i holds what was predicted after token i, so it scores token i + 1."""
        wanted, tokens = task.job.generation.prompt_logprobs or 0, task.slot.tokens
        if piece.start == 0:
            task.scored = [None]
        for at in range(piece.start, min(piece.end, task.slot.prompt_length - 1)):
            logits = self._logits(row + at - piece.start)
            task.scored.append(logprobs.from_logits(logits, tokens[at + 1], wanted, self._tokenizer))

    def next_token(self, task: LlamaTask, row: int, progress: PromptProgress | None) -> Output:
        generation, job_id = task.job.generation, task.job.id
        scored = tuple(task.scored) or None
        task.scored, task.slot.scores_prompt = [], False
        if generation.max_tokens == 0:
            return Output(job_id=job_id, prompt_logprobs=scored, progress=progress, finish=Finish.LENGTH)
        try:
            token, logprob = self._sample(task, self._logits(row))
        except EngineFailed as failure:
            return Output(job_id=job_id, error=failure.message)
        if token in self._tokenizer.end_ids:
            return Output(
                job_id=job_id,
                logprob=logprob,
                prompt_logprobs=scored,
                progress=progress,
                finish=Finish.STOP,
                stop_token=token,
            )
        said = self._said(task, token)
        return structs.replace(said, logprob=logprob, prompt_logprobs=scored, progress=progress)

    def forced(self, task: LlamaTask, most: int) -> Iterator[Output]:
        """The tokens that come next whatever the model says, `most` of them at most, of a job that has said something."""
        sampler = task.sampler
        assert sampler is not None
        for _ in range(most):
            forced = sampler.forced()
            if not forced:
                return
            token = forced[0]
            try:
                sampler.accept(token)
            except EngineFailed as failure:
                yield Output(job_id=task.job.id, error=failure.message)
                return
            output = structs.replace(self._said(task, token), drafted_by=Drafter.CONSTRAINT)
            yield output
            if output.finish is not None:
                return

    def _said(self, task: LlamaTask, token: int) -> Output:
        """The token is part of the reply."""
        task.slot.tokens.append(token)
        if task.slot.runs:
            task.history.append(token)
        piece = self._tokenizer.printed if task.job.generation.skip_special_tokens else self._tokenizer.shown
        is_complete = task.sampler is not None and task.sampler.is_complete
        finish = Finish.STOP if is_complete else None
        return Output(job_id=task.job.id, token=token, data=piece(token), finish=finish)

    def _sample(self, task: LlamaTask, logits: Row) -> tuple[int, TokenLogprob | None]:
        generation, sampler = task.job.generation, task.sampler
        if sampler is None:
            task.history = text_only(task.slot.tokens) if task.slot.runs else task.slot.tokens
            read = replace(generation, prompt=Prompt(tuple(task.history))) if task.slot.runs else generation
            sampler = sampler_of(read, task.history, self._vocabulary, self._candidates, task.guide)
            task.sampler = sampler
        return sampler.take(logits, self._tokenizer)

    def _logits(self, row: int) -> Row:
        """A view of llama.cpp's own buffer, valid until the next decode."""
        pointer = c.llama_get_logits_ith(self._context, row)
        buffer = (ctypes.c_float * self._tokenizer.size).from_address(ctypes.addressof(pointer.contents))
        logits: Row = np.frombuffer(memoryview(buffer), dtype=np.float32)
        return logits
