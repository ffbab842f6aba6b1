"""States for the tests of the disk cache: bytes that tell which tokens they are of."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from modules.backends.kv.disk.folder import CacheFolder
from modules.backends.kv.disk.pieces import FoundPieces
from modules.backends.kv.disk.store import PIECE_TOKENS, DiskStore

LIMIT = 10 * 2**20
MODEL = b"model-identity"
TOKEN_STATE = 16


def state_of(tokens: Sequence[int], start: int = 0) -> bytes:
    """Of the tokens from `start` on; each depends on itself and its place."""
    return b"".join(
        hashlib.sha256(f"{at} {token}".encode()).digest()[:TOKEN_STATE]
        for at, token in enumerate(tokens[start:], start)
    )


def opened(root: Path, *, model: bytes = MODEL, limit: int = LIMIT, piece_tokens: int = PIECE_TOKENS) -> DiskStore:
    return DiskStore(CacheFolder(root, limit), model, piece_tokens=piece_tokens)


def keep(store: DiskStore, tokens: Sequence[int], *, seconds: float = 0.01, filling: bytes = b"") -> None:
    for piece in store.missing(b"", tokens):
        assert store.write(piece, filling or state_of(tokens[: piece.end], piece.start), seconds)


def recall(store: DiskStore, found: FoundPieces) -> bytes:
    states = [store.read(use) for use in found.uses]
    return b"".join(state for state in states if state is not None)
