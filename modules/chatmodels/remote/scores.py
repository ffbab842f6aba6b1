"""Log probabilities as other servers send them → ours, without token ids. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from modules.engine.types import Alternative, TokenLogprob

UNKNOWN_TOKEN: Final = -1
# What a probability of zero is written as: JSON has no infinity.
_IMPOSSIBLE: Final = -9999.0


def chat_logprobs(logprobs: object) -> tuple[TokenLogprob, ...]:
    """Of `logprobs.content` in a chat chunk; entries that make no sense are left out."""
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    return tuple(_entry(entry) for entry in content or () if isinstance(entry, Mapping))


def completion_logprobs(logprobs: object) -> tuple[TokenLogprob, ...]:
    """Of the three parallel lists in a text completion's chunk, or of `content`, which llama-server has there too."""
    if not isinstance(logprobs, Mapping):
        return ()
    return chat_logprobs(logprobs) if "content" in logprobs else tuple(_rows(logprobs))


def starts_of(logprobs: Sequence[TokenLogprob], text: str) -> tuple[int, ...]:
    """Where in the chunk's `text` each token begins: behind the whole characters of those before it."""
    starts, before = [], b""
    for each in logprobs:
        starts.append(min(len(before.decode("utf-8", "ignore")), max(0, len(text) - 1)))
        before += each.data
    return tuple(starts)


def _rows(logprobs: Mapping[str, Any]) -> Iterator[TokenLogprob]:
    tokens = logprobs.get("tokens") or ()
    values = logprobs.get("token_logprobs") or ()
    tops: Sequence[Mapping[str, Any] | None] = logprobs.get("top_logprobs") or ({},) * len(tokens)
    for token, value, top in zip(tokens, values, tops, strict=False):
        alternatives = sorted(((_number(each), text) for text, each in (top or {}).items()), reverse=True)
        yield TokenLogprob(
            UNKNOWN_TOKEN,
            str(token).encode(),
            _number(value),
            tuple(Alternative(UNKNOWN_TOKEN, str(text).encode(), logprob) for logprob, text in alternatives),
        )


def _entry(entry: Mapping[str, Any]) -> TokenLogprob:
    top = entry.get("top_logprobs")
    return TokenLogprob(
        UNKNOWN_TOKEN,
        _data(entry),
        _number(entry.get("logprob")),
        tuple(
            Alternative(UNKNOWN_TOKEN, _data(each), _number(each.get("logprob")))
            for each in top or ()
            if isinstance(each, Mapping)
        ),
    )


def _data(entry: Mapping[str, Any]) -> bytes:
    """A token's bytes; servers without them send text, in which an incomplete character is lost."""
    given = entry.get("bytes")
    if isinstance(given, list) and all(isinstance(byte, int) and 0 <= byte < 256 for byte in given):
        return bytes(given)
    return str(entry.get("token") or "").encode()


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else _IMPOSSIBLE
