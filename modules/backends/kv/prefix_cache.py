"""The KV cache as a radix tree: which sequence holds which tokens, and their cells. Pure.

The tree mirrors llama.cpp's unified cache, where one cell may belong to several sequences: a node is a run of cells,
its holders are the sequences that those cells belong to. (Radix-tree prefix sharing: SGLang, arXiv:2312.07104.)
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from modules.backends.adapters import AdapterGroup


@dataclass(slots=True, eq=False)
class _Node:
    tokens: list[int]
    parent: "_Node | None"
    children: "list[_Node]" = field(default_factory=list)
    holders: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Match:
    """The longest held beginning of some tokens: `length` of them, in cells that belong to `sequence`."""

    length: int
    sequence: int | None


class PrefixCache:
    """Sequences are small integers chosen by the caller. A sequence holds one path from the root of its group; the same
    tokens mean other cells in another group."""

    def __init__(self) -> None:
        self._roots: dict[AdapterGroup, _Node] = {}
        self._groups: dict[int, AdapterGroup] = {}
        self._leaves: dict[int, _Node] = {}
        self._lengths: dict[int, int] = {}
        self._cells = 0

    @property
    def cells(self) -> int:
        """Cells in use, shared ones counted once."""
        return self._cells

    def length(self, sequence: int) -> int:
        return self._lengths.get(sequence, 0)

    def begin(self, sequence: int, group: AdapterGroup) -> None:
        """`sequence`, which holds nothing or is of it, is of `group`; without this, of the group ()."""
        self._groups[sequence] = group

    def match(self, tokens: Sequence[int], group: AdapterGroup = ()) -> Match:
        """Siblings may begin alike when both were computed, so every branch that fits is followed."""
        best = Match(0, None)
        root = self._roots.get(group)
        branches = [] if root is None else [(root, 0)]
        while branches:
            node, start = branches.pop()
            for child, common in self._fitting_children(node, tokens, start):
                if start + common > best.length:
                    best = Match(start + common, next(iter(child.holders)))
                if common == len(child.tokens):
                    branches.append((child, start + common))
        return best

    def whole_match(self, tokens: Sequence[int], candidates: Iterable[int], group: AdapterGroup = ()) -> Match:
        """The longest of `candidates` of `group` whose tokens are, all of them, a beginning of `tokens`."""
        own = (sequence for sequence in candidates if self.group(sequence) == group)
        fitting = [sequence for sequence in own if self._is_beginning(self.tokens(sequence), tokens)]
        best = max(fitting, key=self.length, default=None)
        return Match(0, None) if best is None else Match(self.length(best), best)

    def group(self, sequence: int) -> AdapterGroup:
        return self._groups.get(sequence, ())

    def tokens(self, sequence: int) -> list[int]:
        path = list(self._path(sequence))
        return [token for node in reversed(path) for token in node.tokens]

    def share(self, source: int, target: int, length: int) -> None:
        """`target`, which holds nothing, now also holds the first `length` tokens of `source`."""
        if length == 0:
            return
        path = list(self._path(source))[::-1]
        remaining = length
        for node in path:
            if len(node.tokens) > remaining:
                self._split(node, remaining)
                node = node.parent or node  # noqa: PLW2901
            node.holders.add(target)
            remaining -= len(node.tokens)
            if remaining == 0:
                self._leaves[target] = node
                break
        self._lengths[target] = length

    def extend(self, sequence: int, tokens: Sequence[int]) -> None:
        """`tokens` were computed for `sequence`, after what it holds."""
        leaf = self._leaves.get(sequence)
        if leaf is None or leaf.children or len(leaf.holders) > 1:
            leaf = self._add_child(leaf or self._root_of(self.group(sequence)), sequence)
        leaf.tokens.extend(tokens)
        self._lengths[sequence] = self.length(sequence) + len(tokens)
        self._cells += len(tokens)

    def release(self, sequence: int) -> None:
        """`sequence` gives up everything; cells that nobody else holds are free."""
        for node in list(self._path(sequence)):
            node.holders.discard(sequence)
            if not node.holders and node.parent is not None:
                node.parent.children.remove(node)
                self._cells -= len(node.tokens)
        self._leaves.pop(sequence, None)
        self._lengths.pop(sequence, None)
        group = self._groups.pop(sequence, ())
        if group in self._roots and not self._roots[group].children:
            del self._roots[group]

    def is_redundant(self, sequence: int) -> bool:
        """True when another sequence holds all that this one holds."""
        leaf = self._leaves.get(sequence)
        return leaf is None or len(leaf.holders) > 1

    def cells_of(self, sequences: Iterable[int]) -> int:
        """Cells that at least one of `sequences` holds."""
        nodes = {id(node): len(node.tokens) for sequence in sequences for node in self._path(sequence)}
        return sum(nodes.values())

    def _root_of(self, group: AdapterGroup) -> _Node:
        return self._roots.setdefault(group, _Node([], None))

    def _path(self, sequence: int) -> Iterator[_Node]:
        """From the leaf up to, not including, the root."""
        node = self._leaves.get(sequence)
        while node is not None and node.parent is not None:
            yield node
            node = node.parent

    @staticmethod
    def _fitting_children(node: _Node, tokens: Sequence[int], start: int) -> Iterator[tuple[_Node, int]]:
        """The children that begin like `tokens[start:]`, and how far they are like it."""
        for child in node.children:
            if start < len(tokens) and child.tokens[0] == tokens[start]:
                yield child, common_length(child.tokens, tokens, start)

    def _add_child(self, parent: _Node, sequence: int) -> _Node:
        child = _Node([], parent, holders={sequence})
        parent.children.append(child)
        self._leaves[sequence] = child
        return child

    def _split(self, node: _Node, length: int) -> None:
        """Put a new node with the first `length` tokens of `node` above it."""
        parent = node.parent
        assert parent is not None
        upper = _Node(node.tokens[:length], parent, [node], set(node.holders))
        parent.children[parent.children.index(node)] = upper
        node.parent = upper
        node.tokens = node.tokens[length:]

    @staticmethod
    def _is_beginning(held: list[int], tokens: Sequence[int]) -> bool:
        return len(held) <= len(tokens) and held == list(tokens[: len(held)])


def common_length(held: Sequence[int], tokens: Sequence[int], start: int = 0) -> int:
    """How many leading tokens of `held` equal those of `tokens[start:]`."""
    limit = min(len(held), len(tokens) - start)
    if list(held[:limit]) == list(tokens[start : start + limit]):
        return limit
    return next(at for at in range(limit) if held[at] != tokens[start + at])
