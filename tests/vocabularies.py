"""Vocabularies of real models, for the tiny models that tests write."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import gguf

_TOKENIZER: Final = "tokenizer.ggml."
_TOKENS: Final = f"{_TOKENIZER}tokens"


@dataclass(frozen=True, slots=True)
class TokenizerEntry:
    """One entry of a file's metadata. `items` is the type of an array's items."""

    name: str
    value: Any
    kind: gguf.GGUFValueType
    items: gguf.GGUFValueType | None

    def write(self, writer: gguf.GGUFWriter, value: Any = None) -> None:
        """With another value, where one is given."""
        writer.add_key_value(self.name, self.value if value is None else value, self.kind, self.items)


@cache
def tokenizer_of(path: Path) -> tuple[TokenizerEntry, ...]:
    """All of a tokenizer but the chat template. Reading them takes two seconds. Nobody must change the values."""
    return tuple(
        TokenizerEntry(name, field.contents(), field.types[0], _items_of(field))
        for name, field in gguf.GGUFReader(path).fields.items()
        if name.startswith(_TOKENIZER)
    )


def token_count(path: Path) -> int:
    return next(len(entry.value) for entry in tokenizer_of(path) if entry.name == _TOKENS)


def _items_of(field: gguf.ReaderField) -> gguf.GGUFValueType | None:
    return field.types[-1] if field.types[0] is gguf.GGUFValueType.ARRAY else None
