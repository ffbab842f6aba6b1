"""The LoRA adapters of one context.

Each is read once, and those that a batch needs are applied before it.
"""

from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from modules.backends.adapters import AdapterGroup, ModelAdapters
from modules.backends.llamacpp import library
from modules.backends.llamacpp.refusals import adapter_refusals
from modules.engine.types import Adapter
from modules.errors import EngineFailed, LoadFailed


class LlamaAdapters(ModelAdapters):
    """`first` are applied where a job names none; they are read at once. Raises LoadFailed."""

    def __init__(self, model: Any, context: Any, first: Sequence[Adapter]) -> None:
        super().__init__()
        self._model = model
        self._context = context
        self._architecture = library.model_metadata(model, "general.architecture") or ""
        # Freed with the model.
        self._handles: dict[str, Any] = {}
        self.begin(first)

    @override
    def _switch(self, group: AdapterGroup) -> None:
        handles, scales = [self._handles[path] for path, _ in group], [scale for _, scale in group]
        if not library.set_adapters(self._context, handles, scales):
            raise EngineFailed("llama.cpp could not apply the LoRA adapters of a request.")

    @override
    def _read(self, adapters: Sequence[Adapter]) -> None:
        for adapter in adapters:
            if adapter.path not in self._handles:
                for refusal in adapter_refusals(adapter, self._architecture):
                    raise LoadFailed(f"The adapter cannot be applied: {refusal}")
                self._handles[adapter.path] = library.open_adapter(self._model, adapter)
