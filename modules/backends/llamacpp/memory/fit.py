"""Chooses what an operator left on automatic, so that a model fits into the memory that is free.

Pure: memory sizes in, options out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from modules.backends.llamacpp.memory.estimate import Estimate, estimate_shape
from modules.backends.llamacpp.memory.shape import ModelShape
from modules.backends.llamacpp.options import DEFAULT_CONTEXT, LlamaCppOptions
from modules.engine.types import LoadSpec

# A context is shortened in such steps, and to no less than this unless nothing else helps.
_STEP: Final = 1024
_LEAST_CONTEXT: Final = 2048


@dataclass(frozen=True, slots=True)
class Fit:
    """`context` tokens, and the options that were on automatic. `is_whole` says that nothing had to be given up,
    `fits` that the model then fits as far as can be told."""

    context: int
    gpu_layers: int
    n_cpu_moe: int
    idle_cells: int
    is_whole: bool
    fits: bool

    @property
    def options(self) -> Mapping[str, int]:
        return {"gpu_layers": self.gpu_layers, "n_cpu_moe": self.n_cpu_moe, "idle_cells": self.idle_cells}


def fit(shape: ModelShape, spec: LoadSpec, options: LlamaCppOptions, *, host: int, gpus: Sequence[int]) -> Fit:
    """`host` and `gpus` are free bytes. Given up one after the other, and no more of each than is needed: length of
    the context, experts on the cards, layers on the cards, the prefix cache in main memory, and more of the context.
    What the options state stays as it is."""
    return _Fitting(shape, spec, options, host, gpus).found()


class _Fitting:
    def __init__(
        self, shape: ModelShape, spec: LoadSpec, options: LlamaCppOptions, host: int, gpus: Sequence[int]
    ) -> None:
        self._shape = shape
        self._spec = spec
        self._options = options
        self._host = host
        self._gpus = tuple(max(0, free - options.fit_target * 2**20) for free in gpus)
        self._trained = shape.trained_context or DEFAULT_CONTEXT
        self._most_layers = len(shape.layers) + 1
        self._has_cards = any(self._gpus) and options.gpu_layers != 0

    def found(self) -> Fit:
        context = self._spec.context or self._trained
        whole = Fit(
            context=context,
            gpu_layers=self._options.gpu_layers,
            n_cpu_moe=max(0, self._options.n_cpu_moe),
            idle_cells=self._options.idle_cells,
            is_whole=True,
            fits=True,
        )
        if self._fits(whole):
            return whole
        now = replace(whole, is_whole=False)
        for reduced in (
            self._shorter,
            self._without_experts,
            self._with_fewer_layers,
            self._without_idle,
            self._shortest,
        ):
            now = reduced(now)
            if self._fits(now):
                return now
        return replace(whole, fits=False)

    def _fits(self, tried: Fit) -> bool:
        needed = self._needed(tried)
        return needed.host <= self._host and self._is_on_cards(needed)

    def _fits_cards(self, tried: Fit) -> bool:
        return self._is_on_cards(self._needed(tried))

    def _is_on_cards(self, needed: Estimate) -> bool:
        """True where it is not known what is free on them."""
        return not any(self._gpus) or all(take <= free for take, free in zip(needed.gpus, self._gpus, strict=True))

    def _needed(self, tried: Fit) -> Estimate:
        spec = replace(self._spec, context=tried.context)
        options = self._options.model_copy(update=dict(tried.options))
        return estimate_shape(self._shape, spec, options, self._gpus)

    def _shorter(self, now: Fit) -> Fit:
        return self._with_context(now, min(self._trained, DEFAULT_CONTEXT))

    def _shortest(self, now: Fit) -> Fit:
        return self._with_context(now, min(self._trained, _LEAST_CONTEXT))

    def _with_context(self, now: Fit, least: int) -> Fit:
        if self._spec.context:
            return now
        steps = max(0, (now.context - least) // _STEP)
        step = _first(lambda step: self._fits(replace(now, context=now.context - step * _STEP)), steps)
        return replace(now, context=max(least, now.context - step * _STEP) if step < steps else least)

    def _without_experts(self, now: Fit) -> Fit:
        if not (self._has_cards and self._shape.has_experts and self._options.n_cpu_moe < 0):
            return now
        layers = len(self._shape.layers)
        return replace(now, n_cpu_moe=_first(lambda count: self._fits_cards(replace(now, n_cpu_moe=count)), layers))

    def _with_fewer_layers(self, now: Fit) -> Fit:
        if not (self._has_cards and self._options.gpu_layers < 0):
            return now
        most = self._most_layers
        left_out = _first(lambda count: self._fits_cards(replace(now, gpu_layers=most - count)), most)
        return replace(now, gpu_layers=most - left_out)

    def _without_idle(self, now: Fit) -> Fit:
        return replace(now, idle_cells=0) if self._options.idle_cells < 0 else now


def _first(holds: Callable[[int], bool], most: int) -> int:
    """The smallest number up to `most` for which something holds that holds for all larger ones too; `most` if none."""
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def described(found: Fit, *, layers: int) -> str:
    """What was chosen, in words, empty where nothing had to be."""
    if found.is_whole:
        return ""
    parts = [f"{found.context} tokens of context"]
    if found.gpu_layers >= 0:
        parts.append(f"{min(found.gpu_layers, layers)} of {layers} layers on the GPU")
    if found.n_cpu_moe:
        parts.append(f"the experts of {found.n_cpu_moe} layers on the CPU")
    if not found.idle_cells:
        parts.append("no prefix cache in main memory")
    return ", ".join(parts)
