"""From logits on a graphics card to the next token of one job.

What the library's samplers can do is done on the card, without waiting for it. Everything else is drawn from the row of
logits on the host, by the samplers that all backends share.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import torch
from typing_extensions import override

from modules.backends.exllamav3.library import (
    CustomSampler,
    Sampler,
    SS_Argmax,
    SS_BanTokens,
    SS_Base,
    SS_LogitBias,
    SS_MinP,
    SS_PresFreqP,
    SS_RepP,
    SS_Sample,
    SS_Temperature,
    SS_TopK,
    SS_TopP,
)
from modules.backends.sampling import logprobs
from modules.backends.sampling.job_sampler import JobSampler
from modules.backends.sampling.stages import SamplerFacts, Stages
from modules.engine.types import Alternative, Generation, TokenLogprob
from modules.errors import EngineFailed

_NO_SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is known of one drawn token beside its id. With `is_last` nothing may follow it; `failure` says why it could
    not be drawn."""

    logprob: TokenLogprob | None = None
    is_last: bool = False
    failure: str = ""


class WatchedSampler(Protocol):
    """What the library draws with; after a step, `take` says what its first `tokens` are known by."""

    def pending(self) -> Sequence[torch.Tensor]:
        """Rows of numbers on the card that `take` needs on the host, for all jobs in one copy."""
        ...

    def take(self, tokens: Sequence[int], rows: Sequence[Sequence[float]]) -> Sequence[Drawn]:
        """Of the tokens drawn since the last call; those that were drawn in vain are forgotten."""
        ...


class DeviceSampler(Sampler):  # type: ignore[misc]
    """Draws on the card. `wanted` is the number of alternatives whose log probabilities are wanted, None for none at all.

    The library may draw for all positions of a draft before it looks at the first.
    """

    def __init__(self, steps: Sequence[Any], wanted: int | None, size: int, tokenizer: logprobs.ShowsTokens) -> None:
        super().__init__()
        self._inner = CustomSampler(list(steps))
        self.reqs_past_ids = self._inner.reqs_past_ids
        self._wanted = wanted
        self._size = size
        self._tokenizer = tokenizer
        self._rows: list[torch.Tensor] = []

    @override
    def forward(
        self,
        logits: torch.Tensor,
        sequence_ids: torch.Tensor | None = None,
        rand_u32: int | None = None,
        tokenizer: Any = None,
        logit_mask: torch.Tensor | None = None,
        return_state: bool = False,
    ) -> torch.Tensor:
        scored = None
        if self._wanted is not None:
            scored = torch.log_softmax(logits.view(1, -1)[:, : self._size].float(), -1)
        token: torch.Tensor = self._inner.forward(
            logits, sequence_ids, rand_u32, tokenizer, logit_mask=logit_mask, return_state=return_state
        )
        if scored is not None:
            self._rows.append(self._row(scored, token))
        return token

    def pending(self) -> Sequence[torch.Tensor]:
        return self._rows

    def take(self, tokens: Sequence[int], rows: Sequence[Sequence[float]]) -> Sequence[Drawn]:
        self._rows = []
        if self._wanted is None:
            return [Drawn()] * len(tokens)
        return [Drawn(self._logprob(token, row)) for token, row in zip(tokens, rows, strict=False)]

    def _row(self, scored: torch.Tensor, token: torch.Tensor) -> torch.Tensor:
        """The token's log probability, those of the best, and their ids, which a float holds exactly."""
        chosen = scored.gather(-1, token.view(1, 1))
        top = scored.topk(min(self._wanted or 0, self._size), -1)
        return torch.cat((chosen, top.values, top.indices.float()), -1).view(-1)

    def _logprob(self, token: int, row: Sequence[float]) -> TokenLogprob:
        shown, count = self._tokenizer.shown, len(row) // 2
        best = zip(map(int, row[1 + count :]), row[1 : 1 + count], strict=True)
        top = tuple(Alternative(each, shown(each), value) for each, value in best)
        return TokenLogprob(token, shown(token), row[0], top)


class HostSampler(Sampler):  # type: ignore[misc]
    """Draws on the host. `history` is the job's growing list of tokens, prompt first. With `is_drafted` the library must
    not draw for a position before it knows the one before."""

    def __init__(
        self,
        sampler: JobSampler,
        history: list[int],
        tokenizer: logprobs.ShowsTokens,
        size: int,
        *,
        is_drafted: bool,
    ) -> None:
        super().__init__()
        # The library draws position by position for whoever says that he needs the tokens before.
        self.reqs_past_ids = is_drafted
        self._sampler = sampler
        self._history = history
        self._tokenizer = tokenizer
        self._size = size
        self._drawn: list[Drawn] = []
        self._is_over = False

    @override
    def forward(
        self,
        logits: torch.Tensor,
        sequence_ids: torch.Tensor | None = None,
        rand_u32: int | None = None,
        tokenizer: Any = None,
        logit_mask: torch.Tensor | None = None,
        return_state: bool = False,
    ) -> torch.Tensor:
        token = self._draw(logits.view(-1)[: self._size].float().cpu().numpy().copy())
        return torch.tensor([[token]], dtype=torch.long).view(logits.shape[:-1])

    def pending(self) -> Sequence[torch.Tensor]:
        return ()

    def take(self, tokens: Sequence[int], rows: Sequence[Sequence[float]]) -> Sequence[Drawn]:
        drawn, self._drawn = self._drawn[: len(tokens)], []
        return drawn

    def close(self) -> None:
        self._sampler.close()

    def _draw(self, row: logprobs.Row) -> int:
        """What comes after the end, or after a failure, is only there for the library."""
        if self._is_over:
            return 0
        try:
            token, scored = self._sampler.take(row, self._tokenizer)
        except EngineFailed as error:
            self._is_over = True
            self._drawn.append(Drawn(failure=error.message))
            return 0
        self._history.append(token)
        self._is_over = self._sampler.is_complete
        self._drawn.append(Drawn(scored, is_last=self._is_over))
        return token


class DeviceStages(Stages[Any]):
    """The stages that the library has, as its own steps; the others as they are."""

    @override
    def penalties(self) -> Any:
        if (values := self.penalty_values) is None:
            return None
        repetition, presence, frequency = values
        return _Penalties((SS_RepP(repetition, self.reach), SS_PresFreqP(presence, frequency, self.reach)))

    @override
    def temperature(self) -> Any:
        s = self._sampling
        return None if s.dynamic_temperature or s.temperature == 1.0 else SS_Temperature(s.temperature)

    @override
    def top_k(self) -> Any:
        return SS_TopK(self._sampling.top_k) if self._sampling.top_k > 0 else None

    @override
    def top_p(self) -> Any:
        return SS_TopP(self._sampling.top_p) if self._sampling.top_p < 1 else None

    @override
    def min_p(self) -> Any:
        return SS_MinP(self._sampling.min_p) if self._sampling.min_p > 0 else None


@dataclass(frozen=True, slots=True)
class _Penalties:
    steps: tuple[Any, ...]


def device_steps(generation: Generation, ends: Sequence[int], size: int, *, guided: bool) -> list[Any] | None:
    """The library's own steps for what the job asks, None where it has not all of them, or not in that order.

    Biases and bans beside a constraint are left to the host: they may leave nothing that the constraint allows.
    """
    sampling = generation.sampling
    banned = [*sampling.banned_tokens, *(ends if generation.ignore_eos else ())]
    is_biased = bool(banned or sampling.logit_bias or generation.min_tokens)
    if generation.sampled_logprobs or sampling.mirostat_mode or sampling.adaptive_target > 0 or (guided and is_biased):
        return None
    if len(set(banned) | set(sampling.logit_bias)) >= size:
        return None
    steps: list[Any] = [SS_LogitBias(sampling.logit_bias)] if sampling.logit_bias else []
    if banned:
        steps.append(SS_BanTokens(banned))
    stages: list[Any] = DeviceStages(sampling, SamplerFacts(vocabulary=size, context=1 << 30), _NO_SEED).build()
    for at, stage in enumerate(stages):
        if isinstance(stage, _Penalties):
            # They have to come before what sorts and cuts.
            if any(not isinstance(before, SS_Temperature) for before in stages[:at]):
                return None
            steps += stage.steps
        elif isinstance(stage, SS_Base):
            steps.append(stage)
        else:
            return None
    return [*steps, SS_Argmax() if sampling.is_greedy else SS_Sample()]
