"""How a model computes new tokens of several sequences.

Together in one pass, or one sequence after the other.
"""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import torch

from modules.backends.sampling.logprobs import Row
from modules.backends.transformers import attention
from modules.backends.transformers.attention import PackedStep, SequenceCache
from modules.backends.transformers.library import transformers

# What Transformers' versions and architectures call the cache.
_CACHE_NAMES: Final = ("cache", "past_key_values", "cache_params", "state")
# Of RWKV, which makes it itself.
_OWN_STATE: Final = "state"


@dataclass(frozen=True, slots=True)
class Piece:
    """`tokens` of `sequence`, the first of which is at `start`. Of the last `rows` the logits are wanted."""

    sequence: int
    start: int
    tokens: Sequence[int]
    rows: int


class Runner(Protocol):
    """Holds what sequences, which are small numbers, have computed so far."""

    @property
    def can_share(self) -> bool:
        """Whether `copy` can be asked for, at any length."""
        ...

    def run(self, pieces: Sequence[Piece]) -> list[Row]:
        """The logits that are wanted, in order, as rows that may be changed."""
        ...

    def copy(self, source: int, target: int, length: int) -> None: ...

    def remove(self, sequence: int) -> None: ...


class PackedRunner:
    """All pieces in one pass, with `packed_attention`."""

    can_share: Final = True

    def __init__(self, model: Any) -> None:
        self._model = model
        self._caches: dict[int, SequenceCache] = {}

    def run(self, pieces: Sequence[Piece]) -> list[Row]:
        with torch.inference_mode():
            return self._run(pieces)

    def copy(self, source: int, target: int, length: int) -> None:
        self._caches[target] = self._caches[source].copy(length)

    def remove(self, sequence: int) -> None:
        self._caches.pop(sequence, None)

    def _run(self, pieces: Sequence[Piece]) -> list[Row]:
        step = PackedStep([(self._cache(piece), len(piece.tokens)) for piece in pieces])
        device = self._model.device
        ids = [token for piece in pieces for token in piece.tokens]
        places = [piece.start + at for piece in pieces for at in range(len(piece.tokens))]
        wanted = list(_wanted(pieces))
        logits = self._model(
            input_ids=torch.tensor([ids], device=device),
            position_ids=torch.tensor([places], device=device),
            use_cache=False,
            # None at all would mean every one.
            logits_to_keep=torch.tensor(wanted or [0], device=device),
            packed=step,
        ).logits
        step.finish()
        return _rows(logits[0]) if wanted else []

    def _cache(self, piece: Piece) -> SequenceCache:
        cache = self._caches.setdefault(piece.sequence, SequenceCache())
        assert cache.length == piece.start
        return cache


class SingleRunner:
    """One pass for each piece, with a cache of Transformers' own, which may be of any kind: it cannot be cut or shared. With
    `by_token` what follows the first piece is read token by token: some recurrent models start anew with each longer one."""

    can_share: Final = False

    def __init__(self, model: Any, *, by_token: bool = False) -> None:
        self._model = model
        self._by_token = by_token
        self._caches: dict[int, Any] = {}
        known = inspect.signature(model.forward).parameters
        self._name = next((name for name in _CACHE_NAMES if name in known), _CACHE_NAMES[1])
        self._takes_keep = "logits_to_keep" in known
        self._takes_places = "position_ids" in known

    def run(self, pieces: Sequence[Piece]) -> list[Row]:
        with torch.inference_mode():
            return [row for piece in pieces for part in self._parts(piece) for row in self._run(part)]

    def copy(self, source: int, target: int, length: int) -> None:
        raise NotImplementedError("a cache that cannot be shared")

    def remove(self, sequence: int) -> None:
        self._caches.pop(sequence, None)

    def _parts(self, piece: Piece) -> Iterator[Piece]:
        if not self._by_token or piece.start == 0:
            yield piece
            return
        silent = len(piece.tokens) - piece.rows
        for at, token in enumerate(piece.tokens):
            yield Piece(piece.sequence, piece.start + at, [token], int(at >= silent))

    def _new_cache(self) -> Any:
        """Models with a state of their own kind make it themselves."""
        if self._name == _OWN_STATE:
            return None
        return transformers.DynamicCache(config=self._model.config.get_text_config(decoder=True))

    def _run(self, piece: Piece) -> list[Row]:
        device = self._model.device
        count = len(piece.tokens)
        if piece.start == 0:
            self._caches[piece.sequence] = self._new_cache()
        fields: dict[str, Any] = {self._name: self._caches[piece.sequence], "use_cache": True}
        if self._takes_keep:
            fields["logits_to_keep"] = max(1, piece.rows)
        if self._takes_places:
            fields["position_ids"] = torch.arange(piece.start, piece.start + count, device=device)[None]
        output = self._model(input_ids=torch.tensor([list(piece.tokens)], device=device), **fields)
        held = getattr(output, self._name, None)
        if held is not None:
            self._caches[piece.sequence] = held
        return _rows(output.logits[0, -piece.rows :]) if piece.rows else []


def single_runner(model: Any) -> SingleRunner | None:
    """One that computes what the model does when it reads all at once; None where none does. Tried, because a model that
    does not take the cache that it is handed answers as if nothing had been said before."""
    for by_token in (False, True):
        runner = SingleRunner(model, by_token=by_token)
        if _goes_on(model, runner):
            return runner
    return None


def _goes_on(model: Any, runner: SingleRunner) -> bool:
    vocabulary = int(model.config.get_text_config(decoder=True).vocab_size)
    tokens = [(3 + 7 * at) % vocabulary for at in range(12)]
    expected = _last_logits(model, tokens)
    runner.run([Piece(0, 0, tokens[:4], 0)])
    runner.run([Piece(0, 4, tokens[4:11], 0)])
    (found,) = runner.run([Piece(0, 11, tokens[11:], 1)])
    runner.remove(0)
    near = 0.01 if model.dtype == torch.float32 else 0.1
    return bool(np.abs(found - expected).max() <= near * np.abs(expected).max())


def packs(model: Any, plain: str) -> bool:
    """Whether a PackedRunner computes what the model itself does with the attention `plain`; the model is left with the one
    that is right. Tried, because architectures may do with keys and values what no description tells."""
    vocabulary = int(model.config.get_text_config(decoder=True).vocab_size)
    first, second = ([(3 + step * at) % vocabulary for at in range(12)] for step in (7, 11))
    try:
        expected = [_last_logits(model, tokens) for tokens in (first, second)]
        model.set_attn_implementation(attention.NAME)
        runner = PackedRunner(model)
        runner.run([Piece(0, 0, first[:5], 0)])
        runner.run([Piece(0, 5, first[5:11], 0), Piece(1, 0, second[:11], 0)])
        found = runner.run([Piece(0, 11, first[11:], 1), Piece(1, 11, second[11:], 1)])
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, AssertionError):
        model.set_attn_implementation(plain)
        return False
    near = 0.01 if model.dtype == torch.float32 else 0.1
    if all(np.abs(a - b).max() <= near * np.abs(b).max() for a, b in zip(found, expected, strict=True)):
        return True
    model.set_attn_implementation(plain)
    return False


def _last_logits(model: Any, tokens: Sequence[int]) -> Row:
    with torch.inference_mode():
        ids = torch.tensor([list(tokens)], device=model.device)
        return _rows(model(input_ids=ids, use_cache=False).logits[0, -1:])[0]


def _wanted(pieces: Sequence[Piece]) -> Iterator[int]:
    """Where in the row those tokens are whose logits are wanted."""
    end = 0
    for piece in pieces:
        end += len(piece.tokens)
        yield from range(end - piece.rows, end)


def _rows(logits: torch.Tensor) -> list[Row]:
    return list(logits.float().cpu().numpy())
