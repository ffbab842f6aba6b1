"""Log probabilities in the shape of chat completions. Pure."""

from collections.abc import Sequence

from extensions.openai.chat.schema import ChatTokenLogprob, ChoiceLogprobs, TopLogprob
from extensions.openai.common.token_text import finite, token_text
from modules.engine.types import TokenLogprob


def choice_logprobs(scored: Sequence[TokenLogprob]) -> ChoiceLogprobs:
    return ChoiceLogprobs(content=[_entry(token) for token in scored], refusal=None)


def _entry(scored: TokenLogprob) -> ChatTokenLogprob:
    return ChatTokenLogprob(
        token=token_text(scored.data),
        logprob=finite(scored.logprob),
        bytes=list(scored.data),
        top_logprobs=[
            TopLogprob(token=token_text(other.data), logprob=finite(other.logprob), bytes=list(other.data))
            for other in scored.top
        ],
    )
