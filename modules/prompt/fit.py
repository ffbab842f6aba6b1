"""Whether a prompt fits the model, and how much room is left for the reply."""

from collections.abc import Sequence

from modules.engine.types import ModelCard, Prompt
from modules.errors import BadRequest, ContextTooLong


def fitted(card: ModelCard, tokens: Sequence[int], *, param: str, room: int = 1) -> Prompt:
    """A prompt that leaves room for at least `room` tokens of reply. Raises BadRequest (empty), ContextTooLong."""
    if not tokens:
        raise BadRequest("The prompt is empty.", param=param)
    if len(tokens) + room > card.context:
        raise ContextTooLong(prompt_tokens=len(tokens), context=card.context, param=param)
    return Prompt(tuple(tokens))


def reply_limit(card: ModelCard, prompt: Prompt, wanted: int | None) -> int:
    """The most tokens the reply can have: what was asked for, as far as the context goes."""
    left = card.context - len(prompt.tokens)
    return left if wanted is None else min(wanted, left)
