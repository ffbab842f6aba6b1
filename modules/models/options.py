"""How to load a model: the program's settings, the model's own, and those of one load request."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from modules.engine.types import DraftSpec, LoadSpec, ModelKind
from modules.errors import BadRequest, SettingsError
from modules.models.catalog import ListedModel
from modules.settings.options import did_you_mean
from modules.settings.values import OPTIONS, Settings

_log = logging.getLogger(__name__)

# Left out on purpose is what only the operator may decide: folders, and whether a model may bring code of its own.
_LOAD_OPTIONS: Final = (
    "loader ctx_size cache_type parallel kv_cells gpu_layers threads threads_batch batch_size ubatch_size flash_attn "
    "swa_full no_mmap mlock numa no_kv_offload tensor_split split_mode model_draft draft_max ctx_size_draft "
    "gpu_layers_draft speculation"
)
# One request brings up to 2048 texts, each a job of its own; eight such requests may wait.
_MAX_TEXTS: Final = 2**14
_NAMES: Final = MappingProxyType(
    {alias: name for name in _LOAD_OPTIONS.split() for alias in (name, *OPTIONS[name].aliases)}
)


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Changes to the settings for one load, by setting name; they do not outlive the model."""

    changes: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> "LoadOptions":
        """Reads the `args` of a load request; those that are None count as left out.

        Raises BadRequest that names the argument: one that does not exist or cannot be set here, or a wrong value.
        """
        given = {name: value for name, value in args.items() if value is not None}
        for name in given:
            if name not in _NAMES:
                raise BadRequest(
                    f"A model cannot be loaded with {name[:60]!r}{did_you_mean(name[:60], _NAMES)}. "
                    f"What can be set: {', '.join(sorted(_NAMES))}.",
                    param=f"args.{name[:60]}",
                )
        options = cls({_NAMES[name]: value for name, value in given.items()})
        options.applied_to(Settings())
        return options

    def applied_to(self, settings: Settings) -> Settings:
        try:
            return settings.with_changes(self.changes)
        except SettingsError as error:
            raise BadRequest(error.message, param=f"args.{error.param}") from error


def with_model_settings(settings: Settings, model: str, stored: Mapping[str, object]) -> Settings:
    """`settings`, in which what the operator left open is as `stored` for the model, by setting name.

    The files may come from other versions of the program, so what does not fit is named in the log and left out.
    """
    if "model_draft" in settings.explicit and not _is_drafted_for(settings, model):
        settings = settings.without("model_draft")
    for name, value in stored.items():
        if name not in settings.explicit and name in _NAMES.values() and value is not None:
            try:
                settings = settings.with_changes({name: value})
            except SettingsError as error:
                _log.warning("stored settings of %s: ignored: %s", model, error.message)
    return settings


def _is_drafted_for(settings: Settings, model: str) -> bool:
    """Whether `--model-draft` is meant for this model: for that of `--model`, as another would have other tokens."""
    main = settings.model
    if main is not None:
        return model in {main, f"{main}.gguf", Path(main).name}
    return settings.model_draft not in {model, model.removesuffix(".gguf")}


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
    return LoadSpec(
        name=name,
        path=path,
        loader=loader,
        context=settings.ctx_size,
        kv_cells=settings.kv_cells,
        idle_cells=settings.idle_cells,
        parallel=settings.parallel,
        threads=settings.threads,
        threads_batch=settings.threads_batch,
        batch_size=settings.batch_size,
        ubatch_size=settings.ubatch_size,
        gpu_layers=settings.gpu_layers,
        cache_type=settings.cache_type,
        flash_attn=settings.flash_attn,
        split_mode=settings.split_mode,
        tensor_split=settings.tensor_split,
        no_mmap=settings.no_mmap,
        mlock=settings.mlock,
        numa=settings.numa,
        no_kv_offload=settings.no_kv_offload,
        swa_full=settings.swa_full,
        # A list of texts is many short jobs.
        max_queue=settings.max_queue if kind is ModelKind.CHAT else max(settings.max_queue, _MAX_TEXTS),
        kind=kind,
        draft=None if draft is None else _draft_spec(settings, draft),
        ngram_tokens=settings.draft_max if settings.speculation == "ngram" else 0,
    )


def _draft_spec(settings: Settings, model: ListedModel) -> DraftSpec:
    return DraftSpec(
        name=model.name,
        path=str(model.path),
        most=settings.draft_max,
        context=settings.ctx_size_draft,
        gpu_layers=settings.gpu_layers_draft,
    )
