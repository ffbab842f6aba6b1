"""The LoRA adapters of one model, by PEFT.

Each is read once, and those that a batch needs are switched on before it.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from modules.backends.adapters import AdapterGroup, ModelAdapters
from modules.backends.hub.adapter import check_adapter
from modules.engine.types import Adapter
from modules.errors import BadRequest, LoadFailed

_SHOWN: Final = 300
# No group is like it.
_UNKNOWN: Final[AdapterGroup] = (("", 0.0),)


class PeftAdapters(ModelAdapters):
    """`first` are applied where a job names none; they are read at once. Raises LoadFailed."""

    def __init__(self, model: Any, first: Sequence[Adapter]) -> None:
        super().__init__()
        self._model = model
        self._peft: Any = None
        self._names: dict[str, str] = {}
        self._layers: list[Any] = []
        self._seeing_layers: list[Any] = []
        self.begin(first)

    def check_pictures(self, group: AdapterGroup) -> None:
        """Raises BadRequest for adapters that change how pictures are seen: these are seen once, for all."""
        for path, _ in group:
            name = self._names[path]
            if any(name in getattr(layer, "scaling", ()) for layer in self._seeing_layers):
                raise BadRequest(
                    f"The adapter {Path(path).name} changes the part of the model that sees, so that it cannot be applied to "
                    "requests with pictures. Leave it out, or the pictures.",
                    param="lora",
                )

    @override
    def _switch(self, group: AdapterGroup) -> None:
        names = [self._names[path] for path, _ in group]
        for layer in self._layers:
            layer.enable_adapters(enabled=bool(names))
            if names:
                layer.set_adapter(names, inference_mode=True)
                for (path, scale), name in zip(group, names, strict=True):
                    if name in getattr(layer, "scaling", ()):
                        layer.set_scale(self._names[path], scale)

    @override
    def _read(self, adapters: Sequence[Adapter]) -> None:
        for adapter in adapters:
            if adapter.path not in self._names:
                check_adapter(adapter)
                self._add(adapter)

    def _add(self, adapter: Adapter) -> None:
        name = f"adapter{len(self._names)}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                # Of PEFT and Transformers about each other.
                warnings.simplefilter("ignore", FutureWarning)
                self._load(adapter.path, name)
        except Exception as error:
            self._take_back(name)
            said = " ".join(str(error).split())[:_SHOWN]
            raise LoadFailed(f"The adapter {adapter.name} does not fit the model: {said}") from error
        self._names[adapter.path] = name
        self._model.eval()
        self._find_layers()

    def _find_layers(self) -> None:
        """PEFT switches on what it has just read; this is taken back."""
        kind = _peft().tuners.tuners_utils.BaseTunerLayer
        seeing = {id(each) for part in _seeing_parts(self._model) for each in part.modules()}
        layers = [each for each in self._model.modules() if isinstance(each, kind)]
        self._layers = [layer for layer in layers if id(layer) not in seeing]
        self._seeing_layers = [layer for layer in layers if id(layer) in seeing]
        for layer in self._seeing_layers:
            layer.enable_adapters(enabled=False)
        applied, self._applied = self._applied, _UNKNOWN
        self.apply(applied)

    def _take_back(self, name: str) -> None:
        """The half of an adapter that was put into the model before it turned out not to fit."""
        if self._peft is not None:
            if name in self._peft.peft_config:
                self._peft.delete_adapter(name)
            self._find_layers()
            return
        kind = _peft().tuners.tuners_utils.BaseTunerLayer
        for place, layer in list(self._model.named_modules()):
            if isinstance(layer, kind):
                parent, _, own = place.rpartition(".")
                setattr(self._model.get_submodule(parent), own, layer.get_base_layer())
        if hasattr(self._model, "peft_config"):
            del self._model.peft_config

    def _load(self, path: str, name: str) -> None:
        if self._peft is None:
            load = _peft().PeftModel.from_pretrained
            self._peft = load(self._model, path, adapter_name=name, local_files_only=True)
        else:
            self._peft.load_adapter(path, adapter_name=name, local_files_only=True)


def _seeing_parts(model: Any) -> list[Any]:
    """All beside the part that writes; none of a model that reads text only."""
    if not hasattr(model.base_model, "get_image_features"):
        return []
    return [part for part in model.base_model.children() if part is not model.get_decoder()]


def _peft() -> Any:
    """Imported for the first adapter. Raises LoadFailed where it is not installed."""
    try:
        import peft  # noqa: PLC0415
    except ImportError as error:
        raise LoadFailed("LoRA adapters need the package peft, which is not installed.") from error
    return peft
