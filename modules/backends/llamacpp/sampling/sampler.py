"""What llama.cpp's samplers, and the shared ones that it lacks, choose for one job."""

import numpy as np
from llama_cpp import llama_cpp as c

from modules.backends.llamacpp.sampling.candidates import Candidates
from modules.backends.llamacpp.sampling.native_stages import NativeStages, SamplerVocabulary
from modules.backends.sampling.job_sampler import JobSampler, certain
from modules.backends.sampling.logprobs import Distribution, Row
from modules.engine.constraints.matcher import Guide
from modules.engine.types import Generation


def sampler_of(
    generation: Generation,
    history: list[int],
    vocabulary: SamplerVocabulary,
    candidates: Candidates,
    guide: Guide | None = None,
) -> JobSampler:
    """`history` is the job's growing list of tokens, prompt first; it is read, never changed. `candidates` is the buffer
    of all jobs."""
    return JobSampler(generation, NativeChooser(generation, history, vocabulary, candidates), vocabulary.ends, guide)


class NativeChooser:
    """`close` frees what llama.cpp holds for the job."""

    def __init__(
        self, generation: Generation, history: list[int], vocabulary: SamplerVocabulary, candidates: Candidates
    ) -> None:
        self._history = history
        self._candidates = candidates
        self._native = NativeStages(generation.sampling, vocabulary, generation.prompt.tokens)
        self._stages = self._native.build()
        self._selector = self._native.selector()
        self._native.read(history)

    def choose(self, row: Row, *, reports: bool) -> tuple[int, Distribution | None]:
        if self._selector is None and not self._stages:
            best = int(row.argmax())
            return best, certain(best) if reports else None
        candidates = self._candidates
        candidates.fill(row)
        for stage in self._stages:
            stage(candidates, self._history)
        remaining = self._remaining() if reports else None
        if self._selector is not None:
            c.llama_sampler_apply(self._selector, candidates.pointer)
        chosen = candidates.selected
        return candidates.best() if chosen is None else chosen, remaining

    def accept(self, token: int) -> None:
        self._native.accept(token)

    def close(self) -> None:
        self._native.close()

    def _remaining(self) -> Distribution:
        if self._selector is None:
            return certain(self._candidates.best())
        with np.errstate(divide="ignore"):
            return self._candidates.ids.copy(), np.log(self._candidates.probabilities())
