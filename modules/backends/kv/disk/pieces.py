"""Pieces of states of sequences, and the tree that they make. Pure.

Each piece goes on from the one that it names as its parent.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

import msgspec

TOKEN_BYTES: Final = 4


class PieceHead(msgspec.Struct, frozen=True, array_like=True):
    """What a piece is: the state of some tokens after those of its `parent` ("" where they are the first), at `start`.

    `tokens` are 32-bit numbers. `size` is the length of the state in bytes, `seconds` what a token took to
    be computed. With `is_whole` it has no parent and can only be taken over to its end.
    """

    parent: str
    start: int
    tokens: bytes
    is_whole: bool
    size: int
    seconds: float

    @property
    def length(self) -> int:
        return len(self.tokens) // TOKEN_BYTES

    @property
    def end(self) -> int:
        return self.start + self.length


@dataclass(frozen=True, slots=True)
class Use:
    """Of the piece `name` the tokens up to `end`."""

    name: str
    head: PieceHead
    end: int


@dataclass(frozen=True, slots=True)
class FoundPieces:
    """The longest beginning of some tokens that is kept: `length` of them, in `uses`, in order."""

    uses: tuple[Use, ...] = ()

    @property
    def length(self) -> int:
        return self.uses[-1].end if self.uses else 0

    def after(self, known: int) -> "FoundPieces":
        """What is needed of it where the first `known` tokens are at hand."""
        return FoundPieces(tuple(use for use in self.uses if use.end > known))

    @property
    def size(self) -> int:
        return sum(use.head.size for use in self.uses)

    def seconds(self, known: int) -> float:
        """What computing it would take, after the first `known` tokens."""
        return sum(use.head.seconds * (use.end - max(known, use.head.start)) for use in self.uses if use.end > known)


class PieceTree:
    """The pieces of one model that are known of, by name."""

    def __init__(self) -> None:
        self._heads: dict[str, PieceHead] = {}
        self._children: dict[str, dict[str, PieceHead]] = {}
        self._whole: dict[str, PieceHead] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._heads

    def __len__(self) -> int:
        return len(self._heads)

    def add(self, name: str, head: PieceHead) -> None:
        self._heads[name] = head
        if head.is_whole:
            self._whole[name] = head
        else:
            self._children.setdefault(head.parent, {})[name] = head

    def remove(self, name: str) -> None:
        head = self._heads.pop(name, None)
        if head is None:
            return
        self._whole.pop(name, None)
        siblings = self._children.get(head.parent, {})
        siblings.pop(name, None)
        if not siblings:
            self._children.pop(head.parent, None)

    def keep_only(self, names: "set[str]") -> None:
        for name in [name for name in self._heads if name not in names]:
            self.remove(name)

    def find(self, root: str, tokens: bytes) -> FoundPieces:
        """The longest path from `root` that `tokens` begin with; the last piece of it may be needed in part."""
        best: tuple[Use, ...] = ()
        branches: list[tuple[str, tuple[Use, ...]]] = [(root, ())]
        while branches:
            parent, path = branches.pop()
            start = path[-1].end if path else 0
            for name, head in self._children.get(parent, {}).items():
                common = common_tokens(head.tokens, tokens, start)
                if not common:
                    continue
                longer = (*path, Use(name, head, start + common))
                if longer[-1].end > (best[-1].end if best else 0):
                    best = longer
                if common == head.length:
                    branches.append((name, longer))
        return FoundPieces(best)

    def find_whole(self, root: str, tokens: bytes) -> FoundPieces:
        """The longest of the whole states of `root` whose tokens are, all of them, a beginning of `tokens`."""
        best: Use | None = None
        for name, head in self._whole.items():
            is_longer = best is None or head.length > best.end
            if is_longer and head.parent == root and tokens.startswith(head.tokens):
                best = Use(name, head, head.length)
        return FoundPieces(() if best is None else (best,))


def packed(tokens: Sequence[int]) -> bytes:
    return array("i", tokens).tobytes()


def spans(start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """`start` to `end` in pieces of `size`."""
    for number in count():
        first = start + number * size
        if first >= end:
            return
        yield first, min(first + size, end)


def common_tokens(held: bytes, tokens: bytes, start: int) -> int:
    """How many leading tokens of `held` equal those of `tokens` from the one at `start` on."""
    at = start * TOKEN_BYTES
    low, high = 0, min(len(held), len(tokens) - at) // TOKEN_BYTES
    while low < high:
        middle = (low + high + 1) // 2
        size = middle * TOKEN_BYTES
        if held[:size] == tokens[at : at + size]:
            low = middle
        else:
            high = middle - 1
    return low
