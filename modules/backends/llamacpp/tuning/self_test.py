"""Measures at the first load of a model what is left on automatic.

That is flash attention, the micro-batch and the numbers of threads.

Each candidate is compared with the standing default in pairs, in alternating order, and has to win clearly: what a
disturbed measurement chooses is the default. All together takes about a second; a question that would take much longer,
because the model is large, is not asked.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final, TypeAlias

from modules.backends.llamacpp.options import LlamaCppOptions
from modules.backends.llamacpp.tuning.choices import Questions, TimedPair, TunedChoice, both, is_better, shown_ratio
from modules.backends.llamacpp.tuning.trial import Trial

ParamsOf: TypeAlias = Callable[[LlamaCppOptions], Any]
_Work: TypeAlias = Callable[[], float]

PAIRS: Final = 5
# What one question may take, by what the first tokens took.
QUESTION_SECONDS: Final = 3.0
_WARM_UP: Final = 16
# How many tokens come before those that are timed, because attention matters after some only, and how many are read at a time.
_SIZES: Final = ((256, 64), (128, 32), (64, 16))
_READ: Final = 64
_WRITTEN: Final = 6
# Models that were trained for fewer tokens are not measured.
CELLS: Final = 1024


class SelfTest:
    """`params_of` makes the parameters of a context; `threads` is the usual number."""

    def __init__(self, model: Any, options: LlamaCppOptions, params_of: ParamsOf, *, threads: int) -> None:
        self._model = model
        self._options = options
        self._params_of = params_of
        self._threads = threads
        self._reasons: list[str] = []
        self._skipped: list[str] = []
        self._read_seconds = 0.0
        self._write_seconds = 0.0

    def run(self, questions: Questions, report: Callable[[float], None]) -> TunedChoice:
        """A choice of defaults where there is no memory to measure in."""
        try:
            return self._run(questions, report)
        except MemoryError:
            return TunedChoice(reasons="defaults, because there is no memory for a self-test")

    def _run(self, questions: Questions, report: Callable[[float], None]) -> TunedChoice:
        with ExitStack() as opened:
            default = self._opened(opened, self._options)
            self._look(default)
            report(0.2)
            flash = self._flash(opened, default, is_asked=questions.flash)
            report(0.6)
            chosen = default
            if flash == "off":
                chosen = self._opened(opened, self._options.model_copy(update={"flash_attn": flash}))
            ubatch = self._ubatch(opened, chosen, questions.ubatches, flash)
            report(0.8)
            threads = self._fewer_threads(chosen, questions.threads)
            threads_batch = self._more_threads(chosen, questions.threads_batch)
        report(1.0)
        if self._skipped:
            self._reasons.append(
                f"not measured, which takes longer than {QUESTION_SECONDS:.0f} s: {', '.join(self._skipped)}"
            )
        reasons = "; ".join(self._reasons)
        return TunedChoice(flash, ubatch, threads, threads_batch, reasons, is_complete=not self._skipped)

    def _opened(self, opened: ExitStack, options: LlamaCppOptions) -> Trial:
        trial = Trial(self._model, self._params_of(options), CELLS)
        opened.callback(trial.close)
        return trial

    def _look(self, default: Trial) -> None:
        """How long things take here, after the weights were read once."""
        default.write(1)
        self._write_seconds = default.write(1)
        # For a large model on a slow processor even these few take seconds.
        count = max(4, min(_WARM_UP, int(0.5 / self._write_seconds)))
        self._read_seconds = default.read(count) / count

    def _flash(self, opened: ExitStack, default: Trial, *, is_asked: bool) -> str:
        before, read = self._affordable_sizes()
        work = self._flash_seconds(before, read)
        if not is_asked or not self._has_time("flash attention", work):
            return "auto"
        other = self._opened(opened, self._options.model_copy(update={"flash_attn": "off"}))
        for trial in (default, other):
            trial.clear()
            trial.read(before)
        reading = list(_pairs(lambda: default.read(read), lambda: other.read(read), PAIRS))
        writing = list(_pairs(lambda: default.write(_WRITTEN), lambda: other.write(_WRITTEN), PAIRS))
        is_off = is_better(both(reading, writing))
        self._reasons.append(
            f"flash attention {'off' if is_off else 'on'} (without it prefill takes {shown_ratio(reading)} and decode "
            f"{shown_ratio(writing)} of the time)"
        )
        return "off" if is_off else "auto"

    def _affordable_sizes(self) -> tuple[int, int]:
        return next((sizes for sizes in _SIZES if self._flash_seconds(*sizes) <= QUESTION_SECONDS / 2), _SIZES[-1])

    def _flash_seconds(self, before: int, read: int) -> float:
        return 2 * (before + PAIRS * read) * self._read_seconds + 2 * PAIRS * _WRITTEN * self._write_seconds

    def _ubatch(self, opened: ExitStack, default: Trial, sizes: tuple[int, ...], flash: str) -> int:
        best = 0
        for size in sizes:
            count = max(size, 2 * _READ)
            if not self._has_time(f"micro-batch {size}", 6 * count * self._read_seconds):
                continue
            found = {"flash_attn": flash, "ubatch_size": size}
            other = self._opened(opened, self._options.model_copy(update=found))
            pairs = list(_pairs(lambda: _from_start(default, count), lambda: _from_start(other, count), 3))  # noqa: B023 - used at once
            self._reasons.append(f"micro-batch {size}: {shown_ratio(pairs)} of the time")
            if is_better(pairs):
                best, default = size, other
        return best

    def _fewer_threads(self, trial: Trial, numbers: tuple[int, ...]) -> int:
        best = 0
        for number in numbers:
            if not self._has_time(f"{number} threads", 2 * PAIRS * _WRITTEN * self._write_seconds):
                continue
            usual = best or self._threads

            def with_threads(count: int) -> float:
                trial.set_threads(count, self._threads)
                return trial.write(_WRITTEN)

            trial.clear()
            pairs = list(_pairs(lambda: with_threads(usual), lambda: with_threads(number), PAIRS))  # noqa: B023 - used at once
            self._reasons.append(f"{number} threads: decode {shown_ratio(pairs)} of the time of {usual}")
            best = number if is_better(pairs) else best
        trial.set_threads(best or self._threads, self._threads)
        return best

    def _more_threads(self, trial: Trial, numbers: tuple[int, ...]) -> int:
        for number in numbers:
            if not self._has_time(f"{number} threads for prompts", 2 * PAIRS * _READ * self._read_seconds):
                continue

            def with_threads(count: int) -> float:
                trial.set_threads(self._threads, count)
                return _from_start(trial, _READ)

            pairs = list(_pairs(lambda: with_threads(self._threads), lambda: with_threads(number), PAIRS))  # noqa: B023 - used at once
            self._reasons.append(f"{number} threads for prompts: {shown_ratio(pairs)} of the time")
            if is_better(pairs):
                return number
        return 0

    def _has_time(self, what: str, seconds: float) -> bool:
        if seconds <= QUESTION_SECONDS:
            return True
        self._skipped.append(what)
        return False


def _from_start(trial: Trial, count: int) -> float:
    trial.clear()
    return trial.read(count)


def _pairs(default: _Work, candidate: _Work, count: int) -> Iterator[TimedPair]:
    """In alternating order, so that what slows the machine down does not hit one of the two more than the other."""
    for number in range(count):
        if number % 2:
            later = candidate()
            yield TimedPair(default(), later)
        else:
            first = default()
            yield TimedPair(first, candidate())
