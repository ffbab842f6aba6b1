"""Which model a request means: by its name, or the one that answers every other name."""

from collections.abc import Sequence

from modules.backends.registry import SCRIPTED
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import BadRequest, LoadFailed, NotFound, SettingsError
from modules.models.catalog import Catalog
from modules.models.choice import requested_spec
from modules.models.options import LoadOptions
from modules.settings import Settings


class Roster:
    """The models that are loaded or come back when they are asked for (`wanted`, with how to load each), and the ones on
    disk that requests may have loaded besides."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self.wanted: dict[str, LoadSpec] = {}
        self.is_single = settings.models_max == 1
        self._settings = settings
        self._catalog = catalog
        self._default: LoadSpec | None = None
        self._chosen: str | None = None

    def begin_with(self, spec: LoadSpec) -> None:
        """`spec` answers every name that means no model."""
        self._default = spec

    def add(self, spec: LoadSpec, *, is_chosen: bool) -> None:
        """The model is loaded now; `is_chosen` by an operator."""
        if self.is_single and spec.kind is ModelKind.CHAT:
            for name in [name for name, other in self.wanted.items() if other.kind is ModelKind.CHAT]:
                del self.wanted[name]
        self.wanted[spec.name] = spec
        if is_chosen and spec.kind is ModelKind.CHAT:
            self._chosen = spec.name

    def remove(self, name: str) -> None:
        self.wanted.pop(name, None)

    def evicted(self, name: str) -> None:
        """It had to make room: it comes back by request only where requests load models."""
        if not self._settings.swaps_models:
            self.remove(name)

    def known(self, name: str) -> str | None:
        """The whole name of a wanted model, whose `.gguf` may be left out."""
        return next((each for each in (name, f"{name}.gguf") if each in self.wanted), None)

    def meant(self, name: str | None, kind: ModelKind, recent: Sequence[str]) -> LoadSpec | None:
        """What a request with that name is to be answered by; None when there is nothing. `recent` are the loaded
        models, the last used one first. May look at the disk. Raises BadRequest for a model of another kind."""
        spec = self._named(name) if name else None
        if spec is None:
            return self._any(kind, recent)
        if spec.kind is not kind:
            raise BadRequest(
                f"{spec.name} is a model for {spec.kind}, not for {kind}. GET /v1/models tells the type of each.",
                param="model",
                code="model_not_supported",
            )
        return spec

    def default_name(self, recent: Sequence[str]) -> str | None:
        """The chat model that answers requests without a name."""
        spec = self._any(ModelKind.CHAT, recent)
        return spec.name if spec else None

    def kind_of(self, name: str) -> ModelKind:
        """What a model of the list is for."""
        spec = self.wanted.get(name)
        return spec.kind if spec else ModelKind.CHAT

    def _named(self, name: str) -> LoadSpec | None:
        known = self.known(name)
        if known is not None:
            return self.wanted[known]
        spec = self._on_disk(name)
        if spec is None or spec.kind is not ModelKind.CHAT:
            return spec
        return spec if self._settings.swaps_models else None

    def _on_disk(self, name: str) -> LoadSpec | None:
        if not (self._is_there(name) or (name == SCRIPTED and self._settings.loader == SCRIPTED)):
            return None
        try:
            return requested_spec(self._catalog, self._settings, name, LoadOptions())
        except (NotFound, LoadFailed):
            return None

    def _is_there(self, name: str) -> bool:
        """Whether it is worth to go through the folder. Most names are no files: `gpt-4o`."""
        return self._catalog.may_have(name)

    def _any(self, kind: ModelKind, recent: Sequence[str]) -> LoadSpec | None:
        wanted = {name: spec for name, spec in self.wanted.items() if spec.kind is kind}
        if kind is ModelKind.CHAT and not self.is_single and self._default is not None:
            if self._default.name in wanted:
                return wanted[self._default.name]
            if self._settings.swaps_models:
                return self._default
        chosen = [self._chosen] if kind is ModelKind.CHAT and self._chosen else []
        names = [*chosen, *recent, *reversed(wanted)]
        return next((wanted[name] for name in names if name in wanted), None)


def pinned_names(settings: Settings, catalog: Catalog) -> frozenset[str]:
    """The whole names of the models to be pinned. Raises SettingsError that names the one that is no model."""
    names = set()
    for name in settings.pin:
        if settings.loader == SCRIPTED and name in {SCRIPTED, settings.model}:
            names.add(name)
            continue
        try:
            names.add(catalog.find(name).name)
        except NotFound as error:
            raise SettingsError(f"--pin: {error.message}", param="pin") from error
    return frozenset(names)
