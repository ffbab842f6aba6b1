"""How to load a model: the program's settings, the model's own, and those of one load request."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from modules.backends.base import BackendSpec
from modules.engine.types import MAX_DRAFT, DraftSpec, LoadSpec, ModelKind
from modules.errors import BadRequest, SettingsError
from modules.models.catalog import ListedModel
from modules.settings.extra_flags import refusal_of
from modules.settings.options import Option, did_you_mean, options_of
from modules.settings.values import Settings

_log = logging.getLogger(__name__)

# What every loader has. Left out on purpose is what only the operator may decide: folders, and whether a model may bring
# code of its own.
COMMON_OPTIONS: Final = ("ctx_size", "parallel")
# And what those have that use draft models.
DRAFT_OPTIONS: Final = ("speculation", "model_draft", "draft_max", "ctx_size_draft")
# One request brings up to 2048 texts, each a job of its own; eight such requests may wait.
_MAX_TEXTS: Final = 2**14
_MAX_LISTED: Final = 440
_OF_TEXTS: Final = frozenset({ModelKind.EMBEDDING, ModelKind.RERANK, ModelKind.MODERATION})


def load_options(settings: type[Settings]) -> Mapping[str, Option]:
    """What can be set for one load, by setting name."""
    own = (name for backend in settings.backends for name in _own_options(backend))
    return {name: settings.declared[name] for name in ("loader", *COMMON_OPTIONS, *own, *DRAFT_OPTIONS)}


def options_of_loader(settings: type[Settings], loader: str) -> tuple[str, ...]:
    """What can be set for a load with that loader. Raises LoadFailed when it does not exist."""
    backend = settings.backends.named(loader)
    return (*COMMON_OPTIONS, *_own_options(backend), *(DRAFT_OPTIONS if backend.can_draft else ()))


def _own_options(backend: BackendSpec) -> tuple[str, ...]:
    return tuple(option.name for option in options_of(backend.options) if not option.operator_only)


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Changes to the settings for one load, by setting name; they do not outlive the model."""

    changes: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def parse(cls, args: Mapping[str, object], settings: type[Settings] = Settings) -> "LoadOptions":
        """Reads the `args` of a load request; those that are None count as left out.

        Raises BadRequest that names the argument: one that does not exist or cannot be set here, or a wrong value.
        """
        names = {alias: name for name, option in load_options(settings).items() for alias in (name, *option.aliases)}
        given = {name: value for name, value in args.items() if value is not None}
        if extra := str(given.pop("extra_flags", "")).strip():
            flags = {option.flag: option for option in load_options(settings).values()}
            raise BadRequest(f"{refusal_of(extra, flags)}.", param="args.extra_flags")
        for name in given:
            if name not in names:
                raise BadRequest(
                    f"A model cannot be loaded with {name[:60]!r}{did_you_mean(name[:60], names)}. "
                    f"What can be set: {_listed(sorted(names))}.",
                    param=f"args.{name[:60]}",
                )
        options = cls({names[name]: value for name, value in given.items()})
        options.applied_to(settings())
        return options

    @classmethod
    def requested(cls, args: Mapping[str, object], settings: Settings) -> "LoadOptions":
        """Reads them for a caller of the API, who cannot switch on what only the operator of `settings` may.

        Raises BadRequest, as `parse` does.
        """
        options = cls.parse(args, type(settings))
        wished = options.applied_to(type(settings)())
        for name in options.changes:
            option = settings.declared[name]
            if option.operator_on and getattr(wished, name) not in (option.default, getattr(settings, name)):
                raise BadRequest(
                    f"Requests cannot switch {name} on, or change it: that is for the operator, with {option.flag}, "
                    f"{option.key} in settings.yaml, or the settings of the model on the page.",
                    param=f"args.{name}",
                )
        return options

    def applied_to(self, settings: Settings) -> Settings:
        try:
            return settings.with_changes(self.changes)
        except SettingsError as error:
            raise BadRequest(error.message, param=f"args.{error.param}") from error


def _listed(names: Sequence[str]) -> str:
    """As many as a message should have."""
    text = ", ".join(names)
    return (
        text
        if len(text) <= _MAX_LISTED
        else f"{text[:_MAX_LISTED].rpartition(',')[0]} and others, see docs/SETTINGS.md"
    )


def with_model_settings(settings: Settings, model: str, stored: Mapping[str, object]) -> Settings:
    """`settings`, in which what the operator left open is as `stored` for the model, by setting name.

    The files may come from other versions of the program, so what does not fit is named in the log and left out.
    """
    if "model_draft" in settings.explicit and not _is_drafted_for(settings, model):
        settings = settings.without("model_draft")
    known = load_options(type(settings))
    for name, value in stored.items():
        if name not in settings.explicit and name in known and value is not None:
            try:
                settings = settings.with_changes({name: value})
            except SettingsError as error:
                _log.warning("stored settings of %s: ignored: %s", model, error.message)
    return settings


def _is_drafted_for(settings: Settings, model: str) -> bool:
    """Whether `--model-draft` is meant for this model: for that of `--model`, as another would have other tokens."""
    main = settings.model
    endings = ("", *settings.backends.endings)
    if main is not None:
        return model in {Path(main).name, *(main + ending for ending in endings)}
    return settings.model_draft not in {model.removesuffix(ending) for ending in endings}


def load_spec(
    settings: Settings,
    *,
    name: str,
    path: str,
    loader: str,
    kind: ModelKind = ModelKind.CHAT,
    draft: ListedModel | None = None,
) -> LoadSpec:
    """What a loader needs to know to bring up the model at `path` under these settings."""
    own = settings.backends.named(loader).options.model_fields
    return LoadSpec(
        name=name,
        path=path,
        loader=loader,
        context=settings.ctx_size,
        parallel=settings.parallel,
        options={option: getattr(settings, option) for option in own},
        # A list of texts is many short jobs.
        max_queue=max(settings.max_queue, _MAX_TEXTS) if kind in _OF_TEXTS else settings.max_queue,
        kind=kind,
        draft=None if draft is None else _draft_spec(settings, draft),
        ngram_tokens={"auto": MAX_DRAFT, "ngram": settings.draft_max}.get(settings.speculation, 0),
        with_code=settings.trust_remote_code,
    )


def _draft_spec(settings: Settings, model: ListedModel) -> DraftSpec:
    return DraftSpec(name=model.name, path=str(model.path), most=settings.draft_max, context=settings.ctx_size_draft)
