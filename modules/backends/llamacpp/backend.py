"""Runs jobs on a llama.cpp context: schedule → decode → sample, one batch per step."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from llama_cpp import llama_cpp as c
from msgspec.structs import replace

from modules.backends.kv.host_cache import HostCache
from modules.backends.kv.plan import (
    MAX_FORCED,
    Action,
    CacheTraits,
    Copy,
    KvSlot,
    Offload,
    Remove,
    Restore,
    Slice,
    StepPlan,
    Truncate,
)
from modules.backends.kv.prefill_budget import PrefillBudget
from modules.backends.kv.scheduler import Scheduler
from modules.backends.llamacpp.adapters import LlamaAdapters
from modules.backends.llamacpp.disk.kept_states import KeptStates
from modules.backends.llamacpp.layout import ContextLayout
from modules.backends.llamacpp.library import Batch, HostBuffer, Interruption
from modules.backends.llamacpp.media.reader import MediaReader
from modules.backends.llamacpp.memory.cell_reuse import CellReuse
from modules.backends.llamacpp.options import SCORING_ROWS
from modules.backends.llamacpp.sampling.drawing import TokenDrawing
from modules.backends.llamacpp.sampling.native_stages import SamplerVocabulary
from modules.backends.llamacpp.speculation.planner import DraftPlanner, Seat
from modules.backends.llamacpp.tasks import ABORTED, LlamaTask, check_job, is_done
from modules.backends.llamacpp.tokenizer import LlamaMediaTokenizer, LlamaTokenizer
from modules.engine.constraints.compiler import Constraints
from modules.engine.constraints.matcher import Guide
from modules.engine.protocols import Drafter, Output
from modules.engine.types import Job, ModelCard, PromptProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Companions:
    """What a model has beside itself: `planner` has tokens drafted, `media` reads pictures, `adapters` are applied,
    `kept` is the disk cache."""

    planner: DraftPlanner | None = None
    media: MediaReader | None = None
    adapters: LlamaAdapters | None = None
    kept: KeptStates | None = None


ALONE: Final = Companions()


class LlamaBackend:
    """Owns `model`, `context` and `companions`, and frees them. `log` is what the library calls to log, and has to live as long."""

    def __init__(
        self,
        model: Any,
        context: Any,
        layout: ContextLayout,
        card: ModelCard,
        log: object,
        *,
        companions: Companions = ALONE,
    ) -> None:
        self._log = log
        self._media = media = companions.media
        self._planner = companions.planner
        self._adapters = companions.adapters
        self._kept = companions.kept
        self._is_cramped = False
        self._forces = min(layout.draft_rows, MAX_FORCED)
        self._model = model
        self._context = context
        self._cells = c.llama_get_memory(context)
        self._card = card
        vocabulary = c.llama_model_get_vocab(model)
        self._tokenizer = LlamaTokenizer(vocabulary) if media is None else LlamaMediaTokenizer(vocabulary, media)
        ends = tuple(sorted(self._tokenizer.end_ids))
        sampled = SamplerVocabulary(vocabulary, self._tokenizer.size, ends, layout.context)
        self._drawing = TokenDrawing(context, self._tokenizer, sampled)
        self._constraints = Constraints(self._tokenizer)
        capacity = int(c.llama_n_batch(context))
        self._batch = Batch(capacity)
        self._window = layout.window
        # Beside prompts nothing is drafted.
        limit = max(1, capacity - layout.parallel - self._forces)
        self._budget = PrefillBudget(limit, unit=layout.read_unit, stoppable=layout.stoppable)
        self._interruption: Interruption | None = None
        self._host_buffer = HostBuffer(context, layout.host_cache_bytes)
        traits = CacheTraits(
            cells=int(c.llama_n_ctx(context)),
            parallel=layout.parallel,
            sequences=layout.sequences,
            can_share=layout.can_share,
            keeps_idle=layout.keeps_idle,
        )
        host_cache = HostCache(layout.host_cache_bytes, self._host_buffer.measure, whole=not layout.can_share)
        still_holds = self._still_holds if layout.window else None
        self._scheduler = Scheduler(traits, host_cache=host_cache, still_holds=still_holds)
        reused = layout.cache_reuse
        self._reuse = CellReuse(context, host_cache, self._host_buffer, spare=layout.sequences, least=reused)
        self._tasks: dict[int, LlamaTask] = {}

    @property
    def card(self) -> ModelCard:
        return self._card

    @property
    def tokenizer(self) -> LlamaTokenizer:
        return self._tokenizer

    @property
    def has_work(self) -> bool:
        is_keeping = self._kept is not None and self._kept.has_work
        return self._scheduler.has_work or self._scheduler.has_deferred or is_keeping

    def interrupt_when(self, is_wanted: Callable[[], bool]) -> None:
        if self._budget.can_stop:
            self._interruption = Interruption(self._context, is_wanted)

    def is_prepared(self, job: Job) -> bool:
        prompt = job.generation.prompt
        is_known = self._media is None or self._media.knows(prompt)
        return is_known and self._constraints.is_prepared(job.generation)

    def prepare(self, job: Job) -> Guide | None:
        if self._media is not None:
            self._media.runs_of(job.generation.prompt)
        return self._constraints.prepare(job.generation)

    def admit(self, job: Job, guide: Guide | None) -> None:
        check_job(job, self._card, self._tokenizer)
        prompt = job.generation.prompt
        scores = job.generation.prompt_logprobs is not None
        group = self._adapters.group_of(job.generation.adapters) if self._adapters is not None else ()
        slot = KvSlot(job.id, list(prompt.tokens), len(prompt.tokens), scores_prompt=scores, group=group)
        if self._media is not None and prompt.media:
            slot.runs = self._media.runs_of(prompt)
        self._tasks[job.id] = LlamaTask(job, slot, guide)
        self._scheduler.add(slot)
        if self._planner is not None:
            self._planner.begin(job.id, job.generation.prediction, self._tokenizer.end_ids)
        if self._kept is not None:
            self._kept.look_up(slot, self._scheduler)

    def step(self) -> Iterable[Output]:
        if not self._scheduler.has_work:
            self._save()
            return ()
        self._place()
        self._scheduler.take_turn()
        if self._planner is not None:
            self._draft(self._planner)
        if self._media is not None and (failed := self._look_ahead(self._media)):
            return failed
        plan = self._plan()
        self._apply(plan.actions)
        if self._adapters is not None:
            self._adapters.apply(self._scheduler.turn)
        if self._media is not None and (media := plan.media) is not None:
            return self._step_with_media(self._media, plan, media)
        if plan.slices:
            return self._step_with(plan)
        self._wait()
        return ()

    def _place(self) -> None:
        if self._kept is not None:
            self._kept.collect()
        self._apply(self._scheduler.place_waiting())
        if self._kept is not None:
            self._kept.put_back(self._scheduler, self._apply)
        self._reuse.move([self._tasks[job_id].slot for job_id in self._scheduler.running], self._scheduler, self._apply)

    def _wait(self) -> None:
        """For what is read or encoded on other threads."""
        if self._media is not None:
            self._media.wait()
        if self._kept is not None:
            self._kept.wait()

    def _step_with(self, plan: StepPlan) -> list[Output]:
        self._batch.clear()
        rows = [self._batch.add_slice(piece) for piece in plan.slices]
        started = time.perf_counter()
        if (result := self._decode(plan)) == ABORTED:
            return self._give_up(plan)
        if not is_done(result):
            return self._preempt(plan)
        seconds = time.perf_counter() - started
        is_usual = not (plan.has_drafts or plan.has_forced)
        if plan.read or is_usual:
            self._budget.learn(seconds=seconds, decoded=plan.decoded, read=plan.read)
        if self._planner is not None and plan.read:
            self._planner.learn_long(self._budget.seconds(1))
        elif self._planner is not None and not plan.has_forced:
            self._planner.learn(width=plan.width, seconds=seconds)
        if self._kept is not None:
            self._kept.learn(seconds=seconds, read=plan.read, decoded=plan.decoded)
            self._kept.keep_prompts(plan)
        self._scheduler.commit(plan)
        outputs = [output for piece, row in zip(plan.slices, rows, strict=True) for output in self._outputs(piece, row)]
        self._apply(self._scheduler.checkpoints(plan))
        return outputs

    def _step_with_media(self, media: MediaReader, plan: StepPlan, piece: Slice) -> list[Output]:
        """The picture after the text: what is sampled of the text has to be read before the next computation."""
        text = [each for each in plan.slices if each is not piece]
        outputs = self._step_with(StepPlan(slices=text)) if text else []
        alone = StepPlan(slices=[piece])
        if piece.slot.sequence is None:
            return outputs  # it had to make room for the text
        started = time.perf_counter()
        if not is_done(media.decode(piece, self._tasks[piece.slot.job_id].job.generation.prompt)):
            return [*outputs, *self._preempt(alone)]
        self._budget.learn(seconds=time.perf_counter() - started, decoded=0, read=alone.read)
        self._scheduler.commit(alone)
        return [*outputs, *self._outputs(piece, piece.end - piece.start - 1)]

    def _look_ahead(self, media: MediaReader) -> list[Output]:
        """Have pictures and sounds encoded that are needed next. Returns the errors of those that cannot be."""
        failed: list[Output] = []
        for job_id in self._scheduler.running:
            task = self._tasks[job_id]
            if task.slot.runs and (failure := media.look_ahead(task.slot, task.job.generation.prompt)):
                failed.append(Output(job_id=job_id, error=failure))
        return failed

    def _save(self) -> None:
        """What is to outlive its cells, while nothing else is to be done."""
        if self._scheduler.has_deferred:
            self._apply(self._scheduler.offload_deferred())
        if self._kept is not None:
            self._kept.take_next()

    def drop(self, job_id: int) -> None:
        task = self._tasks.pop(job_id, None)
        if task is None:
            return
        if task.sampler is not None:
            task.sampler.close()
        self._reuse.forget(job_id)
        if self._planner is not None:
            self._planner.forget(job_id)
        if self._media is not None:
            self._media.forget(job_id)
        if self._kept is not None:
            self._kept.remember(task.slot)
        self._apply(self._scheduler.finish(task.slot))

    def close(self) -> None:
        for job_id in tuple(self._tasks):
            self.drop(job_id)
        if self._kept is not None:
            self._kept.close()
        self._batch.free()
        if self._planner is not None:
            self._planner.close()
        if self._media is not None:
            self._media.close()
        c.llama_free(self._context)
        c.llama_model_free(self._model)

    def _draft(self, planner: DraftPlanner) -> None:
        seats = [self._seat(slot) for slot in self._scheduler.decoding_slots]
        self._is_cramped = False
        planner.draft(seats)

    def _seat(self, slot: KvSlot) -> Seat:
        sampler = self._tasks[slot.job_id].sampler
        # Beside a prompt each drafted token costs as much as one of the prompt, which would have to wait for it.
        is_plain = self._is_cramped or self._scheduler.prefilling > 0
        bound = 0 if is_plain else self._draft_bound(slot)
        if sampler is None or not sampler.is_guided:
            return Seat(slot, bound, has_media=bool(slot.runs))
        # Forced tokens that are left are sampled like all others: their log probabilities are wanted.
        return Seat(slot, bound, tuple(sampler.forced()), sampler.count_allowed, has_media=bool(slot.runs))

    def _draft_bound(self, slot: KvSlot) -> int:
        """Every step yields one token beyond what is drafted or forced."""
        room = self._card.context - len(slot.tokens)
        wanted = self._tasks[slot.job_id].job.generation.max_tokens
        said = len(slot.tokens) - slot.prompt_length
        return (room if wanted is None else min(room, wanted - said)) - 1

    def _plan(self) -> StepPlan:
        scheduler = self._scheduler
        budget = self._budget.slice_tokens(decoding=scheduler.decoding, prefilling=scheduler.prefilling)
        return scheduler.plan(budget, SCORING_ROWS)

    def _apply(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if self._kept is not None:
                self._kept.before(action)
            match action:
                case Copy(source, target, length):
                    c.llama_memory_seq_cp(self._cells, source, target, 0, length)
                case Remove(sequence):
                    c.llama_memory_seq_rm(self._cells, sequence, -1, -1)
                case Truncate(sequence, length):
                    c.llama_memory_seq_rm(self._cells, sequence, length, -1)
                case Offload(sequence, entry):
                    self._host_buffer.write(sequence, entry)
                case Restore(entry, target, length):
                    self._host_buffer.read(entry, target)
                    c.llama_memory_seq_rm(self._cells, target, length, -1)

    def _still_holds(self, sequence: int, length: int) -> bool:
        """True when the window that ends with the token after the first `length` of `sequence` is all there."""
        oldest = int(c.llama_memory_seq_pos_min(self._cells, sequence))
        return oldest <= max(0, length + 1 - self._window)

    def _decode(self, plan: StepPlan) -> int:
        """What only reads prompts may be given up for jobs that come meanwhile: nobody has seen anything of it."""
        if self._interruption is None or plan.decoded or not self._budget.can_stop:
            return self._batch.decode(self._context)
        return self._interruption.decode(self._batch, self._budget.seconds(plan.read))

    def _give_up(self, plan: StepPlan) -> list[Output]:
        self._budget.give_up()
        places = [(piece.slot.sequence, piece.slot.position(piece.start)) for piece in plan.slices]
        self._apply(Truncate(sequence, length) for sequence, length in places if sequence is not None)
        return []

    def _preempt(self, plan: StepPlan) -> list[Output]:
        if plan.has_drafts:
            self._is_cramped = True
            return []
        actions = self._scheduler.preempt()
        if actions is None:
            return [
                Output(job_id=job_id, error="The request does not fit the model's cache.")
                for job_id in self._scheduler.running
            ]
        self._apply(actions)
        return []

    def _outputs(self, piece: Slice, row: int) -> Iterator[Output]:
        task = self._tasks[piece.slot.job_id]
        if piece.slot.scores_prompt and piece.start < piece.slot.prompt_length:
            self._drawing.score(task, piece, row)
            row += piece.end - piece.start - 1
        progress = self._progress(piece)
        if piece.is_last:
            yield from self._next_tokens(task, piece, row, progress)
        elif progress is not None:
            yield Output(job_id=task.job.id, progress=progress)

    def _progress(self, piece: Slice) -> PromptProgress | None:
        slot = piece.slot
        if piece.start >= slot.prompt_length or slot.was_preempted:
            return None
        where = {"from_disk": slot.from_disk, "shared": slot.shared, "moved": slot.moved}
        return PromptProgress(piece.end, slot.prompt_length, slot.cached, **where)

    def _next_tokens(
        self, task: LlamaTask, piece: Slice, row: int, progress: PromptProgress | None
    ) -> Iterator[Output]:
        """Sampled as if there were no draft, for as long as what is sampled is what was drafted: `row` and those after it
        are what the model says to each of its tokens."""
        drafters = () if self._planner is None else self._planner.drafters(task.job.id)
        output, accepted = self._drawing.next_token(task, row, progress), 0
        for token in piece.draft:
            if output.token != token or output.finish is not None:
                break
            yield replace(output, drafted_by=drafters[accepted])
            accepted += 1
            output = self._drawing.next_token(task, row + accepted, None)
        is_right = accepted < len(piece.draft) and output.token == piece.draft[accepted]
        if piece.draft:
            rejected = drafters[accepted + is_right :]
            output = replace(
                output,
                drafted_by=drafters[accepted] if is_right else None,
                rejected=len(rejected),
                mispredicted=rejected.count(Drafter.PREDICTION),
            )
            self._apply(self._scheduler.settle(piece, accepted))
        if self._planner is not None:
            self._planner.settle(piece, accepted + is_right)
        yield output
        if self._forces and output.token is not None and output.finish is None:
            yield from self._forced(task)

    def _forced(self, task: LlamaTask) -> Iterator[Output]:
        """What the constraint leaves no choice about is said at once, and computed in the step of the next token."""
        slot = task.slot
        if task.sampler is None or not task.sampler.is_guided or task.job.generation.logprobs is not None:
            return
        room = self._forces - sum(other.pending - 1 for other in self._scheduler.decoding_slots)
        yield from self._drawing.forced(task, min(room, MAX_FORCED, self._draft_bound(slot)))
