"""DRY's sequence breakers: texts → every way in which tokens can spell them."""

from collections.abc import Iterator, Sequence
from typing import Final

from modules.engine.constraints.vocabulary import Vocabulary

# As in llama.cpp: longer texts and sequences are cut.
_MAX_BYTES: Final = 40
_MAX_TAIL: Final = 20


def breaker_sequences(texts: Sequence[str], vocabulary: Vocabulary) -> tuple[tuple[int, ...], ...]:
    """Sequences for `SamplerFacts`: each token that holds a whole text, and each token at whose end a text begins,
    followed by the tokens of its rest.

    Looks at every token of the vocabulary for every text: worth remembering for requests with the same ones.
    Source: https://github.com/ggml-org/llama.cpp/pull/9702.
    """
    found: dict[tuple[int, ...], None] = {}
    for text in texts:
        if text:
            found |= dict.fromkeys(_spellings(text.encode("utf-8", "replace")[:_MAX_BYTES], vocabulary))
    return tuple(found)


def _spellings(text: bytes, vocabulary: Vocabulary) -> Iterator[tuple[int, ...]]:
    # By their last byte, because most tokens end in one that no beginning ends in.
    beginnings: dict[int, list[tuple[bytes, tuple[int, ...]]]] = {}
    for length in range(1, len(text)):
        if tail := _tail(text[length:], vocabulary):
            beginnings.setdefault(text[length - 1], []).append((text[:length], tail))
    for token in range(vocabulary.size):
        piece = vocabulary.shown(token)
        if text in piece:
            yield (token,)
        elif piece and piece[-1] in beginnings:
            yield from ((token, *tail) for begin, tail in beginnings[piece[-1]] if piece.endswith(begin))


def _tail(rest: bytes, vocabulary: Vocabulary) -> tuple[int, ...]:
    """The tokens of the rest of a text; none where it begins within a character, which no text does."""
    try:
        return tuple(vocabulary.encode(rest.decode("utf-8"), special=False)[:_MAX_TAIL])
    except UnicodeDecodeError:
        return ()
