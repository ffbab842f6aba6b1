"""Runs jobs on exllamav3's generator, all running ones in each step."""

import contextlib
import gc
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import torch

from modules.backends.exllamav3.adapters import LoraAdapters
from modules.backends.exllamav3.guide_filter import GuideFilter
from modules.backends.exllamav3.library import exllamav3
from modules.backends.exllamav3.pictures import VisionReader
from modules.backends.exllamav3.sampling import DeviceSampler, Drawn, HostSampler, WatchedSampler, device_steps
from modules.backends.exllamav3.scoring import PromptScorer, Scoring
from modules.backends.exllamav3.tasks import GeneratorTask
from modules.backends.hub.tokenizer import HubTokenizer
from modules.backends.sampling.breakers import breaker_sequences
from modules.backends.sampling.row_sampler import sampler_of_rows
from modules.backends.sampling.stages import SamplerFacts
from modules.engine.constraints.compiler import Constraints
from modules.engine.constraints.matcher import Guide
from modules.engine.protocols import Drafter, Output
from modules.engine.types import Finish, Generation, Job, ModelCard
from modules.errors import BadRequest, ContextTooLong

_BREAKERS_REMEMBERED: Final = 16
# Longer replies give their pages back now and then and go on as new jobs of the library, so that not the whole of what
# they might become has to be free before they begin.
_TOKENS_AT_ONCE: Final = 2048
_MODEL_FAILED: Final = "The model failed at this request."
_NO_MEMORY: Final = "There is not enough memory for this request. Shorten it."


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedParts:
    """What the loader brought up, and `ExLlamaV3Backend` owns. `drafter` is what guesses tokens, if anything does."""

    models: tuple[Any, ...]
    generator: Any
    scorer: PromptScorer | None = None
    reader: VisionReader | None = None
    drafter: Drafter | None = None


class ExLlamaV3Backend:
    """Everything of the library is used by one thread at a time: whoever computes holds `lock`."""

    def __init__(
        self,
        parts: LoadedParts,
        tokenizer: HubTokenizer,
        card: ModelCard,
        adapters: LoraAdapters,
        lock: threading.Lock,
    ) -> None:
        self._parts = parts
        self._generator = parts.generator
        self._reader = parts.reader
        self._scorer = parts.scorer
        self._tokenizer = tokenizer
        self._card = card
        self._adapters = adapters
        self._lock = lock
        self._ends = tuple(sorted(tokenizer.end_ids))
        self._constraints = Constraints(tokenizer)
        self._breakers: Any = lru_cache(maxsize=_BREAKERS_REMEMBERED)(lambda texts: breaker_sequences(texts, tokenizer))
        self._tasks: dict[int, GeneratorTask] = {}
        # Jobs that were not begun, then the one whose prompt is scored; the others are the generator's.
        self._waiting: deque[GeneratorTask] = deque()
        self._scoring: tuple[GeneratorTask, Scoring] | None = None
        self._group = adapters.group_of(None)

    @property
    def card(self) -> ModelCard:
        return self._card

    @property
    def tokenizer(self) -> HubTokenizer:
        return self._tokenizer

    @property
    def has_work(self) -> bool:
        return bool(self._tasks)

    def is_prepared(self, job: Job) -> bool:
        prompt = job.generation.prompt
        is_read = self._reader is None or self._reader.knows(prompt)
        return is_read and self._constraints.is_prepared(job.generation)

    def prepare(self, job: Job) -> Guide | None:
        if self._reader is not None:
            self._reader.embeddings(job.generation.prompt)
        return self._constraints.prepare(job.generation)

    def admit(self, job: Job, guide: Guide | None) -> None:
        self._check(job)
        prompt = job.generation.prompt
        group = self._adapters.group_of(job.generation.adapters)
        task = GeneratorTask(job, guide, group, list(prompt.tokens))
        if prompt.media and self._reader is not None:
            task.embeddings = self._reader.embeddings(prompt)
            task.ids = self._reader.ids(prompt, task.embeddings)
        self._tasks[job.id] = task
        self._waiting.append(task)

    def step(self) -> Iterable[Output]:
        if not self._tasks:
            return ()
        with self._lock, torch.inference_mode():
            outputs = list(self._begin_waiting())
            if self._scoring is not None:
                outputs += self._score(*self._scoring)
            if self._generator.num_remaining_jobs():
                outputs += self._iterate()
        return outputs

    def drop(self, job_id: int) -> None:
        task = self._tasks.pop(job_id, None)
        if task is None:
            return
        with contextlib.suppress(ValueError):
            self._waiting.remove(task)
        with self._lock:
            if self._scoring is not None and self._scoring[0] is task:
                self._scoring[1].close()
                self._scoring = None
            if task.run is not None:
                self._generator.cancel(task.run)
        task.close()

    def close(self) -> None:
        for job_id in tuple(self._tasks):
            self.drop(job_id)
        self._generator.close()
        if self._reader is not None:
            self._reader.close()
        for model in self._parts.models:
            model.unload()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _check(self, job: Job) -> None:
        generation = job.generation
        tokens, sampling = generation.prompt.tokens, generation.sampling
        if not tokens:
            raise BadRequest("The prompt is empty. Send at least one token.", param="prompt")
        if len(tokens) > self._card.context - (generation.max_tokens != 0):
            raise ContextTooLong(prompt_tokens=len(tokens), context=self._card.context, param="prompt")
        has_media = bool(generation.prompt.media)
        if generation.prompt_logprobs is not None:
            self._check_scored(len(tokens))
        for param, ids in (
            ("prompt", [token for token in tokens if token >= 0] if has_media else tokens),
            ("logit_bias", sampling.logit_bias),
            ("custom_token_bans", sampling.banned_tokens),
        ):
            for token in ids:
                self._tokenizer.check(token, param)

    def _check_scored(self, length: int) -> None:
        bound = 0 if self._scorer is None else self._scorer.bound
        if length > bound:
            raise BadRequest(
                f"A prompt of {length} tokens is not scored here: --scored-tokens allows {bound}.",
                param="echo",
            )

    def _begin_waiting(self) -> Iterator[Output]:
        """In order. Jobs with other adapters wait until those before them are done, and those after wait for them."""
        while self._waiting and self._scoring is None:
            task = self._waiting[0]
            if task.group != self._group:
                if len(self._tasks) > len(self._waiting):
                    return
                self._adapters.apply(task.group)
                self._group = task.group
            self._waiting.popleft()
            generation = task.job.generation
            if generation.prompt_logprobs is not None and self._scorer is not None:
                self._scoring = task, self._scorer.begin(task.ids, generation.prompt_logprobs)
            elif generation.max_tokens == 0:
                yield Output(job_id=task.job.id, finish=Finish.LENGTH)
            else:
                yield from self._enqueue(task)

    def _score(self, task: GeneratorTask, scoring: Scoring) -> Iterator[Output]:
        try:
            scored = scoring.step()
        except torch.OutOfMemoryError:
            scoring.close()
            self._scoring = None
            yield Output(job_id=task.job.id, error=_NO_MEMORY)
            return
        if scored is None:
            return
        scoring.close()
        self._scoring = None
        if task.job.generation.max_tokens == 0:
            yield Output(job_id=task.job.id, prompt_logprobs=scored, finish=Finish.LENGTH)
            return
        task.scored = scored
        yield from self._enqueue(task)

    def _enqueue(self, task: GeneratorTask) -> Iterator[Output]:
        generation = task.job.generation
        room = self._card.context - task.prompt_length
        wanted = generation.max_tokens
        task.known, task.drafter = len(task.ids), self._parts.drafter
        task.sampler = self._sampler(task)
        task.run = exllamav3.Job(
            torch.tensor([task.ids], dtype=torch.long),
            max_new_tokens=room if wanted is None else min(room, wanted),
            min_new_tokens=generation.min_tokens,
            max_rq_tokens=_TOKENS_AT_ONCE,
            sampler=task.sampler,
            seed=generation.sampling.seed,
            stop_conditions=list(self._ends),
            filters=[task.filter] if task.filter is not None else None,
            identifier=task.job.id,
            embeddings=task.embeddings or None,
            decode_special_tokens=True,
        )
        try:
            self._generator.enqueue(task.run)
        except (AssertionError, ValueError):
            # It fits into no cache: the library's way to say so.
            yield Output(job_id=task.job.id, error=_NO_MEMORY)

    def _sampler(self, task: GeneratorTask) -> WatchedSampler:
        generation, size = task.job.generation, self._tokenizer.size
        steps = device_steps(generation, self._ends, size, guided=task.guide is not None)
        if steps is not None:
            if task.guide is not None:
                task.filter = GuideFilter(self._generator.tokenizer, task.guide, size, self._ends)
            return DeviceSampler(steps, generation.logprobs, size, self._tokenizer)
        history = [token for token in generation.prompt.tokens if token >= 0]
        sampler = sampler_of_rows(generation, history, self._facts(generation, history), self._ends, task.guide)
        return HostSampler(sampler, history, self._tokenizer, size, is_drafted=self._parts.drafter is not None)

    def _facts(self, generation: Generation, prompt: Sequence[int]) -> SamplerFacts:
        sampling = generation.sampling
        return SamplerFacts(
            vocabulary=self._tokenizer.size,
            context=self._card.context,
            prompt=tuple(prompt),
            breakers=self._breakers(sampling.dry_sequence_breakers) if sampling.dry_multiplier else (),
        )

    def _iterate(self) -> Iterator[Output]:
        """One step of the generator. What it raises leaves its cache in no known state, and ends the engine."""
        events = self._generator.iterate()
        ends = {event.get("identifier"): event for event in events if event["stage"] == "streaming" and event["eos"]}
        for event in events:
            task = self._tasks.get(event.get("identifier", getattr(event["job"], "identifier", None)))
            if task is None:
                continue
            if event["stage"] == "error":
                is_memory = isinstance(event["error"], torch.OutOfMemoryError)
                yield Output(job_id=task.job.id, error=_NO_MEMORY if is_memory else _MODEL_FAILED)
            elif event["stage"] == "prefill" and not task.has_begun:
                yield task.progress(event)
        running = [task for task in self._tasks.values() if task.run is not None]
        for task, tokens, drawn in self._drawn(running):
            yield from task.outputs(tokens, drawn, self._tokenizer, ends.get(task.job.id))

    def _drawn(self, tasks: Sequence[GeneratorTask]) -> Iterator[tuple[GeneratorTask, Sequence[int], Sequence[Drawn]]]:
        """The new tokens of each job, with what its sampler noted of them: in one copy for all."""
        noted = [(task, list(task.sampler.pending())) for task in tasks if task.sampler is not None]
        rows = [row for _, pending in noted for row in pending]
        numbers = iter(torch.cat(rows).cpu().tolist() if rows else ())
        for task, pending in noted:
            own = [[next(numbers) for _ in range(row.numel())] for row in pending]
            tokens = task.new_tokens()
            if task.sampler is not None:
                yield task, tokens, task.sampler.take(tokens, own)
