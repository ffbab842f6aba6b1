"""The library's models, caches and generator for one load, in the order that it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from modules.backends.exllamav3.library import exllamav3
from modules.backends.exllamav3.options import FULL_BITS, ExLlamaV3Options, in_pages
from modules.backends.exllamav3.scoring import PromptScorer
from modules.backends.hub.tokenizer import HubTokenizer
from modules.engine.protocols import Drafter
from modules.engine.types import LoadSpec

# Names of the parts that a model may have beside the one for text.
VISION: Final = "vision"
MTP: Final = "mtp"
_GIB: Final = 2**30
# So many tokens have to be alike before what followed them is proposed.
_NGRAM_MATCH: Final = 3
_USUAL_DRAFT: Final = 4

_Report = Callable[[int, int], None]


@dataclass(slots=True)
class Loading:
    """One model on its way into memory. Caches come before weights: the library makes room for them then."""

    spec: LoadSpec
    options: ExLlamaV3Options
    config: Any
    context: int
    model: Any = None
    draft: Any = None
    vision: Any = None
    _cache: Any = None
    _draft_cache: Any = None
    _scratch: Any = None

    def load(self, report: _Report) -> None:
        self.model = exllamav3.Model.from_config(self.config)
        self._make_draft()
        self._cache = self._made_cache(self.model, self._cache_tokens)
        if self.options.scored_tokens:
            self._scratch = self._made_cache(self.model, in_pages(self._scored_tokens), slots=1)
        if self.draft is not None:
            self._draft_cache = self._made_cache(self.draft, self._cache_tokens)
            self._load(self.draft)
        if self.options.vision and VISION in self.config.model_classes:
            self.vision = exllamav3.Model.from_config(self.config, component=VISION)
            self._load(self.vision)
        tensor_parallel = {"tensor_p": True, "tp_backend": self.options.tp_backend} if self.options.enable_tp else {}
        self._load(self.model, callback=report, draft_model=self.draft, **tensor_parallel)
        if self.options.warmup:
            # Before the generator, which takes over the cache.
            chunk, width = self.options.chunk, self.spec.parallel
            self.model.warmup(cache=self._cache, max_chunk_size=chunk, max_batch_size=width)

    def generator(self) -> Any:
        return exllamav3.Generator(
            self.model,
            self._cache,
            exllamav3.Tokenizer.from_config(self.config),
            max_batch_size=self.spec.parallel,
            max_chunk_size=self.options.chunk,
            cpu_cache_size=int(self.options.host_cache_size * _GIB),
            **self._drafting(),
        )

    def scorer(self, tokenizer: HubTokenizer) -> PromptScorer | None:
        if self._scratch is None:
            return None
        return PromptScorer(self.model, self._scratch, self._scored_tokens, tokenizer, tokenizer.size)

    @property
    def models(self) -> tuple[Any, ...]:
        return tuple(model for model in (self.model, self.draft) if model is not None)

    @property
    def drafter(self) -> Drafter | None:
        if self.draft is not None:
            return Drafter.MODEL
        return Drafter.NGRAM if self.spec.ngram_tokens else None

    @property
    def drafted(self) -> int:
        """Tokens that are guessed at once, at most."""
        if self.spec.draft is not None:
            return self.spec.draft.most
        if self.options.mtp:
            return int(self.draft.caps.get("default_draft_size", _USUAL_DRAFT))
        return self.spec.ngram_tokens

    @property
    def _cache_tokens(self) -> int:
        """With room for what a full context and a draft beyond it take."""
        return in_pages(max(self.context, self.options.page_cache_tokens) + self.drafted + 1)

    @property
    def _scored_tokens(self) -> int:
        return min(self.options.scored_tokens, self.context)

    def _make_draft(self) -> None:
        if self.spec.draft is not None:
            self.draft = exllamav3.Model.from_config(exllamav3.Config.from_directory(self.spec.draft.path))
        elif self.options.mtp:
            self.draft = exllamav3.Model.from_config(self.config, component=MTP)

    def _made_cache(self, model: Any, tokens: int, slots: int = 0) -> Any:
        keys, values = self.options.bits
        quantized = {"layer_type": exllamav3.CacheLayer_quant, "k_bits": keys, "v_bits": values}
        return exllamav3.Cache(
            model,
            max_num_tokens=tokens,
            max_batch_size=slots or self.spec.parallel,
            max_history=self.drafted,
            **({} if keys == FULL_BITS else quantized),
        )

    def _load(self, model: Any, **more: Any) -> None:
        model.load(
            use_per_device=list(self.options.gpu_split) or None,
            max_chunk_size=self.options.chunk,
            max_batch_size=self.spec.parallel,
            **more,
        )

    def _drafting(self) -> dict[str, Any]:
        if self.draft is not None:
            # What is seldom accepted is cut short.
            given = {"dynamic_draft_tokens": True, "num_draft_tokens": self.drafted}
            return {"draft_model": self.draft, "draft_cache": self._draft_cache, **given}
        if self.spec.ngram_tokens:
            return {"ngram_match_min": _NGRAM_MATCH, "num_draft_tokens": self.spec.ngram_tokens}
        return {}
