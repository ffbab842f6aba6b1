"""The bytes that each token of a tokenizer.json stands for.

A reply is joined of them without being decoded anew.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from tokenizers import Tokenizer

from modules.errors import LoadFailed

Piece: TypeAlias = Callable[[str], bytes]

_SPACE: Final = "\N{LOWER ONE EIGHTH BLOCK}"
_BYTE: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_BYTES: Final = 256
# The parts of decoders that change each token by itself, or a text's beginning only.
_KNOWN: Final = frozenset(
    ("Sequence", "ByteLevel", "Replace", "ByteFallback", "Fuse", "Strip", "Metaspace", "BPEDecoder")
)


class TokenPieces:
    """`adds_space` says whether encoding puts a space before a text that is not part of it. Raises LoadFailed for
    tokenizers whose tokens do not say by themselves what they print."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        description = json.loads(tokenizer.to_str())
        decoder = tuple(_parts(description.get("decoder"), "decoders"))
        _check(decoder)
        has_bytes = any(part.get("type") == "ByteFallback" for part in decoder)
        has_bytes = has_bytes or bool(description["model"].get("byte_fallback"))
        self._is_byte_level = any(part.get("type") == "ByteLevel" for part in decoder)
        self._added = {int(token): str(each.content) for token, each in tokenizer.get_added_tokens_decoder().items()}
        self._special = frozenset(
            int(token) for token, each in tokenizer.get_added_tokens_decoder().items() if each.special
        )
        self._tokenizer = tokenizer
        self._piece: Piece = _ByteLevel() if self._is_byte_level else _text_piece(decoder, has_bytes=has_bytes)
        self.adds_space = not self._is_byte_level and _adds_space(description)
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
        if token in self._special or (token in self._added and self._is_byte_level):
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


def _text_piece(decoder: tuple[Mapping[str, Any], ...], *, has_bytes: bool) -> Piece:
    """SentencePiece's: a mark for the space, and bytes that no token spells written as <0x0A>."""
    marks = tuple(_marks(decoder)) or ((_SPACE, " "),)

    def piece(text: str) -> bytes:
        single = _BYTE.fullmatch(text) if has_bytes else None
        if single:
            return bytes([int(single[1], 16)])
        for mark, shown in marks:
            text = text.replace(mark, shown)
        return text.encode("utf-8", "replace")

    return piece


def _marks(decoder: tuple[Mapping[str, Any], ...]) -> Iterator[tuple[str, str]]:
    """What stands in tokens for other text, in the order in which it is replaced."""
    for part in decoder:
        match part:
            case {"type": "Metaspace"}:
                yield str(part.get("replacement") or _SPACE), " "
            case {"type": "Replace", "pattern": {"String": str(mark)}, "content": str(shown)} if mark:
                yield mark, shown
            case {"type": "BPEDecoder"}:
                yield str(part.get("suffix") or "</w>"), " "


def _check(decoder: tuple[Mapping[str, Any], ...]) -> None:
    for part in decoder:
        is_pattern = part.get("type") == "Replace" and "String" not in (part.get("pattern") or {})
        if part.get("type") not in _KNOWN or is_pattern:
            raise LoadFailed(
                f"The decoder {str(part.get('type'))[:40]!a} of the model's tokenizer is not supported: what a token prints "
                "depends on those around it."
            )


def _adds_space(description: Mapping[str, Any]) -> bool:
    if any(part.get("type") == "Prepend" for part in _parts(description.get("normalizer"), "normalizers")):
        return True
    return any(
        part.get("type") == "Metaspace"
        and part.get("prepend_scheme", "always" if part.get("add_prefix_space") else "never") != "never"
        for part in _parts(description.get("pre_tokenizer"), "pretokenizers")
    )


def _parts(component: object, key: str) -> Iterator[Mapping[str, Any]]:
    """The component, and those that it consists of."""
    if isinstance(component, Mapping):
        yield component
        for each in component.get(key) or ():
            yield from _parts(each, key)
