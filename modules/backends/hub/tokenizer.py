"""Text ↔ token ids by a folder's tokenizer, with the bytes of each token."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer

from modules.backends.hub.pieces import TokenPieces
from modules.backends.hub_folder import (
    GENERATION,
    TOKENIZER,
    TOKENIZER_CONFIG,
    ModelFolder,
    optional_json,
)
from modules.errors import BadRequest, LoadFailed

_LETTER: Final = "a"
# Prefix, suffix and middle, as model families call them.
_INFILL: Final = (
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    ("<|fim_begin|>", "<|fim_end|>", "<|fim_hole|>"),
)


class HubTokenizer:
    """Safe beside a running step. `width` is how many logits the model has. Raises LoadFailed."""

    def __init__(self, folder: ModelFolder, width: int = 0) -> None:
        self._tokenizer = _opened(folder.path)
        # The switch is the tokenizer's, and several threads ask.
        self._reads_control = _opened(folder.path)
        self._tokenizer.encode_special_tokens = True
        self._pieces = TokenPieces(self._reads_control)
        self.size = min(self._pieces.size, width) if width else self._pieces.size
        self._shown: list[bytes | None] = [None] * self.size
        stated = optional_json(folder.path / TOKENIZER_CONFIG)
        self.bos_id = self._id_of(stated.get("bos_token"))
        self.eos_id = self._id_of(stated.get("eos_token"))
        self.end_ids = frozenset(self._ends(folder))
        if not self.end_ids:
            raise LoadFailed(f"{folder.path.name} does not say which token ends a reply: its {GENERATION} is missing.")

    def encode(self, text: str, *, special: bool) -> list[int]:
        # Lone surrogates stand for bytes that are no text, and the library refuses them.
        text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        tokenizer = self._reads_control if special else self._tokenizer
        return [int(token) for token in tokenizer.encode(text, add_special_tokens=False).ids]

    def decode(self, tokens: Sequence[int]) -> str:
        for token in tokens:
            self.check(token, "tokens")
        data = b"".join(map(self.shown, tokens))
        return (data[1:] if self._pieces.adds_space and data.startswith(b" ") else data).decode("utf-8", "replace")

    def check(self, token: int, param: str) -> None:
        if not 0 <= token < self.size:
            raise BadRequest(f"{token} is not a token of this model: ids run from 0 to {self.size - 1}.", param=param)

    def printed(self, token: int) -> bytes:
        """What the reader sees of a token: control tokens print nothing."""
        return b"" if token in self._pieces.special else self.shown(token)

    def shown(self, token: int) -> bytes:
        """The token's text, control tokens by name."""
        known = self._shown[token]
        if known is None:
            known = self._shown[token] = self._pieces.bytes_of(token)
        return known

    @property
    def adds_bos(self) -> bool:
        """Whether the folder's tokenizer begins a text with the token that begins texts."""
        framed = self._reads_control.encode(_LETTER, add_special_tokens=True).ids
        return self.bos_id is not None and bool(framed) and int(framed[0]) == self.bos_id

    @property
    def infill_ids(self) -> tuple[int, int, int] | None:
        for names in _INFILL:
            found = [token for name in names if (token := self._id_of(name)) is not None]
            if len(found) == len(names):
                return found[0], found[1], found[2]
        return None

    def control_texts(self) -> tuple[str, ...]:
        return tuple(self._pieces.text(token) for token in sorted(self._pieces.special) if token < self.size)

    def _id_of(self, token: object) -> int | None:
        """Of a text, or of an entry that describes it."""
        text = token.get("content") if isinstance(token, dict) else token
        found = self._reads_control.token_to_id(text) if isinstance(text, str) else None
        return int(found) if found is not None and found < self.size else None

    def _ends(self, folder: ModelFolder) -> Iterator[int]:
        stated: tuple[Mapping[str, Any], ...] = (optional_json(folder.path / GENERATION), folder.text, folder.config)
        for each in stated:
            ids = each.get("eos_token_id")
            for token in ids if isinstance(ids, list) else [ids]:
                if isinstance(token, int) and 0 <= token < self.size:
                    yield token
        if self.eos_id is not None:
            yield self.eos_id


def _opened(path: Path) -> Tokenizer:
    if not (path / TOKENIZER).is_file():
        raise LoadFailed(
            f"{path.name} has no {TOKENIZER}. Write one with Transformers: AutoTokenizer.from_pretrained(FOLDER)"
            ".save_pretrained(FOLDER)."
        )
    try:
        tokenizer = Tokenizer.from_file(str(path / TOKENIZER))
    except Exception as error:
        raise LoadFailed(f"The {TOKENIZER} of {path.name} is damaged. Download it again.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
