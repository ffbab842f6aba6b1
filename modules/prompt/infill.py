"""Prompts for what stands between two texts, by the tokens that a model was trained on for that."""

from modules.engine.types import ModelCard
from modules.errors import NotSupported


def infill_tokens(card: ModelCard, before: list[int], after: list[int]) -> list[int]:
    """The middle follows the last token. Raises NotSupported for a model that has no such tokens."""
    if card.infill_tokens is None:
        raise NotSupported(
            "The loaded model cannot fill in text before a suffix; it has no tokens for that. Leave suffix out, or load "
            "a model that has them, such as a coder model.",
            param="suffix",
        )
    prefix, suffix, middle = card.infill_tokens
    return [prefix, *before, suffix, *after, middle]
