"""What a self-test can choose, and what its measurements say. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import msgspec

from modules.backends.llamacpp.options import LlamaCppOptions, usual_ubatch

# A candidate has to be faster by this share, or the standing default stays: measurements differ by less from run to run.
MARGIN: Final = 0.05
# How often a question is asked again that there was no time for: at the first load the machine may have been busy.
MOST_TRIES: Final = 3
# Fewer pairs prove nothing.
LEAST_PAIRS: Final = 3
_SMALL_UBATCH: Final = 64
_LARGE_UBATCH: Final = 256
# With fewer threads than these there is nothing to gain by leaving some out.
_MANY_THREADS: Final = 4


class TunedChoice(msgspec.Struct, frozen=True):
    """What was chosen for a model on a machine; 0 and auto stand for the default. `reasons` says why, in words.
    It is not complete where there was no time for a question, and then measured again at up to `MOST_TRIES` loads."""

    flash_attn: str = "auto"
    ubatch_size: int = 0
    threads: int = 0
    threads_batch: int = 0
    reasons: str = ""
    tries: int = 1
    is_complete: bool = True

    @property
    def is_settled(self) -> bool:
        return self.is_complete or self.tries >= MOST_TRIES

    def applied(self, options: LlamaCppOptions) -> LlamaCppOptions:
        """What was stated stays."""
        found = {
            "flash_attn": self.flash_attn if options.flash_attn == "auto" else options.flash_attn,
            "ubatch_size": options.ubatch_size or self.ubatch_size,
            "threads": options.threads or self.threads,
            "threads_batch": options.threads_batch or (0 if options.threads else self.threads_batch),
        }
        return options.model_copy(update=found)


@dataclass(frozen=True, slots=True)
class TimedPair:
    """Seconds that the same work took with the default and with a candidate, right after each other."""

    default: float
    candidate: float

    @property
    def ratio(self) -> float:
        return self.candidate / self.default


@dataclass(frozen=True, slots=True)
class Questions:
    """What is left to be measured, with the candidates for each."""

    flash: bool
    ubatches: tuple[int, ...]
    threads: tuple[int, ...]
    threads_batch: tuple[int, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.flash or self.ubatches or self.threads or self.threads_batch)


def questions_for(options: LlamaCppOptions, *, uses_gpu: bool, cores: int, logical_cores: int) -> Questions:
    """What was stated is not asked. `cores` is the usual number of threads."""
    is_free = options.flash_attn == "auto" and options.cache_type in {"fp16", "bf16", "fp32"}
    ubatches = () if options.ubatch_size else _other_ubatches(uses_gpu=uses_gpu)
    some = (cores * 3 // 4, cores // 2) if cores >= _MANY_THREADS and not options.threads else ()
    most = (logical_cores,) if logical_cores > cores and not (options.threads or options.threads_batch) else ()
    return Questions(is_free and options.split_mode != "tensor", ubatches, some, most)


def _other_ubatches(*, uses_gpu: bool) -> tuple[int, ...]:
    """On cards no larger ones: the model was made to fit with the usual one."""
    usual = usual_ubatch(uses_gpu=uses_gpu)
    return tuple(size for size in (_SMALL_UBATCH, _LARGE_UBATCH) if size < usual or (size != usual and not uses_gpu))


def is_better(pairs: Sequence[TimedPair]) -> bool:
    """Whether the candidate is faster beyond doubt: in the median by the margin, and in all pairs but one."""
    if len(pairs) < LEAST_PAIRS:
        return False
    won = sum(pair.ratio < 1 for pair in pairs)
    return median(pair.ratio for pair in pairs) <= 1 - MARGIN and won >= len(pairs) - 1


def both(reading: Sequence[TimedPair], writing: Sequence[TimedPair]) -> list[TimedPair]:
    """Prefill and decode in one figure, which each of them moves by the same share."""
    return [TimedPair(1.0, (one.ratio * other.ratio) ** 0.5) for one, other in zip(reading, writing, strict=False)]


def shown_ratio(pairs: Sequence[TimedPair]) -> str:
    return f"{median(pair.ratio for pair in pairs):.2f}" if pairs else "not measured"
