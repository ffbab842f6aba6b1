"""Our events → the answer of a chat request: one body, or the chunks of a stream. Pure."""

from typing import Final, Literal

import orjson

from extensions.openai.chat.logprobs import choice_logprobs
from extensions.openai.chat.schema import AssistantMessage, ChatChoice, ChatCompletion
from extensions.openai.chunks import Envelope
from extensions.openai.stamp import Stamp
from extensions.openai.usage import UsageTally, usage_body
from modules.engine.types import TokenLogprob
from modules.events import Content, Done, Event, Reasoning, Started
from modules.reply.gather import Choice, Reply

_KIND: Final[Literal["chat.completion"]] = "chat.completion"


def chat_completion(reply: Reply, *, has_logprobs: bool, continued: str = "") -> ChatCompletion:
    """`continued` is the text that the request let the model go on from; the answer holds it too."""
    stamp = Stamp.of("chatcmpl", reply.model)
    return ChatCompletion(
        id=stamp.id,
        object=_KIND,
        created=stamp.created,
        model=stamp.model,
        system_fingerprint=stamp.system_fingerprint,
        choices=[_choice(choice, has_logprobs, continued) for choice in reply.choices],
        usage=usage_body(reply.usage),
    )


def _choice(choice: Choice, has_logprobs: bool, continued: str) -> ChatChoice:
    message = AssistantMessage(role="assistant", content=continued + choice.text, refusal=None)
    if choice.reasoning:
        message.reasoning_content = choice.reasoning
    return ChatChoice(
        index=choice.index,
        message=message,
        logprobs=choice_logprobs(choice.logprobs) if has_logprobs else None,
        finish_reason=choice.reason.value,
    )


class ChatStream:
    """The chunks of one streamed answer, in the order that every known client can read.

    The role comes once per choice, in its first chunk; `finish_reason` once, in its last. `fills_deltas` gives every
    delta a `content`, for readers that take it for granted.
    """

    def __init__(
        self, *, n: int, has_logprobs: bool, wants_usage: bool, fills_deltas: bool, continued: str = ""
    ) -> None:
        self._n = n
        self._has_logprobs = has_logprobs
        self._wants_usage = wants_usage
        self._fills_deltas = fills_deltas
        self._continued = continued
        self._tally = UsageTally()
        self._envelope: Envelope
        self._text_heads: list[bytes]
        self._text_tail: bytes

    def encode(self, event: Event) -> bytes:
        match event:
            case Content():
                return self._content(event)
            case Started():
                return self._start(event)
            case Reasoning():
                return self._reasoning(event)
            case Done():
                self._tally.finish(event)
                return self._chunk(event.index, b'{"content":""}', finish=b'"%b"' % event.reason.value.encode())
            case _:
                return b""

    def end(self) -> bytes:
        """The chunk with the usage of all choices, if it was asked for."""
        return self._envelope.usage(self._tally.total) if self._wants_usage else b""

    def _start(self, started: Started) -> bytes:
        self._tally.start(started)
        stamp = Stamp.of("chatcmpl", started.model)
        envelope = Envelope.of(stamp, kind=f"{_KIND}.chunk", wants_usage=self._wants_usage)
        self._envelope = envelope
        self._text_heads = [envelope.head + b'{"index":%d,"delta":{"content":' % index for index in range(self._n)]
        self._text_tail = b'},"logprobs":null,"finish_reason":null}' + envelope.tail
        first = b'{"role":"assistant","content":%b}' % orjson.dumps(self._continued)
        return b"".join(self._chunk(index, first) for index in range(self._n))

    def _content(self, content: Content) -> bytes:
        if self._has_logprobs:
            delta = b'{"content":%b}' % orjson.dumps(content.text)
            return self._chunk(content.index, delta, logprobs=_logprobs(content.logprobs))
        if not content.text:
            return b""
        return self._text_heads[content.index] + orjson.dumps(content.text) + self._text_tail

    def _reasoning(self, reasoning: Reasoning) -> bytes:
        filler = b',"content":""' if self._fills_deltas else b""
        delta = b'{"reasoning_content":%b%b}' % (orjson.dumps(reasoning.text), filler)
        return self._chunk(reasoning.index, delta, logprobs=_logprobs(reasoning.logprobs))

    def _chunk(self, index: int, delta: bytes, *, logprobs: bytes = b"null", finish: bytes = b"null") -> bytes:
        choice = b'{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":%b}' % (index, delta, logprobs, finish)
        return self._envelope.around(choice)


def _logprobs(scored: tuple[TokenLogprob, ...]) -> bytes:
    return choice_logprobs(scored).model_dump_json().encode() if scored else b"null"
