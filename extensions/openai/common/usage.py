"""Token counts in OpenAI's shape."""

from pydantic import BaseModel

from modules.engine.types import Usage
from modules.events import Done, Started
from modules.reply.gather import total_usage


class PromptTokensDetails(BaseModel):
    cached_tokens: int


class CompletionTokensDetails(BaseModel):
    reasoning_tokens: int


class CompletionUsage(BaseModel):
    """Tokens counted where they were processed. `cached_tokens` of the prompt had not to be computed again."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


def usage_body(usage: Usage) -> CompletionUsage:
    return CompletionUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=usage.cached_tokens),
        completion_tokens_details=CompletionTokensDetails(reasoning_tokens=usage.reasoning_tokens),
    )


class UsageTally:
    """Adds up a streamed request, whose choices end one by one."""

    def __init__(self) -> None:
        self._prompt_tokens = 0
        self._choices: list[Usage] = []

    def start(self, started: Started) -> None:
        self._prompt_tokens = started.prompt_tokens

    def finish(self, done: Done) -> None:
        self._choices.append(done.usage)

    @property
    def total(self) -> Usage:
        return total_usage(self._prompt_tokens, self._choices)
