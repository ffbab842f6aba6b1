"""A model's vocabulary as llguidance wants it."""

from collections.abc import Callable
from typing import Final, Protocol

from llguidance import LLTokenizer, TokenizerWrapper

# A byte that UTF-8 never has, with which llguidance marks special tokens.
_SPECIAL: Final = b"\xff"
_NO_SLICES: Final[list[str]] = []
_BYTES: Final = 256


class Vocabulary(Protocol):
    """What constraints need of a model: its tokens and what they print. Safe beside a running decode."""

    @property
    def size(self) -> int: ...

    @property
    def end_ids(self) -> frozenset[int]:
        """Tokens that end a reply; at least one."""
        ...

    def encode(self, text: str, *, special: bool) -> list[int]: ...

    def printed(self, token: int) -> bytes:
        """What the reader sees of a token: nothing of control tokens."""
        ...

    def shown(self, token: int) -> bytes:
        """The token's text, control tokens by name."""
        ...


class _Tokens:
    """The object that llguidance asks for; what it must hold is documented there at `TokenizerWrapper`."""

    def __init__(self, tokens: list[bytes], end: int, encode: Callable[[str], list[int]]) -> None:
        self.tokens = tokens
        self.eos_token_id = end
        self.bos_token_id = None
        self.special_token_ids: list[int] = []
        self._encode = encode

    def __call__(self, text: str) -> list[int]:
        if not isinstance(text, str):
            raise TypeError("text, not bytes")
        return self._encode(text)


def grammar_tokenizer(vocabulary: Vocabulary) -> LLTokenizer:
    """Takes a few tenths of a second for 100,000 tokens, and keeps the interpreter's lock for most of it.

    Tokens that print nothing, and those that end a reply, match no text: grammars reach them by name or id only.
    """
    ends = sorted(vocabulary.end_ids)
    tokens = [_grammar_bytes(vocabulary, token) for token in range(vocabulary.size)]
    greedy: list[LLTokenizer] = []

    def encode(text: str) -> list[int]:
        ids = vocabulary.encode(text, special=False)
        is_exact = b"".join(tokens[token] for token in ids) == text.encode("utf-8", "surrogatepass")
        return ids if is_exact or not greedy else greedy[0].greedy_tokenize(text)

    # llguidance's slices make masks cheaper, but masks are rare here, and without slices this takes half the time.
    tokenizer = LLTokenizer(
        TokenizerWrapper(_Tokens(tokens, ends[0], encode)), n_vocab=len(tokens), eos_token=ends, slices=_NO_SLICES
    )
    greedy.append(tokenizer)
    return tokenizer


def byte_tokenizer() -> LLTokenizer:
    """The smallest vocabulary there is: to find out, before a model's own is ready, whether a grammar is sound."""
    tokens = [bytes([byte]) for byte in range(_BYTES)] + [_SPECIAL + b"<end>"]
    return LLTokenizer(
        TokenizerWrapper(_Tokens(tokens, _BYTES, lambda text: list(text.encode("utf-8", "surrogatepass")))),
        eos_token=[_BYTES],
        slices=_NO_SLICES,
    )


def _grammar_bytes(vocabulary: Vocabulary, token: int) -> bytes:
    printed = vocabulary.printed(token)
    return printed if printed and token not in vocabulary.end_ids else _SPECIAL + vocabulary.shown(token)
