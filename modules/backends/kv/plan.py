"""The scheduler's input and output: jobs' slots, cells to copy or free, tokens to compute. Values."""

from dataclasses import dataclass, field
from typing import Final

from modules.backends.adapters import AdapterGroup
from modules.backends.kv.host_cache import Entry
from modules.backends.kv.moves import CellMove
from modules.backends.kv.prefix_cache import Match, common_length

# Tokens of a reply that are known before they are computed, at most.
MAX_FORCED: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRun:
    """The tokens `start` to `end` of a prompt stand for a part of a picture or a sound, the `part`-th of the one with
    `digest`. They take `positions` in the sequence, which may be fewer than they are. With `is_whole` they are computed
    in one step.
    """

    start: int
    end: int
    positions: int
    digest: bytes
    part: int
    is_whole: bool = False


@dataclass(slots=True, eq=False)
class KvSlot:
    """A job's place in the cache. `tokens` is the prompt and the reply so far; `computed` of them are in cells.

    `cached` is how many of the prompt were found there, `shared` of these those of a running job. With `scores_prompt` every prompt token needs its logits.
    `common` remembers how many leading tokens it shares with other jobs, by their ids. `draft` are tokens that may come
    next, for one step. `runs` are its pictures and sounds, in order; with `is_waiting` the next one is not ready to be
    computed. While `is_fetching` it is not placed: its beginning is being read from disk, which `from_disk` of its prompt
    came from in the end. `moves` are runs of cells of others that are to be moved to the job, `moved` tokens of which were.
    Only jobs of one `group` can share cells, or a batch: those that the same adapters are applied to.
    """

    job_id: int
    tokens: list[int]
    prompt_length: int
    scores_prompt: bool = False
    sequence: int | None = None
    computed: int = 0
    cached: int = 0
    shared: int = 0
    was_preempted: bool = False
    common: dict[int, int] = field(default_factory=dict)
    draft: tuple[int, ...] = ()
    runs: tuple[MediaRun, ...] = ()
    is_waiting: bool = False
    group: AdapterGroup = ()
    is_fetching: bool = False
    from_disk: int = 0
    moves: tuple[CellMove, ...] = ()
    moved: int = 0

    @property
    def next_run(self) -> MediaRun | None:
        """The first that is not computed to its end."""
        return next((run for run in self.runs if run.end > self.computed), None)

    @property
    def is_at_run(self) -> bool:
        """Whether the next token to be computed belongs to a picture or a sound."""
        run = self.next_run if self.runs else None
        return run is not None and run.start <= self.computed

    def position(self, length: int) -> int:
        """Where in the sequence the first `length` tokens end; within a run, as if each token of it took one."""
        saved = (run.end - run.start - run.positions for run in self.runs if run.end <= length)
        return length - sum(saved)

    def cut(self, length: int) -> int:
        """`length` without a run that it would cut."""
        return next((run.start for run in self.runs if run.start < length < run.end), length)

    def cut_match(self, match: Match) -> Match:
        """A picture is taken over whole or not at all."""
        length = self.cut(match.length)
        return match if length == match.length else Match(length, match.sequence if length else None)

    def has_run(self, start: int, end: int) -> bool:
        """Whether a picture or a sound, or a part of one, stands between the tokens `start` and `end`."""
        return any(run.start < end and run.end > start for run in self.runs)

    def reach(self, budget: int) -> int:
        """Up to where one step with `budget` tokens can compute: a step has either text or a part of one run."""
        if not self.runs or (run := self.next_run) is None:
            end = self.moves[0].target if self.moves else len(self.tokens)
            return min(self.computed + budget, end)
        if run.start > self.computed:
            return min(self.computed + budget, run.start)
        return run.end if run.is_whole else min(self.computed + budget, run.end)

    def common_with(self, other: "KvSlot") -> int:
        """Leading tokens that `other` has too, all but the last of this one: that is always computed again."""
        known = self.common.get(other.job_id)
        if known is None:
            known = self.common[other.job_id] = min(common_length(other.tokens, self.tokens), len(self.tokens) - 1)
        return known

    def take_over(self, end: int, *, is_moved: bool = False) -> None:
        """What stands before `end` was read from disk, or moved there."""
        count = 0 if self.was_preempted else end - self.computed
        self.from_disk += 0 if is_moved else count
        self.moved += count if is_moved else 0
        self.cached += count
        self.computed = end

    @property
    def pending(self) -> int:
        return len(self.tokens) - self.computed

    @property
    def is_decoding(self) -> bool:
        """True when only the last reply tokens are missing from the cache: one, and those that were forced after it."""
        return 0 < self.pending <= 1 + MAX_FORCED and self.computed >= self.prompt_length


@dataclass(frozen=True, slots=True)
class Slice:
    """`slot.tokens[start:end]` go into the batch, and `draft` after them."""

    slot: KvSlot
    start: int
    end: int
    draft: tuple[int, ...] = ()

    @property
    def run(self) -> MediaRun | None:
        """What these tokens are a part of, if it is a picture or a sound."""
        return next((run for run in self.slot.runs if run.start <= self.start < run.end), None)

    @property
    def is_last(self) -> bool:
        return self.end == len(self.slot.tokens)

    @property
    def width(self) -> int:
        return self.end - self.start + len(self.draft)


@dataclass(frozen=True, slots=True)
class Copy:
    """The cells of the first `length` positions of `source` now also belong to `target`."""

    source: int
    target: int
    length: int


@dataclass(frozen=True, slots=True)
class Remove:
    """`sequence` gives up all its cells."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Truncate:
    """`sequence` keeps the cells of its first `length` positions."""

    sequence: int
    length: int


@dataclass(frozen=True, slots=True)
class Offload:
    """Write the state of `sequence` to `entry`."""

    sequence: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Restore:
    """The first `length` positions of `entry` are put into cells of `target`, which has none."""

    entry: Entry
    target: int
    length: int


Action = Copy | Remove | Truncate | Offload | Restore


@dataclass(slots=True)
class StepPlan:
    """What to tell the cache, in order, and then what to compute."""

    actions: list[Action] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)

    @property
    def read(self) -> int:
        """Prompt tokens in this plan."""
        return sum(piece.end - piece.start for piece in self.slices if not piece.slot.is_decoding)

    @property
    def read_prompts(self) -> list[int]:
        """The sequences of prompts of which this is the end."""
        ending = (piece.slot.sequence for piece in self.slices if piece.end == piece.slot.prompt_length)
        return [sequence for sequence in ending if sequence is not None]

    @property
    def width(self) -> int:
        return sum(piece.width for piece in self.slices)

    @property
    def has_forced(self) -> bool:
        """Whether a reply's tokens are computed of which nothing is sampled."""
        return any(piece.end - piece.start > 1 for piece in self.slices)

    @property
    def has_drafts(self) -> bool:
        return any(piece.draft for piece in self.slices)

    @property
    def media(self) -> Slice | None:
        """The part of a picture or a sound that is to be computed, after everything else."""
        return next((piece for piece in self.slices if piece.run is not None), None)

    @property
    def decoded(self) -> int:
        return sum(piece.slot.is_decoding for piece in self.slices)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheTraits:
    """`cells` bounds what all jobs hold together, `parallel` how many run, `sequences` how many the cache can name.

    There must be more sequences than running jobs. `can_share` False (recurrent and hybrid models) means that only
    whole sequences can be taken over. `keeps_idle` False clears finished ones out whenever a job begins. With `copies`
    no cell belongs to several sequences: what another one holds is copied, and takes room once more.
    """

    cells: int
    parallel: int
    sequences: int
    can_share: bool = True
    keeps_idle: bool = True
    copies: bool = False
