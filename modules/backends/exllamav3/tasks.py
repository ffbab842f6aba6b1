"""A job on its way through the library's generator, and what of it is new after a step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from modules.backends.adapters import AdapterGroup
from modules.backends.exllamav3.guide_filter import GuideFilter
from modules.backends.exllamav3.options import PAGE
from modules.backends.exllamav3.sampling import Drawn, HostSampler, WatchedSampler
from modules.backends.hub.tokenizer import HubTokenizer
from modules.engine.constraints.matcher import Guide
from modules.engine.protocols import Drafter, Output
from modules.engine.types import Finish, Job, PromptProgress, TokenLogprob


@dataclass(slots=True, eq=False)
class GeneratorTask:
    """`run` is the library's job, once there is one; `known` of its tokens were told. `ids` is the prompt as the library
    knows it."""

    job: Job
    guide: Guide | None
    group: AdapterGroup
    ids: list[int]
    embeddings: list[Any] = field(default_factory=list)
    run: Any = None
    sampler: WatchedSampler | None = None
    filter: GuideFilter | None = None
    known: int = 0
    drafter: Drafter | None = None
    rejected: int = 0
    scored: tuple[TokenLogprob | None, ...] | None = None
    has_begun: bool = False

    @property
    def prompt_length(self) -> int:
        return len(self.job.generation.prompt.tokens)

    def new_tokens(self) -> list[int]:
        """Drawn in the last step; those that end a reply are among them."""
        sequence = self.run.sequences[0].sequence_ids
        if len(sequence) <= self.known:
            return []
        new = [int(token) for token in sequence.torch_slice(self.known, None)[0].tolist()]
        self.known += len(new)
        return new

    def progress(self, event: dict[str, Any]) -> Output:
        """Of an event about the prompt. What a job reads anew after a pause is no news."""
        done = min(int(event["curr_progress"]), self.prompt_length)
        return Output(job_id=self.job.id, progress=PromptProgress(done, self.prompt_length, self._cached))

    def outputs(
        self, tokens: Sequence[int], drawn: Sequence[Drawn], tokenizer: HubTokenizer, end: dict[str, Any] | None
    ) -> Iterator[Output]:
        """What a step drew. `end` is the library's last event about the job, if there is one."""
        rejected = int(getattr(self.run, "rejected_draft_tokens", 0)) - self.rejected
        self.rejected += rejected
        for at, (token, about) in enumerate(zip(tokens, drawn, strict=False)):
            is_last = at == len(tokens) - 1
            output = self._output(token, about, tokenizer)
            if output.error is None and output.finish is None and is_last and end is not None:
                output = replace(output, finish=self._finish(end))
            yield replace(output, drafted_by=None if is_last else self.drafter, rejected=rejected if is_last else 0)
            if output.finish is not None or output.error is not None:
                return
        if self.filter is not None and self.filter.failure and not tokens:
            yield Output(job_id=self.job.id, error=self.filter.failure)

    def _finish(self, event: dict[str, Any]) -> Finish:
        is_complete = self.guide is not None and self.guide.is_complete
        has_ended = is_complete or event.get("eos_reason") != "max_new_tokens"
        return Finish.STOP if has_ended else Finish.LENGTH

    def close(self) -> None:
        if isinstance(self.sampler, HostSampler):
            self.sampler.close()

    @property
    def _cached(self) -> int:
        return min(int(self.run.cached_pages) * PAGE + int(self.run.cached_tokens), self.prompt_length - 1)

    def _output(self, token: int, about: Drawn, tokenizer: HubTokenizer) -> Output:
        failure = about.failure or (self.filter.failure if self.filter is not None else "")
        job_id = self.job.id
        if failure:
            return Output(job_id=job_id, error=failure)
        progress, scored = None, self.scored
        if not self.has_begun:
            self.has_begun, self.scored = True, None
            progress = PromptProgress(self.prompt_length, self.prompt_length, self._cached)
        output = Output(job_id=job_id, logprob=about.logprob, prompt_logprobs=scored, progress=progress)
        if token in tokenizer.end_ids:
            return replace(output, finish=Finish.STOP, stop_token=token)
        piece = tokenizer.printed if self.job.generation.skip_special_tokens else tokenizer.shown
        return replace(output, token=token, data=piece(token), finish=Finish.STOP if about.is_last else None)
