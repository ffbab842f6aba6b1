"""The chunks of an OpenAI-compatible server, in whatever dialect → our events. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from modules.chatmodels.remote.scores import UNKNOWN_TOKEN, chat_logprobs, completion_logprobs, starts_of
from modules.chatmodels.remote.tool_calls import ToolCallReader
from modules.engine.types import Chunk, Finish, TokenLogprob, Usage
from modules.events import Done, Event, FinishReason, Reasoning
from modules.reply.format import ReplyFormat
from modules.reply.split.splitter import ReplySplitter

_REASONS: Final = {
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
}


class UpstreamError(ValueError):
    """The server says, inside a stream that began well, that it failed. Its words are not passed on."""


class ReplyReader:
    """The events of a reply with `choices` choices, whose text is divided as `reply_format` says.

    Feed it chunks, or the one body of a server that does not stream. What belongs to a choice that nobody asked for is
    dropped. Ends of choices are kept for `close`, since servers count tokens after them. `ignored` are parameters that the
    server says it did not use.
    """

    ignored: tuple[str, ...] = ()

    def __init__(self, choices: int, reply_format: ReplyFormat) -> None:
        self._choices = [_Choice(index, reply_format) for index in range(choices)]
        self._usage: Usage | None = None

    @property
    def has_ended(self) -> bool:
        """Every choice is complete. A stream that breaks off after that has lost nothing."""
        return all(choice.reason is not None for choice in self._choices)

    @property
    def is_counted(self) -> bool:
        return self._usage is not None

    def feed(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        """Raises UpstreamError for a chunk that is an error."""
        if chunk.get("error"):
            raise UpstreamError
        if (usage := usage_of(chunk.get("usage"))) is not None:
            self._usage = usage
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            index = choice.get("index") or 0 if isinstance(choice, Mapping) else -1
            if isinstance(index, int) and 0 <= index < len(self._choices):
                yield from self._choices[index].feed(choice)

    def close(self) -> Iterator[Event]:
        """The ends. The first choice bears the cost of the prompt and, since servers count in one, of all replies."""
        usage = self._usage or Usage()
        for choice in self._choices:
            yield from choice.close(usage)
            usage = Usage()


class _Choice:
    def __init__(self, index: int, reply_format: ReplyFormat) -> None:
        self._index = index
        self._splitter = ReplySplitter(index, prompt_tokens=0, reply_format=reply_format)
        self._calls = ToolCallReader(index)
        self._stop_reason: str | int | None = None
        self.reason: FinishReason | None = None

    def feed(self, choice: Mapping[str, Any]) -> Iterator[Event]:
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, Mapping):
            yield from self._delta(delta, chat_logprobs(choice.get("logprobs")))
        elif isinstance(text := choice.get("text"), str):
            yield from self._say(text, completion_logprobs(choice.get("logprobs")))
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            self.reason = _REASONS.get(reason, FinishReason.STOP)
            stop_reason = choice.get("stop_reason")
            self._stop_reason = stop_reason if isinstance(stop_reason, str | int) else None

    def close(self, usage: Usage) -> Iterator[Event]:
        reason = self.reason or FinishReason.STOP
        finish = Finish.LENGTH if reason is FinishReason.LENGTH else Finish.STOP
        for event in self._splitter.feed(Chunk(finish=finish, usage=usage, stop_reason=self._stop_reason)):
            if isinstance(event, Done):
                yield from self._calls.close()
                has_calls = bool(self._calls) and reason is FinishReason.STOP
                yield replace(
                    event,
                    reason=FinishReason.TOOL_CALLS if has_calls else event.reason,
                    usage=replace(event.usage, reasoning_tokens=usage.reasoning_tokens),
                )
            else:
                yield event

    def _delta(self, delta: Mapping[str, Any], logprobs: Sequence[TokenLogprob]) -> Iterator[Event]:
        thought = _thought(delta)
        text = _text(delta.get("content")) or _text(delta.get("refusal"))
        if thought:
            # The tokens of a chunk that has nothing else are the thought's.
            own = () if text else tuple(logprobs)
            yield Reasoning(index=self._index, text=thought, logprobs=own, starts=starts_of(own, thought))
        if text or (logprobs and not thought):
            yield from self._say(text, logprobs)
        if calls := delta.get("tool_calls") or delta.get("function_call"):
            yield from self._calls.feed(calls)

    def _say(self, text: str, logprobs: Sequence[TokenLogprob]) -> Iterator[Event]:
        tokens = (UNKNOWN_TOKEN,) * len(logprobs)
        yield from self._splitter.feed(
            Chunk(text=text, tokens=tokens, starts=starts_of(logprobs, text), logprobs=tuple(logprobs))
        )


def usage_of(usage: object) -> Usage | None:
    """None for what counts nothing. Numbers that cannot be are 0."""
    if not isinstance(usage, Mapping):
        return None
    return Usage(
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        _count(_detail(usage, "prompt_tokens_details", "cached_tokens")),
        _count(_detail(usage, "completion_tokens_details", "reasoning_tokens")),
        image_tokens=_count(_detail(usage, "prompt_tokens_details", "image_tokens")),
        audio_tokens=_count(_detail(usage, "prompt_tokens_details", "audio_tokens")),
    )


def _detail(usage: Mapping[str, Any], group: str, name: str) -> object:
    details = usage.get(group)
    return details.get(name) if isinstance(details, Mapping) else None


def _count(value: object) -> int:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_count and isinstance(value, int) else 0


def _thought(delta: Mapping[str, Any]) -> str:
    """DeepSeek and vLLM say `reasoning_content`, OpenRouter and Ollama `reasoning`, Mistral parts of the content."""
    for name in ("reasoning_content", "reasoning", "thinking"):
        if isinstance(text := delta.get(name), str) and text:
            return text
    content = delta.get("content")
    if isinstance(content, list):
        return "".join(_text(part.get("thinking")) for part in content if isinstance(part, Mapping))
    return ""


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, Mapping))
        return "".join(text for text in texts if isinstance(text, str))
    return ""
