"""Which model a name means, and which one to begin with."""

import logging
from pathlib import Path
from typing import Final

from modules.backends.registry import LLAMA_CPP, SCRIPTED, detect_loader, kind_of
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import BadRequest, LoadFailed, NotFound, SettingsError
from modules.library.model_settings import PerModelSettings
from modules.models.catalog import Catalog, ListedModel
from modules.models.options import LoadOptions, load_spec, with_model_settings
from modules.settings.values import Settings

_log = logging.getLogger(__name__)

_HOW_TO_CHOOSE: Final = "Name one with --model, or load one through the API."


def requested_spec(catalog: Catalog, settings: Settings, name: str, options: LoadOptions) -> LoadSpec:
    """For a name out of a request. Raises NotFound, BadRequest, and LoadFailed when no loader reads such a model.

    What the request says goes above what the operator set, that above what is stored for the model, that above the
    defaults.
    """
    chosen = options.applied_to(settings)
    if chosen.loader == SCRIPTED and name == SCRIPTED:
        return load_spec(chosen, name=name, path="", loader=SCRIPTED)
    return _spec(settings, options, catalog.find(name))


def first_spec(catalog: Catalog, settings: Settings) -> LoadSpec | None:
    """What to load at start: `--model`, a name or a path, or else the only model there is.

    Raises SettingsError when `--model` means nothing, or what is stored for models cannot be read.
    """
    if settings.loader == SCRIPTED:
        return load_spec(settings, name=settings.model or SCRIPTED, path="", loader=SCRIPTED)
    try:
        return (
            _only_spec(catalog, settings) if settings.model is None else _named_spec(catalog, settings, settings.model)
        )
    except BadRequest as error:
        raise SettingsError(error.message) from error


def _named_spec(catalog: Catalog, settings: Settings, name: str) -> LoadSpec:
    try:
        return _spec(settings, LoadOptions(), _operators_model(catalog, name))
    except (NotFound, LoadFailed) as error:
        raise SettingsError(f"--model: {error.message}", param="model") from error


def _operators_model(catalog: Catalog, name: str) -> ListedModel:
    """Unlike a request, the operator may also name a file that lies elsewhere."""
    try:
        return catalog.find(name)
    except NotFound:
        path = Path(name).expanduser()
        if path.exists():
            return ListedModel(path.name, path.absolute())
        raise


def _only_spec(catalog: Catalog, settings: Settings) -> LoadSpec | None:
    names = [name for name in catalog.names() if kind_of(catalog.path_of(name), LLAMA_CPP) is ModelKind.CHAT]
    if len(names) == 1:
        _log.info("%s is the only model in the model folder, so it is loaded. %s", names[0], _HOW_TO_CHOOSE)
        return _spec(settings, LoadOptions(), catalog.find(names[0]))
    if names:
        _log.warning("No model is loaded: there are %d in the model folder. %s", len(names), _HOW_TO_CHOOSE)
    else:
        _log.warning("No model is loaded: there is none in the model folder. Put a GGUF file there.")
    return None


def _spec(settings: Settings, options: LoadOptions, model: ListedModel) -> LoadSpec:
    stored = PerModelSettings(settings.user_data).for_model(model.name)
    chosen = options.applied_to(with_model_settings(settings, model.name, stored))
    loader = chosen.loader or detect_loader(model.path)
    kind = kind_of(model.path, loader)
    return load_spec(chosen, name=model.name, path=str(model.path), loader=loader, kind=kind)
