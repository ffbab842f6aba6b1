"""The LoRA adapters of one model, attached to its layers by the library."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from modules.backends.adapters import AdapterGroup, ModelAdapters
from modules.backends.exllamav3.library import LoRA
from modules.backends.hub.adapter import check_adapter
from modules.engine.types import Adapter
from modules.errors import LoadFailed

_SHOWN = 300


@dataclass(frozen=True, slots=True)
class _Attached:
    """The two matrices of an adapter on one layer of the model."""

    layer: Any
    a: Any
    b: Any


class LoraAdapters(ModelAdapters):
    """`first` are applied where a job names none. `on_switch` is called when other adapters are applied than before: what
    the cache holds was computed with those. Raises LoadFailed."""

    def __init__(self, model: Any, first: Sequence[Adapter], on_switch: Callable[[], None]) -> None:
        super().__init__()
        self._model = model
        self._on_switch = on_switch
        self._read_adapters: dict[str, tuple[Any, tuple[_Attached, ...]]] = {}
        self.begin(first)

    @override
    def _read(self, adapters: Sequence[Adapter]) -> None:
        for adapter in adapters:
            if adapter.path not in self._read_adapters:
                check_adapter(adapter)
                self._read_adapters[adapter.path] = self._opened(adapter)

    @override
    def _switch(self, group: AdapterGroup) -> None:
        for key, attached in self._read_adapters.values():
            for each in attached:
                each.layer.lora_a_tensors.pop(key, None)
                each.layer.lora_b_tensors.pop(key, None)
        for path, scale in group:
            key, attached = self._read_adapters[path]
            for each in attached:
                each.layer.lora_a_tensors[key] = each.a
                each.layer.lora_b_tensors[key] = each.b if scale == 1 else each.b * scale
        self._on_switch()

    def _opened(self, adapter: Adapter) -> tuple[Any, tuple[_Attached, ...]]:
        """Read, and taken off its layers again. What fits no layer is a mistake, not a lesser adapter."""
        try:
            read = LoRA.from_directory(self._model, adapter.path)
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            said = " ".join(str(error).split())[:_SHOWN]
            raise LoadFailed(f"The adapter {adapter.name} does not fit the model: {said}") from error
        layers = [
            layer
            for layer in read.target_modules.values()
            if read in layer.lora_a_tensors and read in layer.lora_b_tensors
        ]
        attached = tuple(_Attached(layer, layer.lora_a_tensors[read], layer.lora_b_tensors[read]) for layer in layers)
        read.unload()
        if not attached:
            raise LoadFailed(f"The adapter {adapter.name} does not fit the model: it names none of its layers.")
        return read, attached
