"""Log probabilities in the shape of text completions. Pure."""

import codecs
from collections.abc import Sequence

from extensions.openai.common.token_text import candidates, finite, token_text
from extensions.openai.completions.schema import CompletionLogprobs
from modules.engine.types import TokenLogprob


class LogprobTable:
    """Makes the entries of one choice, part by part, and knows where in its text the next token begins."""

    def __init__(self, offset: int = 0) -> None:
        self._offset = offset
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def prompt(self, text: str, scored: Sequence[TokenLogprob | None]) -> CompletionLogprobs:
        """The entries of the echoed prompt. Its first token is what of `text` the others leave: maybe nothing."""
        known = [token for token in scored if token is not None]
        rest = b"".join(token.data for token in known)
        first = text.encode("utf-8", "replace").removesuffix(rest) if rest else text.encode("utf-8", "replace")
        self._offset = max(0, len(text) - len(rest.decode("utf-8", "replace")))
        table = self.reply(known)
        if len(known) < len(scored):
            table.tokens.insert(0, token_text(first))
            table.token_logprobs.insert(0, None)
            table.top_logprobs.insert(0, None)
            table.text_offset.insert(0, 0)
        return table

    def reply(self, scored: Sequence[TokenLogprob]) -> CompletionLogprobs:
        return CompletionLogprobs(
            tokens=[token_text(token.data) for token in scored],
            token_logprobs=[finite(token.logprob) for token in scored],
            top_logprobs=[_top(token) for token in scored],
            text_offset=[self._step(token.data) for token in scored],
        )

    def _step(self, data: bytes) -> int:
        offset = self._offset
        self._offset += len(self._decoder.decode(data))
        return offset


def joined(first: CompletionLogprobs, second: CompletionLogprobs) -> CompletionLogprobs:
    return CompletionLogprobs(
        tokens=first.tokens + second.tokens,
        token_logprobs=first.token_logprobs + second.token_logprobs,
        top_logprobs=first.top_logprobs + second.top_logprobs,
        text_offset=first.text_offset + second.text_offset,
    )


def _top(scored: TokenLogprob) -> dict[str, float]:
    """Several tokens can have one text; the likeliest of them, which comes first, stands for all."""
    top: dict[str, float] = {}
    for candidate in candidates(scored):
        top.setdefault(token_text(candidate.data), finite(candidate.logprob))
    return top
