"""Chunks → events: what of a reply is visible text, and what is its end. One splitter per choice, whatever the model."""

from collections.abc import Iterator

from modules.engine.types import Chunk, Finish, Usage
from modules.events import Content, Done, Event, FinishReason, Progress, PromptScored

_REASONS = {Finish.STOP: FinishReason.STOP, Finish.LENGTH: FinishReason.LENGTH}


class ReplySplitter:
    """The events of choice `index`. After `feed` has given Done, or after `cut_short`, the choice is over."""

    def __init__(self, index: int, *, prompt_tokens: int) -> None:
        self._index = index
        self._prompt_tokens = prompt_tokens
        self._completion_tokens = 0
        self._cached_tokens = 0
        self.is_done = False

    def feed(self, chunk: Chunk) -> Iterator[Event]:
        self._completion_tokens += len(chunk.tokens)
        if chunk.progress is not None:
            self._cached_tokens = chunk.progress.cached
            yield Progress(index=self._index, prompt=chunk.progress)
        if chunk.prompt_logprobs is not None:
            yield PromptScored(index=self._index, logprobs=chunk.prompt_logprobs)
        if chunk.text or chunk.tokens:
            yield Content(index=self._index, text=chunk.text, tokens=chunk.tokens, logprobs=chunk.logprobs)
        if chunk.finish is not None:
            yield self._done(_REASONS[chunk.finish], chunk.usage or self._usage, chunk.stop_reason)

    def cut_short(self) -> Iterator[Event]:
        """The end of a choice that its user stopped; nothing when it had ended already."""
        if not self.is_done:
            yield self._done(FinishReason.STOP, self._usage, None)

    @property
    def _usage(self) -> Usage:
        return Usage(self._prompt_tokens, self._completion_tokens, self._cached_tokens)

    def _done(self, reason: FinishReason, usage: Usage, stop_reason: str | int | None) -> Done:
        self.is_done = True
        return Done(index=self._index, reason=reason, usage=usage, stop_reason=stop_reason)
