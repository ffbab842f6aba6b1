"""Which LoRA adapters a job is computed with: a value by which jobs are grouped, and what applies it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeAlias

from modules.engine.types import Adapter
from modules.errors import BadRequest, LoadFailed

# Paths and scales, in order: equal for jobs that may share a batch.
AdapterGroup: TypeAlias = tuple[tuple[str, float], ...]


def adapter_group(adapters: Sequence[Adapter]) -> AdapterGroup:
    """One that is named several times has the sum of its scales; one whose scale is 0 does nothing."""
    scales: dict[str, float] = {}
    for adapter in adapters:
        scales[adapter.path] = scales.get(adapter.path, 0.0) + adapter.scale
    return tuple(sorted((path, scale) for path, scale in scales.items() if scale))


class ModelAdapters(ABC):
    """The adapters of one model: each is read once, and those that a batch needs are applied before it."""

    def __init__(self) -> None:
        self._applied: AdapterGroup = ()
        self._first: AdapterGroup = ()

    def begin(self, first: Sequence[Adapter]) -> None:
        """`first` are applied where a job names none; they are read at once. Raises LoadFailed."""
        self._read(first)
        self._first = adapter_group(first)
        self.apply(self._first)

    def group_of(self, adapters: Sequence[Adapter] | None) -> AdapterGroup:
        """The group of a job; those that were never used are read now. Raises BadRequest."""
        if adapters is None:
            return self._first
        try:
            self._read(adapters)
        except LoadFailed as error:
            raise BadRequest(error.message, param="lora") from error
        return adapter_group(adapters)

    def apply(self, group: AdapterGroup) -> None:
        """What is computed from now on is computed with `group`."""
        if group != self._applied:
            self._switch(group)
            self._applied = group

    @abstractmethod
    def _read(self, adapters: Sequence[Adapter]) -> None:
        """Those that were not read yet. Raises LoadFailed."""

    @abstractmethod
    def _switch(self, group: AdapterGroup) -> None:
        """From what is applied to `group`, which was read."""
