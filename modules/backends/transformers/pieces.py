"""The bytes that each token of a tokenizer.json stands for.

A reply is joined of them without being decoded anew.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from tokenizers import Tokenizer

Piece: TypeAlias = Callable[[str], bytes]

_SPACE: Final = "\N{LOWER ONE EIGHTH BLOCK}"
_BYTE: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_BYTES: Final = 256


class TokenPieces:
    """`adds_space` says whether encoding puts a space before a text that is not part of it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        description = json.loads(tokenizer.to_str())
        kinds = set(_kinds(description.get("decoder")))
        self._added = {int(token): str(each.content) for token, each in tokenizer.get_added_tokens_decoder().items()}
        self._special = frozenset(
            int(token) for token, each in tokenizer.get_added_tokens_decoder().items() if each.special
        )
        self._tokenizer = tokenizer
        self._piece: Piece = _ByteLevel() if "ByteLevel" in kinds else _text_piece(kinds)
        self.adds_space = "ByteLevel" not in kinds and _adds_space(description)
        self.size = max((*tokenizer.get_vocab(with_added_tokens=True).values(), -1)) + 1

    @property
    def special(self) -> frozenset[int]:
        """Tokens that control the model and print nothing."""
        return self._special

    def text(self, token: int) -> str:
        """The text by which an added token is known."""
        return self._added.get(token, "")

    def bytes_of(self, token: int) -> bytes:
        """Empty for ids that no token has."""
        if token in self._added:
            return self._added[token].encode("utf-8", "replace")
        text = self._tokenizer.id_to_token(token)
        return b"" if text is None else self._piece(text)


class _ByteLevel:
    """GPT-2's alphabet: each byte is one printable character. Source: https://github.com/openai/gpt-2, encoder.py."""

    def __init__(self) -> None:
        printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
        others = [byte for byte in range(_BYTES) if byte not in printable]
        self._bytes = {chr(byte): byte for byte in printable}
        self._bytes |= {chr(_BYTES + at): byte for at, byte in enumerate(others)}

    def __call__(self, text: str) -> bytes:
        known = self._bytes
        if all(letter in known for letter in text):
            return bytes(known[letter] for letter in text)
        return text.encode("utf-8", "replace")


def _text_piece(kinds: set[str]) -> Piece:
    """SentencePiece's: a mark for the space, and bytes that no token spells written as <0x0A>."""
    has_bytes = "ByteFallback" in kinds

    def piece(text: str) -> bytes:
        single = _BYTE.fullmatch(text) if has_bytes else None
        return bytes([int(single[1], 16)]) if single else text.replace(_SPACE, " ").encode("utf-8", "replace")

    return piece


def _kinds(part: object) -> Iterator[str]:
    """The types of a component and of those that it consists of."""
    if isinstance(part, Mapping):
        yield str(part.get("type", ""))
        for key in ("decoders", "normalizers", "pretokenizers"):
            for each in part.get(key) or ():
                yield from _kinds(each)


def _adds_space(description: Mapping[str, Any]) -> bool:
    if "Prepend" in _kinds(description.get("normalizer")):
        return True
    return any(
        part.get("type") == "Metaspace"
        and part.get("prepend_scheme", "always" if part.get("add_prefix_space") else "never") != "never"
        for part in _parts(description.get("pre_tokenizer"))
    )


def _parts(part: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(part, Mapping):
        yield part
        for each in part.get("pretokenizers") or ():
            yield from _parts(each)
