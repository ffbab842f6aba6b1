"""The LoRA adapters of one context.

Each is read once, and those that a batch needs are applied before it.
"""

from collections.abc import Sequence
from typing import Any

from modules.backends.adapters import AdapterGroup, adapter_group
from modules.backends.llamacpp import library
from modules.backends.llamacpp.refusals import adapter_refusals
from modules.engine.types import Adapter
from modules.errors import BadRequest, EngineFailed, LoadFailed


class LlamaAdapters:
    """`first` are applied where a job names none; they are read at once. Raises LoadFailed."""

    def __init__(self, model: Any, context: Any, first: Sequence[Adapter]) -> None:
        self._model = model
        self._context = context
        self._architecture = library.model_metadata(model, "general.architecture") or ""
        # Freed with the model.
        self._handles: dict[str, Any] = {}
        self._applied: AdapterGroup = ()
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
        """What is decoded from now on is computed with `group`."""
        if group == self._applied:
            return
        handles, scales = [self._handles[path] for path, _ in group], [scale for _, scale in group]
        if not library.set_adapters(self._context, handles, scales):
            raise EngineFailed("llama.cpp could not apply the LoRA adapters of a request.")
        self._applied = group

    def _read(self, adapters: Sequence[Adapter]) -> None:
        for adapter in adapters:
            if adapter.path not in self._handles:
                for refusal in adapter_refusals(adapter, self._architecture):
                    raise LoadFailed(f"The adapter cannot be applied: {refusal}")
                self._handles[adapter.path] = library.open_adapter(self._model, adapter)
