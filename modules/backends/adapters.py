"""Which LoRA adapters a job is computed with, as a value by which jobs are grouped."""

from collections.abc import Sequence
from typing import TypeAlias

from modules.engine.types import Adapter

# Paths and scales, in order: equal for jobs that may share a batch.
AdapterGroup: TypeAlias = tuple[tuple[str, float], ...]


def adapter_group(adapters: Sequence[Adapter]) -> AdapterGroup:
    """One that is named several times has the sum of its scales; one whose scale is 0 does nothing."""
    scales: dict[str, float] = {}
    for adapter in adapters:
        scales[adapter.path] = scales.get(adapter.path, 0.0) + adapter.scale
    return tuple(sorted((path, scale) for path, scale in scales.items() if scale))
