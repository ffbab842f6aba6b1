"""Brings up a folder in the EXL3 format as a backend."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch

from modules.backends.base import read_options
from modules.backends.exllamav3.adapters import LoraAdapters
from modules.backends.exllamav3.backend import ExLlamaV3Backend, LoadedParts
from modules.backends.exllamav3.library import exllamav3
from modules.backends.exllamav3.loading import MTP, VISION, Loading
from modules.backends.exllamav3.options import ExLlamaV3Options
from modules.backends.exllamav3.pictures import VisionReader
from modules.backends.exllamav3.refusals import check, check_card
from modules.backends.hub.adapter import check_adapter
from modules.backends.hub.cache_size import context_of
from modules.backends.hub.card import hub_card
from modules.backends.hub.tokenizer import HubTokenizer
from modules.backends.hub_folder import ModelFolder
from modules.engine.protocols import ReportProgress
from modules.engine.types import LoadSpec, MediaShape, ModelCard
from modules.errors import LoadFailed

_SHOWN: Final = 400
# What the library says where cards are too small together.
_NO_ROOM: Final = "Insufficient VRAM"
_NO_MEMORY: Final = "Choose a shorter context, fewer --cache-bits, or a model with fewer bits."
# Vocabularies of one family differ by padding, and by how control tokens are spelled.
_PADDING: Final = 256
_FIRST_COMPARED: Final = 16
_COMPARED_STEP: Final = 7


class ExLlamaV3Loader:
    def probe(self, spec: LoadSpec) -> ModelCard:
        folder, options = ModelFolder.read(Path(spec.path)), read_options(ExLlamaV3Options, spec)
        check_card(torch)
        check(spec, folder, options, cards=torch.cuda.device_count())
        for adapter in spec.adapters:
            check_adapter(adapter)
        with _told(spec):
            config = exllamav3.Config.from_directory(spec.path)
        tokenizer = HubTokenizer(folder, folder.number("vocab_size"))
        if options.mtp and MTP not in config.model_classes:
            raise LoadFailed(f"{spec.name} has no layers for multi-token prediction. Leave --mtp out.")
        if spec.draft is not None:
            draft = ModelFolder.read(Path(spec.draft.path))
            check_draft(spec, tokenizer, HubTokenizer(draft, draft.number("vocab_size")))
        return _card(spec, folder, tokenizer, options, config)

    def load(self, spec: LoadSpec, report: ReportProgress) -> ExLlamaV3Backend:
        folder, options = ModelFolder.read(Path(spec.path)), read_options(ExLlamaV3Options, spec)
        check_card(torch)
        check(spec, folder, options, cards=torch.cuda.device_count())
        lock = threading.Lock()
        with _told(spec):
            loading = Loading(spec, options, exllamav3.Config.from_directory(spec.path), context_of(folder, spec))
            loading.load(lambda done, total: report(0.05 + 0.85 * done / max(1, total)))
            generator = loading.generator()
        reader = None if loading.vision is None else VisionReader(loading.vision, generator.tokenizer, lock)
        size = folder.number("vocab_size")
        tokenizer = HubTokenizer(folder, size) if reader is None else SeeingTokenizer(folder, size, reader)
        parts = LoadedParts(
            models=loading.models,
            generator=generator,
            scorer=loading.scorer(tokenizer),
            reader=reader,
            drafter=loading.drafter,
        )
        card = replace(
            _card(spec, folder, tokenizer, options, loading.config),
            gpu_bytes=sum(map(torch.cuda.memory_reserved, range(torch.cuda.device_count()))),
        )
        adapters = LoraAdapters(loading.model, spec.adapters, lambda: forget_pages(generator))
        report(1.0)
        return ExLlamaV3Backend(parts, tokenizer, card, adapters, lock)


class SeeingTokenizer(HubTokenizer):
    """Of a model that reads pictures."""

    def __init__(self, folder: ModelFolder, width: int, reader: VisionReader) -> None:
        super().__init__(folder, width)
        self._reader = reader

    def media_tokens(self, shape: MediaShape) -> list[int]:
        return self._reader.media_tokens(shape)


def forget_pages(generator: Any) -> None:
    """What finished jobs left in the cache was computed with other adapters, which its hashes do not tell."""
    for page in list(generator.pagetable.unreferenced_pages.values()):
        page.clear()
    if generator.recurrent_cache is not None:
        generator.recurrent_cache.clear()


def check_draft(spec: LoadSpec, main: HubTokenizer, draft: HubTokenizer) -> None:
    """Raises LoadFailed where token ids do not mean the same."""
    assert spec.draft is not None
    shared = min(main.size, draft.size)
    if abs(main.size - draft.size) > _PADDING or any(
        main.shown(token) != draft.shown(token) for token in range(_FIRST_COMPARED, shared, _COMPARED_STEP)
    ):
        raise LoadFailed(
            f"{spec.draft.name} cannot draft for {spec.name}: its tokens are others. Choose a smaller model of the same "
            "family, whose tokens are the same.",
            param="model_draft",
        )


def _card(
    spec: LoadSpec, folder: ModelFolder, tokenizer: HubTokenizer, options: ExLlamaV3Options, config: Any
) -> ModelCard:
    sees = options.vision and VISION in config.model_classes
    return replace(
        hub_card(spec, folder, tokenizer),
        modalities=("text", "image") if sees else ("text",),
        can_score=options.scored_tokens > 0,
        can_adapt=not options.enable_tp,
        draft=spec.draft.name if spec.draft is not None else "",
    )


@contextmanager
def _told(spec: LoadSpec) -> Iterator[None]:
    """What the library raises, as LoadFailed. Its checks are assertions."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise LoadFailed(f"There is not enough memory for {spec.name}. {_NO_MEMORY}") from error
    except LoadFailed:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:_SHOWN]
        if _NO_ROOM in said:
            raise LoadFailed(f"There is not enough memory for {spec.name}. {_NO_MEMORY}") from error
        raise LoadFailed(f"ExLlamaV3 cannot load {spec.name}: {said or type(error).__name__}") from error
