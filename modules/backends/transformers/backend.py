"""Runs jobs on a Transformers model: schedule → forward → sample, all running jobs in each step."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

import torch

from modules.backends.hub.tokenizer import HubTokenizer
from modules.backends.kv.plan import Action, CacheTraits, Copy, KvSlot, Remove, Slice, StepPlan
from modules.backends.kv.prefill_budget import PrefillBudget
from modules.backends.kv.scheduler import Scheduler
from modules.backends.multimodal.cells import text_only
from modules.backends.sampling import logprobs
from modules.backends.sampling.breakers import breaker_sequences
from modules.backends.sampling.job_sampler import JobSampler
from modules.backends.sampling.logprobs import Row
from modules.backends.sampling.row_sampler import sampler_of_rows
from modules.backends.sampling.stages import SamplerFacts
from modules.backends.transformers.adapters import PeftAdapters
from modules.backends.transformers.options import MOST_READ
from modules.backends.transformers.pictures.cells import PictureCells, PromptPlaces
from modules.backends.transformers.runners import Piece, Runner
from modules.engine.constraints.compiler import Constraints
from modules.engine.constraints.matcher import Guide
from modules.engine.protocols import Output
from modules.engine.types import Finish, Job, ModelCard, PromptProgress, TokenLogprob
from modules.errors import BadRequest, ContextTooLong, EngineFailed

# Sequences beyond those of running jobs: for prefixes that are kept.
SPARE_SEQUENCES: Final = 16
_SCORING_ROWS: Final = 64
_BREAKERS_REMEMBERED: Final = 16


@dataclass(slots=True, eq=False)
class _Task:
    """A job with its place in the cache; the sampler is made for its first token, and looks back at `history`."""

    job: Job
    slot: KvSlot
    guide: Guide | None
    sampler: JobSampler | None = None
    history: list[int] = field(default_factory=list)
    places: PromptPlaces | None = None
    scored: list[TokenLogprob | None] = field(default_factory=list)


class TransformersBackend:
    """`cells` bounds the tokens whose keys and values are kept. `pictures` are read where the model can."""

    def __init__(
        self,
        runner: Runner,
        tokenizer: HubTokenizer,
        card: ModelCard,
        adapters: PeftAdapters,
        *,
        cells: int,
        pictures: PictureCells | None = None,
    ) -> None:
        self._runner = runner
        self._pictures = pictures
        self._adapters = adapters
        self._tokenizer = tokenizer
        self._card = card
        self._ends = tuple(sorted(tokenizer.end_ids))
        self._constraints = Constraints(tokenizer)
        self._breakers: Any = lru_cache(maxsize=_BREAKERS_REMEMBERED)(lambda texts: breaker_sequences(texts, tokenizer))
        self._budget = PrefillBudget(MOST_READ)
        traits = CacheTraits(
            cells=cells,
            parallel=card.parallel,
            sequences=card.parallel + SPARE_SEQUENCES,
            can_share=runner.can_share,
            copies=True,
        )
        self._scheduler = Scheduler(traits)
        self._tasks: dict[int, _Task] = {}

    @property
    def card(self) -> ModelCard:
        return self._card

    @property
    def tokenizer(self) -> HubTokenizer:
        return self._tokenizer

    @property
    def has_work(self) -> bool:
        return self._scheduler.has_work

    def is_prepared(self, job: Job) -> bool:
        is_known = self._pictures is None or self._pictures.knows(job.generation.prompt)
        return is_known and self._constraints.is_prepared(job.generation)

    def prepare(self, job: Job) -> Guide | None:
        if self._pictures is not None:
            self._pictures.runs_of(job.generation.prompt)
        return self._constraints.prepare(job.generation)

    def admit(self, job: Job, guide: Guide | None) -> None:
        self._check(job)
        prompt = job.generation.prompt
        scores = job.generation.prompt_logprobs is not None
        group = self._adapters.group_of(job.generation.adapters)
        slot = KvSlot(job.id, list(prompt.tokens), len(prompt.tokens), scores_prompt=scores, group=group)
        task = _Task(job, slot, guide)
        if self._pictures is not None and prompt.media:
            self._adapters.check_pictures(group)
            slot.runs = self._pictures.runs_of(prompt)
            task.places = self._pictures.places(prompt)
        self._tasks[job.id] = task
        self._scheduler.add(slot)

    def step(self) -> Iterable[Output]:
        if not self._scheduler.has_work:
            return ()
        self._apply(self._scheduler.place_waiting())
        self._scheduler.take_turn()
        if self._pictures is not None and (failed := self._look_ahead(self._pictures)):
            return failed
        plan = self._plan()
        self._apply(plan.actions)
        if not plan.slices:
            if self._pictures is not None:
                self._pictures.wait()
            return ()
        self._adapters.apply(self._scheduler.turn)
        started = time.perf_counter()
        try:
            rows = self._runner.run([self._piece(piece) for piece in plan.slices])
        except torch.OutOfMemoryError:
            return self._preempt()
        self._budget.learn(seconds=time.perf_counter() - started, decoded=plan.decoded, read=plan.read)
        self._scheduler.commit(plan)
        return self._all_outputs(plan, rows)

    def drop(self, job_id: int) -> None:
        task = self._tasks.pop(job_id, None)
        if task is None:
            return
        if task.sampler is not None:
            task.sampler.close()
        if self._pictures is not None:
            self._pictures.forget(job_id)
        self._apply(self._scheduler.finish(task.slot))

    def close(self) -> None:
        for job_id in tuple(self._tasks):
            self.drop(job_id)
        if self._pictures is not None:
            self._pictures.close()

    def _look_ahead(self, pictures: PictureCells) -> list[Output]:
        """Have pictures encoded that are needed next. Returns the errors of those that cannot be."""
        failed: list[Output] = []
        for job_id in self._scheduler.running:
            task = self._tasks[job_id]
            if task.slot.runs and (failure := pictures.look_ahead(task.slot, task.job.generation.prompt)):
                failed.append(Output(job_id=job_id, error=failure))
        return failed

    def _check(self, job: Job) -> None:
        generation = job.generation
        tokens, sampling = generation.prompt.tokens, generation.sampling
        if not tokens:
            raise BadRequest("The prompt is empty. Send at least one token.", param="prompt")
        if len(tokens) > self._card.context - (generation.max_tokens != 0):
            raise ContextTooLong(prompt_tokens=len(tokens), context=self._card.context, param="prompt")
        has_media = bool(generation.prompt.media)
        for param, ids in (
            ("prompt", text_only(tokens) if has_media else tokens),
            ("logit_bias", sampling.logit_bias),
            ("custom_token_bans", sampling.banned_tokens),
        ):
            for token in ids:
                self._tokenizer.check(token, param)

    def _plan(self) -> StepPlan:
        scheduler = self._scheduler
        budget = self._budget.slice_tokens(decoding=scheduler.decoding, prefilling=scheduler.prefilling)
        return scheduler.plan(budget, _SCORING_ROWS)

    def _apply(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Copy(source, target, length):
                    self._runner.copy(source, target, length)
                case Remove(sequence):
                    self._runner.remove(sequence)
                case _:
                    raise NotImplementedError(f"{action} of a cache without drafts and copies on the host")

    def _preempt(self) -> list[Output]:
        """The device has no memory left: others wait, or the job that is alone cannot be run."""
        actions = self._scheduler.preempt()
        if actions is None:
            return [
                Output(job_id=job_id, error="There is not enough memory for this request. Shorten it.")
                for job_id in self._scheduler.running
            ]
        self._apply(actions)
        return []

    def _all_outputs(self, plan: StepPlan, rows: Sequence[Row]) -> list[Output]:
        outputs: list[Output] = []
        at = 0
        for piece in plan.slices:
            count = _wanted_rows(piece)
            outputs += self._outputs(piece, [row[: self._tokenizer.size] for row in rows[at : at + count]])
            at += count
        return outputs

    def _outputs(self, piece: Slice, rows: Sequence[Row]) -> Iterator[Output]:
        task = self._tasks[piece.slot.job_id]
        if piece.slot.scores_prompt and piece.start < piece.slot.prompt_length:
            self._score(task, piece, rows)
        progress = _progress(piece)
        if piece.is_last:
            yield self._next_token(task, rows[-1], progress)
        elif progress is not None:
            yield Output(job_id=task.job.id, progress=progress)

    def _score(self, task: _Task, piece: Slice, rows: Sequence[Row]) -> None:
        """Row i holds what was predicted after token i, so it scores token i + 1."""
        wanted, tokens = task.job.generation.prompt_logprobs or 0, task.slot.tokens
        if piece.start == 0:
            task.scored = [None]
        for at in range(piece.start, min(piece.end, task.slot.prompt_length - 1)):
            scored = logprobs.from_logits(rows[at - piece.start], tokens[at + 1], wanted, self._tokenizer)
            task.scored.append(scored)

    def _next_token(self, task: _Task, row: Row, progress: PromptProgress | None) -> Output:
        generation, job_id = task.job.generation, task.job.id
        scored = tuple(task.scored) or None
        task.scored, task.slot.scores_prompt = [], False
        if generation.max_tokens == 0:
            return Output(job_id=job_id, prompt_logprobs=scored, progress=progress, finish=Finish.LENGTH)
        try:
            token, logprob = self._sample(task, row)
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
        task.slot.tokens.append(token)
        if task.slot.runs:
            task.history.append(token)
        piece = self._tokenizer.printed if generation.skip_special_tokens else self._tokenizer.shown
        return Output(
            job_id=job_id,
            token=token,
            data=piece(token),
            logprob=logprob,
            prompt_logprobs=scored,
            progress=progress,
            finish=Finish.STOP if task.sampler is not None and task.sampler.is_complete else None,
        )

    def _sample(self, task: _Task, row: Row) -> tuple[int, TokenLogprob | None]:
        sampler = task.sampler = task.sampler or self._sampler_of(task)
        return sampler.take(row, self._tokenizer)

    def _sampler_of(self, task: _Task) -> JobSampler:
        generation = task.job.generation
        sampling = generation.sampling
        has_media = bool(task.slot.runs)
        task.history = text_only(task.slot.tokens) if has_media else task.slot.tokens
        facts = SamplerFacts(
            vocabulary=self._tokenizer.size,
            context=self._card.context,
            prompt=tuple(task.history) if has_media else generation.prompt.tokens,
            breakers=self._breakers(sampling.dry_sequence_breakers) if sampling.dry_multiplier else (),
        )
        return sampler_of_rows(generation, task.history, facts, self._ends, task.guide)

    def _piece(self, piece: Slice) -> Piece:
        slot = piece.slot
        assert slot.sequence is not None
        places = self._tasks[slot.job_id].places
        read = Piece(
            slot.sequence,
            piece.start,
            slot.tokens[piece.start : piece.end],
            _wanted_rows(piece),
            places=None if places is None else places.between(piece.start, piece.end),
        )
        if piece.run is None or self._pictures is None:
            return read
        pictures = self._pictures
        return replace(read, cells=pictures.due(piece), ahead=pictures.ahead, cell_id=pictures.cell_id)


def _wanted_rows(piece: Slice) -> int:
    if piece.slot.scores_prompt and piece.start < piece.slot.prompt_length:
        return piece.end - piece.start
    return int(piece.is_last)


def _progress(piece: Slice) -> PromptProgress | None:
    slot = piece.slot
    if piece.start >= slot.prompt_length or slot.was_preempted:
        return None
    return PromptProgress(piece.end, slot.prompt_length, slot.cached, shared=slot.shared)
