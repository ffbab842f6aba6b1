"""All that was ever said in a conversation as a tree: other versions, and what followed them. Pure."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from modules.chat.session import session
from modules.errors import BadRequest
from modules.library.chats.history import ChatTurn, History, Row, Side, chosen, shortened

_BYTES: Final = 8
# As deep as a path may lead; every step is a message that was sent with other words.
_DEEPEST: Final = 200
_THOUGHT_END: Final = "</think>"

# A row, a side of it, and the version that is chosen there.
Step: TypeAlias = tuple[int, Side, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchNode:
    """A version of a message. `path` are the choices that lead to it from what is shown, none for what is; `level` is how
    many of them. `mark` is another one where the version that was chosen last has another text, `digest` where this has."""

    row: int
    side: Side
    version: int
    versions: int
    text: str
    path: tuple[Step, ...]
    mark: str
    digest: str

    @property
    def level(self) -> int:
        return len(self.path)


@dataclass(frozen=True, slots=True)
class _Route:
    """To a branch: the choices that lead there, and the mark of what was chosen last."""

    path: tuple[Step, ...] = ()
    mark: str = ""


def nodes_of(history: History) -> tuple[BranchNode, ...]:
    """In the order of the conversation; the other versions of a message, each with what followed it, stand after it."""
    return tuple(_nodes(history.rows, 0, _Route()))


def with_path(history: History, path: Sequence[Step], mark: str) -> History:
    """The conversation with those versions as the ones that count. Raises BadRequest where the last of them is not there,
    or says something else than `mark` tells."""
    if len(path) > _DEEPEST:
        raise BadRequest("That branch is not there any more.")
    for row, side, version in path:
        history = session.with_version(history, row, side, version)
    if path:
        row, side, _ = path[-1]
        if digest_of(session.turn_at(history, row, side)) != mark:
            raise BadRequest("That branch is not there any more.")
    return history


def end_digest(history: History) -> str:
    """Of what was said last in it, by which a chat that branched off there is found again; empty where nothing was."""
    last = history.rows[-1] if history.rows else Row()
    return next((digest_of(turn) for turn in (last.assistant, last.user) if _says_anything(turn)), "")


def place_of_branch(nodes: Sequence[BranchNode], row: int, digest: str) -> int:
    """The node at which a chat branched off, by its number; where what it said there is gone, the nearest one before."""
    same = [number for number, node in enumerate(nodes) if (node.row, node.digest) == (row, digest)]
    before = [number for number, node in enumerate(nodes) if not node.path and node.row <= row]
    return next(iter(same), before[-1] if before else -1)


def _nodes(rows: Sequence[Row], first: int, route: _Route) -> Iterator[BranchNode]:
    for number, row in enumerate(rows, first):
        for side in Side:
            yield from _turn_nodes(row.side(side), number, side, route)


def _turn_nodes(turn: ChatTurn, row: int, side: Side, route: _Route) -> Iterator[BranchNode]:
    versions = session.versions_of(turn)
    if not _says_anything(turn) and len(versions) == 1:
        return
    yield _node(turn, row, side, route)
    for index, version in enumerate(versions):
        if index == turn.version:
            continue
        changed = chosen(turn, index)
        other = _Route((*route.path, (row, side, index)), digest_of(changed))
        yield _node(changed, row, side, other)
        if side is Side.USER and version.continuation is not None:
            yield from _nodes(version.continuation, row, other)


def _node(turn: ChatTurn, row: int, side: Side, route: _Route) -> BranchNode:
    files = " ".join(each.name for each in turn.attachments)
    return BranchNode(
        row=row,
        side=side,
        version=turn.version,
        versions=len(session.versions_of(turn)),
        text=shortened(_without_thought(turn.text)) or shortened(files),
        path=route.path,
        mark=route.mark,
        digest=digest_of(turn),
    )


def _without_thought(text: str) -> str:
    return text.rpartition(_THOUGHT_END)[2].strip() or text


def _says_anything(turn: ChatTurn) -> bool:
    return bool(turn.text or turn.attachments or turn.tool_messages)


def digest_of(turn: ChatTurn) -> str:
    return hashlib.blake2b(turn.text.encode("utf-8", "surrogatepass"), digest_size=_BYTES).hexdigest()
