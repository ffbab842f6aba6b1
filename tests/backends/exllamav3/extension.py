"""exllamav3's own Python code without its compiled extension: generator, jobs, pages, filters and samplers are the real ones.

What the extension computes on a card is written out here for a CPU, after its sources and comments; the model behind it
is Transformers' own, which recomputes each sequence from the tokens that its pages hold. Kernels, quantized weights and
caches, vision parts and several cards are not tried by this.
"""

import contextlib
import importlib
import math
import sys
import types
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from typing import Any, Final
from unittest import mock

import torch

from modules.backends.transformers.library import transformers
from tests.model_files import model_folder

WHEEL: Final = "exllamav3-1.6.5"
PAGE: Final = 256
# Imported late by the library, with Triton, as are its architectures.
_LATE: Final = "exllamav3.modules.block_sparse_mlp_cpu"
_TRITON: Final = ("triton", "triton.language", "triton.runtime", "triton.runtime.jit")
_GREEDY, _SAMPLE, _SAMPLE_MINP = 0, 1, 2
_TOPK, _TOPP, _MINP = 1, 2, 4


class _Anything(mock.MagicMock):
    __path__: Sequence[str] = ()


@contextlib.contextmanager
def exllamav3_code() -> Iterator[types.ModuleType]:
    """The library, importable; its models and caches are those of this module."""
    folder = model_folder(WHEEL)
    known = set(sys.modules)
    sys.path.insert(0, str(folder))
    compiled = types.ModuleType("exllamav3.ext")
    compiled.__dict__["exllamav3_ext"] = Extension()
    try:
        # PyTorch would take what stands for Triton to be the real one, so it is there for the import only.
        with mock.patch.dict(sys.modules, {name: _anything(name) for name in _TRITON}):
            sys.modules["exllamav3.ext"] = compiled
            library = importlib.import_module("exllamav3")
            importlib.import_module(_LATE)
            importlib.import_module("exllamav3.architecture.architectures").get_architectures()
            imported = {name: each for name, each in sys.modules.items() if name.partition(".")[0] == "exllamav3"}
        sys.modules.update(imported)
        with contextlib.ExitStack() as patches:
            for name in ("generator.generator", "generator.job"):
                module = importlib.import_module(f"exllamav3.{name}")
                patches.enter_context(mock.patch.object(module, "torch", _TorchOnCpu()))
                patches.enter_context(mock.patch.object(module, "cuda_sync_active", create=True))
            patches.enter_context(mock.patch.object(library, "Model", PagedModel))
            patches.enter_context(mock.patch.object(library, "Cache", TokenCache))
            yield library
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - known:
            if name.partition(".")[0] == "exllamav3" or name.startswith("modules.backends.exllamav3"):
                del sys.modules[name]


def _anything(name: str) -> _Anything:
    return _Anything(name=name, __spec__=ModuleSpec(name, None))


class _TorchOnCpu:
    """PyTorch without memory that is pinned for cards, and with nothing to wait for."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    cuda = types.SimpleNamespace(synchronize=lambda device=None: None)

    @staticmethod
    def empty(*shape: Any, pin_memory: bool = False, **fields: Any) -> torch.Tensor:
        return torch.empty(*shape, **fields)

    @staticmethod
    def zeros(*shape: Any, pin_memory: bool = False, **fields: Any) -> torch.Tensor:
        return torch.zeros(*shape, **fields)


class TokenCache:
    """A cache whose pages hold token ids in place of keys and values."""

    def __init__(self, model: "PagedModel", max_num_tokens: int, **fields: Any) -> None:
        assert max_num_tokens % PAGE == 0
        self.model = model
        self.fields = fields
        self.max_num_tokens = max_num_tokens
        self.pages = torch.full((max_num_tokens // PAGE, PAGE), -1, dtype=torch.long)
        self.initialized = False
        self.num_slots = fields.get("max_batch_size", 16)
        self.max_history = fields.get("max_history", 0)
        model.caches.append(self)

    def copy_page(self, target: "TokenCache", from_page: int, to_page: int, num_tokens: int) -> None:
        target.pages[to_page, :num_tokens] = self.pages[from_page, :num_tokens]

    def get_all_tensors(self) -> list[torch.Tensor]:
        return [self.pages]


class PagedModel:
    """Transformers' model in the place of the library's: reads and writes pages as its block tables say."""

    def __init__(self, config: Any, component: str) -> None:
        self.config = config
        self.component = component
        self.caps: dict[str, Any] = {}
        self.caches: list[TokenCache] = []
        self.loaded_tp = False
        self.output_device = torch.device("cpu")
        self.modules_dict: dict[str, Any] | None = {}
        self.draft_verifier_params: dict[str, Any] = {}
        self.asked: dict[str, Any] = {}
        self.computed = 0
        self._model: Any = None

    @staticmethod
    def from_config(config: Any, component: str = "text") -> "PagedModel":
        assert component in config.model_classes
        return PagedModel(config, component)

    def load(self, **fields: Any) -> None:
        self.asked = fields
        self._model = transformers.AutoModelForCausalLM.from_pretrained(self.config.directory).eval()
        for cache in self.caches:
            cache.initialized = True
        if fields.get("callback") is not None:
            fields["callback"](1, 1)

    def unload(self) -> None:
        self._model = None

    def warmup(self, **fields: Any) -> list[str]:
        self.asked["warmup"] = fields
        return []

    def get_cache_layers(self) -> list[Any]:
        return []

    def prefetch_tokens(self, ids: list[int]) -> None:
        pass

    def prefill(self, input_ids: torch.Tensor, params: dict[str, Any]) -> None:
        self.forward(input_ids, params)

    def forward(self, input_ids: torch.Tensor, params: dict[str, Any]) -> torch.Tensor:
        """Logits (rows, tokens, padded vocabulary) in half precision, as a card has them."""
        assert params["attn_mode"] == "flash_attn"
        cache = params["cache"]
        if "block_table" in params:
            tables, starts = params["block_table"], params["cache_seqlens"].tolist()
        else:
            tables, starts = torch.arange(len(cache.pages))[None], [params["past_len"]]
        rows = [
            self._row(cache, ids, table, start) for ids, table, start in zip(input_ids, tables, starts, strict=True)
        ]
        self.computed += input_ids.numel()
        return torch.stack(rows)

    def _row(self, cache: TokenCache, ids: torch.Tensor, table: torch.Tensor, start: int) -> torch.Tensor:
        for at, token in enumerate(ids.tolist(), start):
            cache.pages[int(table[at // PAGE]), at % PAGE] = token
        end = start + len(ids)
        held = torch.cat([cache.pages[int(page)] for page in table[: -(-end // PAGE)]])[:end]
        assert (held >= 0).all(), "a page is read that nothing was written to"
        logits = self._model(input_ids=held[None], use_cache=False).logits[0, start:].float()
        padding = -logits.shape[-1] % 32
        return torch.nn.functional.pad(logits, (0, padding))


class Extension:
    """The functions of the compiled part that generator and samplers call."""

    FUSED_SAMPLER_MAX_BLOCKS = 1
    FUSED_SAMPLER_HIST_STRIDE = 1

    def __getattr__(self, name: str) -> Any:
        """Layers are imported, never computed."""
        return mock.MagicMock(name=name)

    @staticmethod
    def generator_stage_decode(
        arena: torch.Tensor,
        width: int,
        tables: Sequence[torch.Tensor],
        positions: Sequence[int],
        offsets: Sequence[int],
        batch_ids: torch.Tensor | None,
        sequences: Sequence[torch.Tensor],
        pages: Sequence[torch.Tensor],
        page_offsets: Sequence[int],
    ) -> None:
        rows = len(tables)
        arena.zero_()
        for row, (table, position) in enumerate(zip(tables, positions, strict=True)):
            count = min(table.numel(), width)
            arena[row * width : row * width + count] = table.view(-1)[:count]
            arena[rows * width + row] = position
        for row, (sequence, page, offset) in enumerate(zip(sequences, pages, page_offsets, strict=True)):
            assert batch_ids is not None
            token = sequence[0, positions[row]]
            batch_ids[row, 0] = token
            page[0, offset] = token

    @staticmethod
    def count_match_tensor(page: torch.Tensor, ids: torch.Tensor, bound: int) -> int:
        count = min(bound, ids.shape[-1], page.shape[-1])
        same = page[0, :count] == ids[0, :count]
        return int(same.long().cumprod(0).sum())

    @staticmethod
    def cache_rotate(cache: torch.Tensor, rotations: torch.Tensor, buffer: torch.Tensor) -> None:
        """Pairs (to, from) of pages, -1 for the buffer."""
        for to, source in rotations.view(-1, 2).tolist():
            taken = buffer if source < 0 else cache[source]
            (buffer if to < 0 else cache[to]).copy_(taken.clone())

    @staticmethod
    def gumbel_noise_f16(source: torch.Tensor, target: torch.Tensor, seed: int) -> None:
        target.copy_(source + _gumbel(source, seed).to(source.dtype))

    @staticmethod
    def gumbel_noise_f32(source: torch.Tensor, target: torch.Tensor, seed: int) -> None:
        target.copy_(source + _gumbel(source, seed))

    @staticmethod
    def gumbel_noise_log(source: torch.Tensor, target: torch.Tensor, seed: int) -> None:
        target.copy_(source.log() + _gumbel(source, seed))

    @staticmethod
    def apply_logit_bitmask(logits: torch.Tensor, target: torch.Tensor, bits: torch.Tensor) -> None:
        target.copy_(logits.masked_fill(~_bits(bits, logits.shape[-1]), -math.inf))

    @staticmethod
    def apply_rep_pens(
        source: torch.Tensor, target: torch.Tensor, past: torch.Tensor, penalty: float, sustain: int, decay: int
    ) -> None:
        assert decay == 0
        seen = past[0, -sustain:].unique()
        target.copy_(source)
        values = target[0, seen]
        target[0, seen] = torch.where(values > 0, values / penalty, values * penalty)

    @staticmethod
    def apply_pres_freq_pens(
        source: torch.Tensor,
        target: torch.Tensor,
        past: torch.Tensor,
        presence: float,
        frequency: float,
        sustain: int,
        decay: int,
    ) -> None:
        assert decay == 0
        counts = torch.bincount(past[0, -sustain:], minlength=source.shape[-1]).float()
        target.copy_(source - counts * frequency - (counts > 0).float() * presence)

    @staticmethod
    def fused_sampler(
        logits: torch.Tensor,
        mask: torch.Tensor | None,
        bits: torch.Tensor | None,
        out: torch.Tensor,
        workspace: torch.Tensor,
        size: int,
        inverse: float,
        minp_log: float,
        seed: int,
        mode: int,
        filters: int,
        top_k: int,
        top_p: float,
        inverse_filter: float,
        histogram: torch.Tensor | None,
    ) -> None:
        row = logits[:, :size].float().clone()
        if mask is not None:
            row += mask[:, :size]
        if bits is not None:
            row.masked_fill_(~_bits(bits, size), -math.inf)
        if mode == _GREEDY:
            out.copy_(row.argmax(-1, keepdim=True))
            return
        if mode == _SAMPLE_MINP or filters & _MINP:
            row.masked_fill_(row < row.max() + minp_log, -math.inf)
        if filters & _TOPK:
            row.masked_fill_(row < row.topk(min(top_k, size)).values[:, -1:], -math.inf)
        if filters & _TOPP:
            shares, order = torch.softmax(row * inverse_filter, -1).sort(descending=True)
            cut = shares.cumsum(-1) - shares >= top_p
            row.masked_fill_(torch.zeros_like(cut).scatter(-1, order, cut), -math.inf)
        out.copy_((row * inverse + _gumbel(row, seed)).argmax(-1, keepdim=True))

    class BC_SAM:  # noqa: N801 - the extension's name
        """The longest end of a sequence that occurred before: by search, in place of an automaton."""

        def accept_tensor(self, tokens: torch.Tensor) -> tuple[int, int]:
            ids = tokens.view(-1).tolist()
            best = (-1, -1)
            for length in range(1, len(ids)):
                end = next((end for end in range(length, len(ids)) if ids[end - length : end] == ids[-length:]), None)
                if end is None:
                    break
                best = (end - length, end)
            return best


def _bits(bits: torch.Tensor, size: int) -> torch.Tensor:
    places = torch.arange(size)
    words = bits.view(1, -1).long()
    is_set = (words[0, (places // 32).clamp(max=words.shape[1] - 1)] >> (places % 32)) & 1
    return ((is_set == 1) & (places // 32 < words.shape[1]))[None]


def _gumbel(like: torch.Tensor, seed: int) -> torch.Tensor:
    numbers = torch.Generator().manual_seed(seed)
    uniform = torch.rand(like.shape, generator=numbers).clamp(1e-9, 1 - 1e-7)
    return -torch.log(-torch.log(uniform))
