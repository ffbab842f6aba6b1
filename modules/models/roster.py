"""Resolves the model of a request: by its name, or the default for every other name."""

import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from modules.backends.base import BackendSpec
from modules.backends.media import MediaBackendSpec
from modules.backends.registry import Backends
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import BadRequest, LoadFailed, NotFound, NotInstalled, SettingsError
from modules.library.presets import PerModelSettings
from modules.models.catalog import Catalog, ListedModel
from modules.models.options import LoadOptions, load_spec, with_model_settings
from modules.settings.values import Settings

_log = logging.getLogger(__name__)

# The setting that names the model of each kind.
_DEFAULTS: Final = MappingProxyType(
    {
        ModelKind.EMBEDDING: "openai_embedding_model",
        ModelKind.RERANK: "rerank_model",
        ModelKind.MODERATION: "moderation_model",
        ModelKind.IMAGE: "image_model",
        ModelKind.SPEECH: "speech_model",
        ModelKind.TRANSCRIPTION: "transcription_model",
    }
)
_HOW_TO_CHOOSE: Final = "Name one with --model, or load one through the API."


def own_model(settings: Settings) -> str | None:
    """The chat model without a file that the operator's loader brings along, if it does."""
    if settings.loader is None:
        return None
    backend = settings.backends.named(settings.loader)
    return None if isinstance(backend, MediaBackendSpec) else backend.own_model


def named_media(settings: Settings) -> Mapping[str, MediaBackendSpec]:
    """What runs each media model without a file that the operator named."""
    named = {getattr(settings, setting) for kind, setting in _DEFAULTS.items() if kind.is_media}
    return {name: spec for name, spec in settings.backends.own_media.items() if name in named}


def own_media(settings: Settings) -> Mapping[str, MediaBackendSpec]:
    """Those, and all others, which are not listed, where his loader needs no files either."""
    return settings.backends.own_media if own_model(settings) is not None else named_media(settings)


def requested_spec(catalog: Catalog, settings: Settings, name: str, options: LoadOptions) -> LoadSpec:
    """For a name out of a request. Raises NotFound, BadRequest, and LoadFailed when no loader reads such a model.

    What the request says goes above what the operator set, that above what is stored for the model, that above the
    defaults.
    """
    chosen = options.applied_to(settings)
    if chosen.loader is not None and name == own_model(chosen):
        return load_spec(chosen, name=name, path="", loader=chosen.loader)
    if (media := own_media(settings).get(name)) is not None:
        return load_spec(chosen, name=name, path="", loader=media.name, kind=media.kind)
    return _spec(catalog, settings, options, catalog.find(name))


def first_spec(catalog: Catalog, settings: Settings) -> LoadSpec | None:
    """What to load at start: `--model`, a name or a path, or else the only model there is.

    Raises SettingsError when `--model` means nothing, or what is stored for models cannot be read.
    """
    if settings.loader is not None and (own := own_model(settings)):
        return load_spec(settings, name=settings.model or own, path="", loader=settings.loader)
    try:
        return (
            _only_spec(catalog, settings) if settings.model is None else _named_spec(catalog, settings, settings.model)
        )
    except BadRequest as error:
        raise SettingsError(error.message) from error


def _named_spec(catalog: Catalog, settings: Settings, name: str) -> LoadSpec:
    try:
        return _spec(catalog, settings, LoadOptions(), _operators_model(catalog, name))
    except (NotFound, LoadFailed) as error:
        raise SettingsError(f"--model: {error.message}", param="model") from error


def _operators_model(catalog: Catalog, name: str) -> ListedModel:
    """Unlike a request, the operator may also name a file in another folder."""
    try:
        return catalog.find(name)
    except NotFound:
        path = Path(name).expanduser()
        if path.exists():
            return ListedModel(path.name, path.absolute())
        raise


def _only_spec(catalog: Catalog, settings: Settings) -> LoadSpec | None:
    backends = settings.backends
    drafts = {settings.model_draft, *(f"{settings.model_draft}{ending}" for ending in backends.endings)}
    names = [
        name
        for name in catalog.names()
        if name not in drafts and backends.kind_of(catalog.path_of(name)) is ModelKind.CHAT
    ]
    if len(names) == 1:
        _log.info("%s is the only model in the model folder, so it is loaded. %s", names[0], _HOW_TO_CHOOSE)
        return _spec(catalog, settings, LoadOptions(), catalog.find(names[0]))
    if settings.upstreams:
        _log.info("No model is loaded here: the upstream %s answers.", settings.upstreams[0].name)
    elif names:
        _log.warning("No model is loaded: there are %d in the model folder. %s", len(names), _HOW_TO_CHOOSE)
    else:
        _log.warning("No model is loaded: there is none in the model folder. Put a %s file there.", backends.formats)
    return None


def _spec(catalog: Catalog, settings: Settings, options: LoadOptions, model: ListedModel) -> LoadSpec:
    stored = PerModelSettings(settings.user_data).for_model(model.name)
    with_stored = with_model_settings(settings, model.name, stored)
    if settings.loader is None and with_stored.loader is not None and model.path.exists():
        # Settings of other programs name loaders for models that have got another format since.
        reads = settings.backends.named(with_stored.loader)
        if not (reads.reads(model.path) or reads.own_model):
            _log.warning("stored settings of %s: the %s loader does not read it.", model.name, with_stored.loader)
            with_stored = with_stored.without("loader")
    chosen = options.applied_to(with_stored)
    backends = settings.backends
    backend = _backend_of(backends, chosen, model.path)
    kind = backend.kind_of(model.path)
    draft = None
    if chosen.speculation == "draft" and chosen.model_draft is None and settings.model_draft is None:
        raise BadRequest(
            "--speculation draft needs a draft model. Name one with --model-draft.", param="args.speculation"
        )
    drafts = backend.can_draft and chosen.speculation in {"auto", "draft"}
    if drafts and chosen.model_draft is not None and kind is ModelKind.CHAT:
        draft = _draft_model(catalog, backend, chosen.model_draft, is_requested="model_draft" in options.changes)
    spec = load_spec(chosen, name=model.name, path=str(model.path), loader=backend.name, kind=kind, draft=draft)
    return backend.completed(spec, settings.user_data, requested=options.changes)


def _backend_of(backends: Backends, settings: Settings, path: Path) -> BackendSpec:
    """The operator's loader is for chat models: a folder of an encoder has one reader only, and a media model those that
    read it."""
    if settings.loader is None:
        return backends.reader_of(path, settings)
    named, kind = backends.named(settings.loader), backends.kind_of(path)
    if kind.is_media or isinstance(named, MediaBackendSpec):
        return named if named.reads(path) else backends.reader_of(path, settings)
    is_encoder = path.is_dir() and kind is not ModelKind.CHAT
    return backends.reader_of(path, settings) if is_encoder else named


def _draft_model(catalog: Catalog, backend: BackendSpec, name: str, *, is_requested: bool) -> ListedModel:
    """Raises BadRequest. Whether its tokens are the main model's is found out by loading it."""
    try:
        found = catalog.find(name) if is_requested else _operators_model(catalog, name)
    except (NotFound, LoadFailed) as error:
        raise BadRequest(f"--model-draft: {error.message}", param="args.model_draft") from error
    if not backend.reads(found.path) or backend.kind_of(found.path) is not ModelKind.CHAT:
        raise BadRequest(
            f"--model-draft: {found.name} does not write text, so it cannot draft. Choose a smaller model of the same "
            "family.",
            param="args.model_draft",
        )
    return found


# More than a model folder holds; the entries are small.
_REMEMBERED: Final = 1024


class Roster:
    """The models that are loaded or come back when they are asked for (`wanted`, with how to load each), and the ones on
    disk that requests may have loaded besides."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self.wanted: dict[str, LoadSpec] = {}
        self.is_single = settings.models_max == 1
        self._settings = settings
        self._catalog = catalog
        self._default: LoadSpec | None = None
        self._chosen: dict[ModelKind, str] = {}
        self._kinds = lru_cache(maxsize=_REMEMBERED)(lambda path, _stamp: settings.backends.kind_of(path))

    def begin_with(self, spec: LoadSpec) -> None:
        """`spec` answers every name that means no model."""
        self._default = spec

    def add(self, spec: LoadSpec, *, is_chosen: bool) -> None:
        """The model is loaded now; `is_chosen` by an operator."""
        # With room for one, the model before it is not to come back by itself.
        if self.is_single and spec.kind is ModelKind.CHAT:
            for name in [name for name, other in self.wanted.items() if other.kind is ModelKind.CHAT]:
                del self.wanted[name]
        self.wanted[spec.name] = spec
        if is_chosen:
            self._chosen[spec.kind] = spec.name

    def remove(self, name: str) -> None:
        self.wanted.pop(name, None)

    def evicted(self, name: str, kind: ModelKind) -> None:
        """It had to make room for a model of that kind: a chat model comes back by request only where requests load
        models, but for one that left for a while for a model of media."""
        if not (self._settings.swaps_models or kind.is_media):
            self.remove(name)

    def known(self, name: str) -> str | None:
        """The whole name of a wanted model, whose ending may be left out."""
        names = (name, *(name + ending for ending in self._settings.backends.endings))
        return next((each for each in names if each in self.wanted), None)

    def meant(self, name: str | None, kind: ModelKind, recent: Sequence[str]) -> LoadSpec | None:
        """What a request with that name is to be answered by; None when there is nothing. `recent` are the loaded
        models of the kind, the last used one first. May look at the disk. Raises BadRequest for a model of another
        kind."""
        spec = self._named(name) if name else None
        if spec is not None and spec.kind is not kind:
            raise BadRequest(
                f"{spec.name} is a model for {spec.kind}, not for {kind}. GET /v1/models tells the type of each.",
                param="model",
                code="model_not_supported",
            )
        if spec is not None and (spec.name in self.wanted or self._may_load(kind)):
            return spec
        return self._any(kind, recent)

    def choices(self, kind: ModelKind, recent: Sequence[str]) -> tuple[LoadSpec, ...]:
        """What requests for that kind may name, the one that answers all others first. Looks at the disk. Raises
        NotInstalled when the one that the operator named is not there."""
        names = [name for name in self._catalog.names() if self.kind_of(name) is kind] if self._may_load(kind) else []
        found = [self._any(kind, recent), *(self._on_disk(name) for name in names)]
        return tuple({spec.name: spec for spec in found if spec is not None}.values())

    def default_name(self, recent: Sequence[str]) -> str | None:
        """The chat model that answers requests without a name."""
        spec = self._any(ModelKind.CHAT, recent)
        return spec.name if spec else None

    def kind_of(self, name: str) -> ModelKind:
        """What a model of the list is for. May look at the disk."""
        spec = self.wanted.get(name)
        if spec is not None:
            return spec.kind
        if name == own_model(self._settings):
            return ModelKind.CHAT
        if (media := own_media(self._settings).get(name)) is not None:
            return media.kind
        path = self._catalog.path_of(name)
        return self._kinds(path, _stamp(path))

    def _may_load(self, kind: ModelKind) -> bool:
        """Whether requests may have models of that kind loaded. Only chat models take each other's place."""
        if kind is ModelKind.CHAT or "model_swap" in self._settings.explicit:
            return self._settings.swaps_models
        return True

    def _named(self, name: str) -> LoadSpec | None:
        for spelling in _spellings(name):
            known = self.known(spelling)
            found = self.wanted[known] if known is not None else self._on_disk(spelling)
            # For chats every other name means the default model.
            if found is not None and (spelling == name or found.kind is not ModelKind.CHAT):
                return found
        return None

    def _configured(self, kind: ModelKind) -> LoadSpec | None:
        """What the operator named for requests that name none. Raises NotInstalled when it is not there or of another
        kind: the answers of another model are no substitute."""
        setting = _DEFAULTS.get(kind)
        name = getattr(self._settings, setting) if setting is not None else None
        if not name:
            return None
        found = self._named(name) or (self._at(Path(name).expanduser()) if kind.is_media else None)
        if (found is None or found.kind is not kind) and setting in self._settings.explicit:
            raise _not_there(kind, name, found)
        return found if found is not None and found.kind is kind and self._may_load(kind) else None

    def _at(self, path: Path) -> LoadSpec | None:
        """Unlike a request, the operator may also name a model in another folder."""
        if not (path.is_absolute() and path.exists()):
            return None
        return _spec(self._catalog, self._settings, LoadOptions(), ListedModel(path.name, path))

    def kind_named(self, name: str | None) -> ModelKind | None:
        """The kind of the model of that name, None when it means none. May look at the disk."""
        spec = self._named(name) if name else None
        return spec.kind if spec is not None else None

    def _on_disk(self, name: str) -> LoadSpec | None:
        # Before the folder is walked and files are opened: this is asked for every request with an unknown name.
        own = {own_model(self._settings), *own_media(self._settings)}
        if not (self._is_there(name) or name in own):
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
        chosen = [self._chosen[kind]] if kind in self._chosen else []
        if not any(name in wanted for name in chosen) and (configured := self._configured(kind)):
            return configured
        # What an operator chose, then what answered last, then what was loaded last.
        names = [*chosen, *recent, *reversed(wanted)]
        found = next((wanted[name] for name in names if name in wanted), None)
        if found is not None or kind is ModelKind.CHAT or not self._may_load(kind):
            return found
        names = [*self._catalog.names(), *own_media(self._settings)]
        first = next((name for name in names if self.kind_of(name) is kind), None)
        return self._on_disk(first) if first is not None else None


def _not_there(kind: ModelKind, name: str, found: LoadSpec | None) -> NotInstalled:
    if kind is ModelKind.EMBEDDING and found is None:
        return NotInstalled(
            f"The embedding model {name[:100]!r} is not in the model folder. Get it with "
            f"`python3 one_click.py fetch embedding {name.rpartition('/')[2][:100]}` or download-model.py, or choose "
            "another with OPENEDAI_EMBEDDING_MODEL.",
            param="model",
        )
    flag = "--" + _DEFAULTS[kind].replace("_", "-")
    what = "is not in the model folder" if found is None else f"is a model for {found.kind}"
    if kind is ModelKind.MODERATION:
        return NotInstalled(
            f"{name[:100]!r} of {flag} {what}. Name the folder of a text classifier whose labels are categories of moderation, "
            f"such as toxic or hate, or leave {flag} out: then the embedding model judges.",
            param="model",
        )
    return NotInstalled(
        f"{name[:100]!r} of {flag} {what}. Get a model with `python3 one_click.py fetch {kind}`, or choose another with {flag}.",
        param="model",
    )


def _spellings(name: str) -> tuple[str, ...]:
    """A model of the hub lies in a folder named after its owner and itself; users of sentence-transformers leave out the
    owner."""
    plain = name.rpartition("/")[2]
    return tuple(dict.fromkeys((name, name.replace("/", "_"), plain, f"sentence-transformers_{plain}")))


def _stamp(path: Path) -> tuple[int, int]:
    """Another one when the file has changed."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def pinned_names(settings: Settings, catalog: Catalog) -> frozenset[str]:
    """The whole names of the models to be pinned. Raises SettingsError that names the one that is no model."""
    names = set()
    for name in settings.pin:
        own = own_model(settings)
        if own is not None and name in {own, settings.model}:
            names.add(name)
            continue
        try:
            names.add(catalog.find(name).name)
        except NotFound as error:
            raise SettingsError(f"--pin: {error.message}", param="pin") from error
    return frozenset(names)
