"""Tokens and their log probabilities as JSON can hold them."""

from typing import Final

from modules.engine.types import Alternative, TokenLogprob

_LOWEST_LOGPROB: Final = -9999.0


def token_text(data: bytes) -> str:
    r"""The text of a token; `\xf0\x9f` where its bytes are no complete characters, as OpenAI writes it."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "".join(f"\\x{byte:02x}" for byte in data)


def finite(logprob: float) -> float:
    """The same float, but for minus infinity, which JSON has no number for."""
    return max(logprob, _LOWEST_LOGPROB)


def candidates(scored: TokenLogprob) -> tuple[Alternative, ...]:
    """The alternatives at a position, best first, the token itself among them in any case."""
    if any(alternative.token == scored.token for alternative in scored.top):
        return scored.top
    return (*scored.top, Alternative(scored.token, scored.data, scored.logprob))
