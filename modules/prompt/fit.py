"""Whether a prompt fits the model, and how much room is left for the reply."""

from collections.abc import Sequence
from typing import Final

from modules.engine.types import ModelCard, Prompt
from modules.errors import BadRequest, ContextTooLong

_RESERVED: Final = 512


def fitted(card: ModelCard, tokens: Sequence[int], *, param: str, room: int = 1) -> Prompt:
    """A prompt that leaves room for at least `room` tokens of reply. Raises BadRequest (empty), ContextTooLong."""
    if not tokens:
        raise BadRequest("The prompt is empty.", param=param)
    if not fits(card, len(tokens), room):
        raise ContextTooLong(prompt_tokens=len(tokens), context=card.context, param=param)
    return Prompt(tuple(tokens))


def reply_limit(card: ModelCard, prompt: Prompt, wanted: int | None) -> int:
    """The most tokens the reply can have: what was asked for, as far as the context goes."""
    left = card.context - len(prompt.tokens)
    return left if wanted is None else min(wanted, left)


def fits(card: ModelCard, tokens: int, room: int) -> bool:
    return tokens + room <= card.context


def reserved_room(card: ModelCard, wanted: int | None) -> int:
    """How many tokens of reply turns are left out for: what was asked for, but never most of the context."""
    return max(1, min(_RESERVED if wanted is None else wanted, card.context // 2))
