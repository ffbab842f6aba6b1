"""How a model computes new tokens of several sequences.

Together in one pass, or one sequence after the other.
"""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import torch

from modules.backends.multimodal.encoder import Rows
from modules.backends.sampling.logprobs import Row
from modules.backends.transformers import attention
from modules.backends.transformers.attention import Ahead, PackedRow, PackedStep, SequenceCache
from modules.backends.transformers.library import transformers

# What Transformers' versions and architectures call the cache.
_CACHE_NAMES: Final = ("cache", "past_key_values", "cache_params", "state")
# Of RWKV, which makes it itself.
_OWN_STATE: Final = "state"
NO_CELL: Final = -1
# The positions of tokens, where each has several: one row for each kind.
Places: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """`tokens` of `sequence`, the first of which is at `start`. Of the last `rows` the logits are wanted.

    Ids below 0 stand for `cells`, which the model reads in their place, and which look at each other as `ahead` says. With
    a `cell_id` the model itself puts them in the places of that token: they are wider than what it reads of text, by what
    it adds in its layers.
    """

    sequence: int
    start: int
    tokens: Sequence[int]
    rows: int
    cells: Rows | None = None
    places: Places | None = None
    ahead: Ahead = Ahead.NOWHERE
    cell_id: int = NO_CELL


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
    """All pieces in one pass, with `packed_attention`; cells that the model puts in their places in one of their own."""

    can_share: Final = True

    def __init__(self, model: Any) -> None:
        self._model = model
        self._caches: dict[int, SequenceCache] = {}

    def run(self, pieces: Sequence[Piece]) -> list[Row]:
        with torch.inference_mode():
            return [row for together in _passes(pieces) for row in self._run(together)]

    def copy(self, source: int, target: int, length: int) -> None:
        self._caches[target] = self._caches[source].copy(length)

    def remove(self, sequence: int) -> None:
        self._caches.pop(sequence, None)

    def _run(self, pieces: Sequence[Piece]) -> list[Row]:
        step = PackedStep([PackedRow(self._cache(piece), len(piece.tokens), piece.ahead) for piece in pieces])
        wanted = list(_wanted(pieces))
        logits = self._model(
            **_read(self._model, pieces),
            position_ids=_positions(self._model, pieces),
            use_cache=False,
            # None at all would mean every one.
            logits_to_keep=torch.tensor(wanted or [0], device=self._model.device),
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
            cells = None if piece.cells is None else piece.cells[at : at + 1]
            places = None if piece.places is None else piece.places[:, at : at + 1]
            rows = int(at >= silent)
            yield Piece(
                piece.sequence, piece.start + at, [token], rows, cells=cells, places=places, cell_id=piece.cell_id
            )

    def _new_cache(self) -> Any:
        """Models with a state of their own kind make it themselves."""
        if self._name == _OWN_STATE:
            return None
        return transformers.DynamicCache(config=self._model.config.get_text_config(decoder=True))

    def _run(self, piece: Piece) -> list[Row]:
        if piece.ahead is not Ahead.NOWHERE:
            raise NotImplementedError("cells that look ahead, with a mask of the model's own")
        if piece.start == 0:
            self._caches[piece.sequence] = self._new_cache()
        fields: dict[str, Any] = {self._name: self._caches[piece.sequence], "use_cache": True}
        if self._takes_keep:
            fields["logits_to_keep"] = max(1, piece.rows)
        if self._takes_places:
            fields["position_ids"] = _positions(self._model, [piece])
        output = self._model(**_read(self._model, [piece]), **fields)
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
    return bool(np.abs(found - expected).max() <= tolerance(model) * np.abs(expected).max())


def packs(model: Any) -> bool:
    """Whether a PackedRunner computes what the model itself does; the model is left with the attention that is right. Tried, because architectures may do with keys and values what no description tells."""
    vocabulary = int(model.config.get_text_config(decoder=True).vocab_size)
    first, second = ([(3 + step * at) % vocabulary for at in range(12)] for step in (7, 11))
    part = _writing_part(model)
    plain = part.config._attn_implementation
    try:
        expected = [_last_logits(model, tokens) for tokens in (first, second)]
        part.set_attn_implementation(attention.NAME)
        runner = PackedRunner(model)
        runner.run([Piece(0, 0, first[:5], 0)])
        runner.run([Piece(0, 5, first[5:11], 0), Piece(1, 0, second[:11], 0)])
        found = runner.run([Piece(0, 11, first[11:], 1), Piece(1, 11, second[11:], 1)])
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, AssertionError):
        part.set_attn_implementation(plain)
        return False
    near = tolerance(model)
    if all(np.abs(a - b).max() <= near * np.abs(b).max() for a, b in zip(found, expected, strict=True)):
        return True
    part.set_attn_implementation(plain)
    return False


def tolerance(model: Any) -> float:
    """How far logits of the same text may lie apart, as a part of the largest: sums are made in another order."""
    return 0.01 if model.dtype == torch.float32 and not getattr(model, "is_quantized", False) else 0.1


def _writing_part(model: Any) -> Any:
    """Without the part that sees."""
    return model.get_decoder() if hasattr(model.base_model, "get_image_features") else model


def _passes(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    together: list[Piece] = []
    for piece in pieces:
        if piece.cell_id == NO_CELL:
            together.append(piece)
            continue
        if together:
            yield together
        yield [piece]
        together = []
    if together:
        yield together


def _read(model: Any, pieces: Sequence[Piece]) -> dict[str, Any]:
    """Token ids or, where there are cells, what the model would make of ids and what stands in their places."""
    if pieces[0].cell_id != NO_CELL:
        return _as_seen(model, pieces[0])
    ids = torch.tensor([[max(0, token) for piece in pieces for token in piece.tokens]], device=model.device)
    if all(piece.cells is None for piece in pieces):
        return {"input_ids": ids}
    rows = model.get_input_embeddings()(ids)
    at = 0
    for piece in pieces:
        end = at + len(piece.tokens)
        if piece.cells is not None:
            rows[0, at:end] = torch.from_numpy(piece.cells).to(rows)
        at = end
    return {"inputs_embeds": rows}


def _as_seen(model: Any, piece: Piece) -> dict[str, Any]:
    """As if the model had just seen a picture."""
    assert piece.cells is not None
    rows = torch.from_numpy(piece.cells).to(model.device, model.dtype)
    first, *added = rows.split(model.get_input_embeddings().weight.shape[-1], dim=1)
    seen = transformers.modeling_outputs.BaseModelOutputWithPooling(pooler_output=[first])
    seen.deepstack_features = [[each] for each in added]
    ids = torch.full((1, len(piece.tokens)), piece.cell_id, device=model.device)
    return {"input_ids": ids, "mm_encoder_outputs": {"image": seen}}


def _positions(model: Any, pieces: Sequence[Piece]) -> torch.Tensor:
    """[1, tokens], or [planes, 1, tokens] where a piece has several for each token."""
    planes = next((len(piece.places) for piece in pieces if piece.places is not None), 1)
    each = [
        np.broadcast_to(np.arange(piece.start, piece.start + len(piece.tokens)), (planes, len(piece.tokens)))
        if piece.places is None
        else piece.places
        for piece in pieces
    ]
    found = torch.from_numpy(np.concatenate(each, axis=1)).to(model.device)
    return found if planes == 1 else found[:, None]


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
