"""Text ↔ token ids with the model's own vocabulary."""

from collections.abc import Sequence
from typing import Any, Final

from llama_cpp import llama_cpp as c

from modules.backends.llamacpp import library
from modules.backends.llamacpp.media.reader import MediaReader
from modules.engine.types import MediaShape
from modules.errors import BadRequest

_NO_TOKEN: Final = -1
_SAMPLE: Final = "text"


class LlamaTokenizer:
    """Reads the vocabulary only, which llama.cpp never changes: safe beside a running decode."""

    def __init__(self, vocab: Any) -> None:
        self._vocab = vocab
        self.size = int(c.llama_vocab_n_tokens(vocab))
        self._printed: list[bytes | None] = [None] * self.size
        self._shown: list[bytes | None] = [None] * self.size
        self.end_ids = frozenset(token for token in range(self.size) if c.llama_vocab_is_eog(vocab, token))

    def encode(self, text: str, *, special: bool) -> list[int]:
        return library.tokenize(self._vocab, text, special=special)

    def decode(self, tokens: Sequence[int]) -> str:
        for token in tokens:
            self.check(token, "tokens")
        return library.detokenize(self._vocab, tokens).decode("utf-8", "replace")

    def check(self, token: int, param: str) -> None:
        if not 0 <= token < self.size:
            raise BadRequest(f"{token} is not a token of this model: ids run from 0 to {self.size - 1}.", param=param)

    def printed(self, token: int) -> bytes:
        """What the reader sees of a token: control tokens print nothing."""
        return self._piece(token, self._printed, special=False)

    def shown(self, token: int) -> bytes:
        """The token's text, control tokens by name."""
        return self._piece(token, self._shown, special=True)

    def _piece(self, token: int, cache: list[bytes | None], *, special: bool) -> bytes:
        known = cache[token]
        if known is None:
            known = cache[token] = library.piece(self._vocab, token, special=special)
        return known

    @property
    def bos_id(self) -> int | None:
        return self._optional(c.llama_vocab_bos(self._vocab))

    @property
    def eos_id(self) -> int | None:
        return self._optional(c.llama_vocab_eos(self._vocab))

    @property
    def adds_bos(self) -> bool:
        return bool(c.llama_vocab_get_add_bos(self._vocab))

    @property
    def infill_ids(self) -> tuple[int, int, int] | None:
        """Prefix, suffix and middle markers, for models that can fill in the middle."""
        markers = (c.llama_vocab_fim_pre, c.llama_vocab_fim_suf, c.llama_vocab_fim_mid)
        prefix, suffix, middle = (self._optional(marker(self._vocab)) for marker in markers)
        return None if prefix is None or suffix is None or middle is None else (prefix, suffix, middle)

    def frame(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The tokens that the model wants before and after a text that it embeds."""
        bare = library.tokenize(self._vocab, _SAMPLE, special=False)
        whole = library.tokenize(self._vocab, _SAMPLE, special=False, framed=True)
        for start in range(len(whole) - len(bare) + 1):
            if whole[start : start + len(bare)] == bare:
                return tuple(whole[:start]), tuple(whole[start + len(bare) :])
        return (), ()

    def pair_frame(self) -> tuple[tuple[int, ...], ...]:
        """What stands before, between and after a query and a document."""
        vocab = self._vocab
        begin, end = self.frame()
        eos = self._optional(c.llama_vocab_eos(vocab)) if c.llama_vocab_get_add_eos(vocab) else None
        separator = self._optional(c.llama_vocab_sep(vocab)) if c.llama_vocab_get_add_sep(vocab) else None
        return begin, tuple(token for token in (eos, separator) if token is not None), end

    def control_texts(self) -> tuple[str, ...]:
        ids = (token for token in range(self.size) if c.llama_vocab_is_control(self._vocab, token))
        return tuple(text for token in ids if (text := library.token_text(self._vocab, token)))

    @staticmethod
    def _optional(token: int) -> int | None:
        return None if token == _NO_TOKEN else int(token)


class LlamaMediaTokenizer(LlamaTokenizer):
    """Of a model with a projector."""

    def __init__(self, vocab: Any, media: MediaReader) -> None:
        super().__init__(vocab)
        self._media = media

    def media_tokens(self, shape: MediaShape) -> list[int]:
        return self._media.media_tokens(shape)
