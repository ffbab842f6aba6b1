"""Log probabilities of prompts, over a cache of their own, a chunk in each step."""

from collections.abc import Sequence
from typing import Any, Final

import torch

from modules.backends.exllamav3.options import PAGE, in_pages
from modules.backends.sampling.logprobs import ShowsTokens
from modules.engine.types import Alternative, TokenLogprob

# Rows of logits that are on the card at once.
_CHUNK: Final = PAGE


class PromptScorer:
    """`cache` belongs to it alone; a prompt of up to `bound` tokens fits into it."""

    def __init__(self, model: Any, cache: Any, bound: int, tokenizer: ShowsTokens, size: int) -> None:
        self._model = model
        self._cache = cache
        self.bound = bound
        self._tokenizer = tokenizer
        self._size = size

    def begin(self, tokens: Sequence[int], wanted: int) -> "Scoring":
        return Scoring(self, tokens, wanted)

    def rows(self, tokens: Sequence[int], start: int, state: Any) -> torch.Tensor:
        """Logits after each of the tokens from `start` on, up to a chunk of them."""
        ids = torch.tensor([list(tokens[start : start + _CHUNK])], dtype=torch.long)
        fields = {
            "attn_mode": "flash_attn",
            "cache": self._cache,
            "past_len": start,
            "batch_shape": (1, in_pages(self.bound)),
        }
        if state is not None:
            fields["recurrent_states"] = [state]
        logits: torch.Tensor = self._model.forward(ids, fields)[0, :, : self._size]
        return torch.log_softmax(logits.float(), -1)

    def scored(self, rows: torch.Tensor, tokens: Sequence[int], wanted: int) -> list[TokenLogprob]:
        """Of `tokens`, each under its row, in one copy from the card."""
        rows = rows[: len(tokens)]
        if not len(rows):
            return []
        ids = torch.tensor(list(tokens), dtype=torch.long, device=rows.device)[:, None]
        top = rows.topk(min(wanted, self._size), -1)
        numbers = torch.cat((rows.gather(-1, ids), top.values, top.indices.float()), -1).cpu().tolist()
        return [self._scored(token, row) for token, row in zip(tokens, numbers, strict=True)]

    def new_state(self) -> Any:
        return self._cache.get_new_state() if self._model.caps.get("recurrent_states") else None

    def release(self, state: Any) -> None:
        if state is not None:
            self._cache.release_state(state)

    def _scored(self, token: int, row: Sequence[float]) -> TokenLogprob:
        shown, count = self._tokenizer.shown, len(row) // 2
        best = zip(map(int, row[1 + count :]), row[1 : 1 + count], strict=True)
        return TokenLogprob(
            token, shown(token), row[0], tuple(Alternative(each, shown(each), value) for each, value in best)
        )


class Scoring:
    """The pass over one prompt. One at a time: all use the same cache."""

    def __init__(self, scorer: PromptScorer, tokens: Sequence[int], wanted: int) -> None:
        self._scorer = scorer
        self._tokens = tokens
        self._wanted = wanted
        self._done = 0
        self._found: list[TokenLogprob | None] = [None]
        self._state = scorer.new_state() if len(tokens) > 1 else None

    def step(self) -> tuple[TokenLogprob | None, ...] | None:
        """Read one chunk; the log probabilities once all is read. The last token predicts nothing that was asked."""
        tokens, start = self._tokens, self._done
        if start < len(tokens) - 1:
            rows = self._scorer.rows(tokens[:-1], start, self._state)
            self._found += self._scorer.scored(rows, tokens[start + 1 : start + 1 + len(rows)], self._wanted)
            self._done += len(rows)
        return tuple(self._found) if self._done >= len(tokens) - 1 else None

    def close(self) -> None:
        self._scorer.release(self._state)
        self._state = None
