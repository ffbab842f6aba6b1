"""The smallest vocabulary there is: bytes, and a few control tokens."""

from collections.abc import Sequence
from typing import Final

BYTES: Final = 256
END: Final = 256


class ByteVocabulary:
    """Token ids below 256 are bytes, 256 ends a reply, and `names` stand for the ids from 257 on."""

    def __init__(self, *names: str) -> None:
        self._names = ("<end>", *names)
        self.size = BYTES + len(self._names)
        self.end_ids = frozenset({END})

    def encode(self, text: str, *, special: bool) -> list[int]:
        for number, name in enumerate(self._names):
            if special and name in text:
                before, _, after = text.partition(name)
                return [*before.encode(), BYTES + number, *self.encode(after, special=True)]
        return list(text.encode("utf-8", "surrogatepass"))

    def decode(self, tokens: Sequence[int]) -> str:
        return b"".join(self.shown(token) for token in tokens).decode("utf-8", "replace")

    def printed(self, token: int) -> bytes:
        return bytes([token]) if token < BYTES else b""

    def shown(self, token: int) -> bytes:
        return bytes([token]) if token < BYTES else self._names[token - BYTES].encode()
