"""Text ↔ ids by a folder's tokenizer.json, or the vocab.txt of a BERT model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

from tokenizers import Tokenizer
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

from modules.errors import BadRequest, LoadFailed

Frame: TypeAlias = tuple[tuple[int, ...], ...]

_LETTER: Final = "a"


class FolderTokenizer:
    """Raises LoadFailed when there is none, or it is damaged."""

    def __init__(self, folder: Path) -> None:
        try:
            self._tokenizer = _opened(folder)
        except Exception as error:
            raise LoadFailed("The tokenizer of the model's folder cannot be read: it is damaged or missing.") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.size = int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    @property
    def frame(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The special tokens before and after a text."""
        begin, end = self._frame((_LETTER,))
        return begin, end

    @property
    def pair_frame(self) -> Frame:
        """Before, between and after two texts."""
        return self._frame((_LETTER, _LETTER))

    def encode(self, text: str, *, special: bool) -> list[int]:
        """Without the frame, and without the white space around the text, as sentence-transformers does it."""
        # Lone surrogates stand for bytes that are no text, and the library refuses them.
        text = text.encode("utf-8", "replace").decode("utf-8").strip()
        encoder = self._tokenizer
        encoder.encode_special_tokens = not special
        return [int(token) for token in encoder.encode(text, add_special_tokens=False).ids]

    def decode(self, tokens: Sequence[int]) -> str:
        for token in tokens:
            self.check(token, "tokens")
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=False))

    def check(self, token: int, param: str) -> None:
        """Raises BadRequest for what is no token of this model."""
        if not 0 <= token < self.size:
            raise BadRequest(f"{token} is not a token of this model.", param=param)

    def _frame(self, texts: Sequence[str]) -> Frame:
        whole = [int(token) for token in self._tokenizer.encode(texts[0], texts[1] if len(texts) > 1 else None).ids]
        letter = [int(token) for token in self._tokenizer.encode(_LETTER, add_special_tokens=False).ids]
        parts: list[tuple[int, ...]] = []
        begin = 0
        for _ in texts:
            place = next(at for at in range(begin, len(whole)) if whole[at : at + len(letter)] == letter)
            parts.append(tuple(whole[begin:place]))
            begin = place + len(letter)
        return (*parts, tuple(whole[begin:]))


def _opened(folder: Path) -> Tokenizer:
    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    return BertWordPieceTokenizer(str(folder / "vocab.txt"))._tokenizer
