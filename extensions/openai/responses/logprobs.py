"""Log probabilities in the shapes of this API: with bytes in items, without them in events. Pure."""

from collections.abc import Sequence
from typing import Any

from extensions.openai.common.token_text import finite, token_text
from extensions.openai.responses.items import OutputTokenLogprob, TopTokenLogprob
from modules.engine.types import TokenLogprob


def item_logprobs(scored: Sequence[TokenLogprob]) -> list[OutputTokenLogprob]:
    return [
        OutputTokenLogprob(
            token=token_text(token.data),
            logprob=finite(token.logprob),
            bytes=list(token.data),
            top_logprobs=[
                TopTokenLogprob(token=token_text(other.data), logprob=finite(other.logprob), bytes=list(other.data))
                for other in token.top
            ],
        )
        for token in scored
    ]


def event_logprobs(logprobs: Sequence[OutputTokenLogprob]) -> list[dict[str, Any]]:
    return [token.model_dump(exclude={"bytes": True, "top_logprobs": {"__all__": {"bytes"}}}) for token in logprobs]
