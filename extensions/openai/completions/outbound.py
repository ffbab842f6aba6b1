"""Our events → the answer of a text completion request: one body, or the chunks of a stream. Pure."""

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from extensions.openai.common.answers import Stamp, candidates, finite, token_text, usage_body
from extensions.openai.common.stream import ChunkEncoder
from extensions.openai.completions.inbound import Choosing
from extensions.openai.completions.schema import CompletionLogprobs, TextChoice, TextCompletion
from modules.engine.types import TokenLogprob
from modules.events import Content, Done, Event, FinishReason, PromptScored, Started
from modules.reply.gather import Choice, Reply


class LogprobTable:
    """Makes the entries of one choice, part by part, and knows where in its text the next token begins."""

    def __init__(self, offset: int = 0) -> None:
        self._offset = offset
        # Offsets count characters, and a token may end within one.
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


_KIND: Final[Literal["text_completion"]] = "text_completion"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionPresentation:
    """How the caller wants to see the choices. `echoes` are the texts of the prompts, if they are to be repeated."""

    choosing: Choosing
    echoes: Sequence[str] | None
    has_logprobs: bool

    def echo(self, index: int) -> str:
        """What choice `index`, of all that are made, repeats."""
        return "" if self.echoes is None else self.echoes[index // self.choosing.made]


def text_completion(reply: Reply, presentation: CompletionPresentation) -> TextCompletion:
    stamp = Stamp.of("cmpl", reply.model)
    kept = _kept(reply.choices, presentation.choosing)
    return TextCompletion(
        id=stamp.id,
        object=_KIND,
        created=stamp.created,
        model=stamp.model,
        system_fingerprint=stamp.system_fingerprint,
        choices=[_choice(choice, index, presentation) for index, choice in enumerate(kept)],
        usage=usage_body(reply.usage),
    )


def _kept(choices: Sequence[Choice], choosing: Choosing) -> list[Choice]:
    """The likeliest choices of each prompt, the best first; all of them, as they come, when none is left out."""
    if choosing.made == choosing.kept:
        return list(choices)
    groups = (choices[start : start + choosing.made] for start in range(0, len(choices), choosing.made))
    return [choice for group in groups for choice in sorted(group, key=_likelihood, reverse=True)[: choosing.kept]]


def _likelihood(choice: Choice) -> float:
    # Per token, as OpenAI documents best_of: a sum would prefer short replies.
    return sum(token.logprob for token in choice.logprobs) / max(1, len(choice.logprobs))


def _choice(choice: Choice, index: int, presentation: CompletionPresentation) -> TextChoice:
    echo = presentation.echo(choice.index)
    return TextChoice(
        index=index,
        text=echo + choice.text,
        logprobs=_logprobs(choice, echo) if presentation.has_logprobs else None,
        finish_reason=_reason(choice.reason),
    )


def _logprobs(choice: Choice, echo: str) -> CompletionLogprobs:
    table = LogprobTable()
    if choice.prompt_logprobs is None:
        return table.reply(choice.logprobs)
    return joined(table.prompt(echo, choice.prompt_logprobs), table.reply(choice.logprobs))


def _reason(reason: FinishReason) -> Literal["stop", "length"]:
    # Text completions have no calls, so there are only these two.
    return "length" if reason is FinishReason.LENGTH else "stop"


class TextStream:
    """The chunks of one streamed text completion; every one has a text, maybe an empty one."""

    def __init__(
        self,
        presentation: CompletionPresentation,
        *,
        choices: int,
        wants_usage: bool,
        receipt: Callable[[], bytes] = bytes,
    ) -> None:
        self._presentation = presentation
        self._chunks = ChunkEncoder(kind=_KIND, id_prefix="cmpl", wants_usage=wants_usage, receipt=receipt)
        self._tables = [LogprobTable(len(presentation.echo(index))) for index in range(choices)]
        self._text_heads: list[bytes]
        self._text_tail: bytes

    def encode(self, event: Event) -> bytes:
        match event:
            case Content():
                return self._content(event)
            case Started():
                return self._start(event)
            case PromptScored():
                return self._scored_echo(event)
            case Done():
                self._chunks.finish(event)
                return self._chunk(event.index, "", finish=b'"%b"' % _reason(event.reason).encode())
            case _:
                return b""

    def end(self) -> bytes:
        return self._chunks.end()

    def _start(self, started: Started) -> bytes:
        self._chunks.start(started)
        indexes = range(len(self._tables))
        self._text_heads = [self._chunks.head + b'{"index":%d,"text":' % index for index in indexes]
        self._text_tail = b',"logprobs":null,"finish_reason":null}' + self._chunks.tail
        if self._presentation.has_logprobs and self._presentation.echoes is not None:
            return b""
        return b"".join(self._text(index, self._presentation.echo(index)) for index in indexes)

    def _content(self, content: Content) -> bytes:
        if self._presentation.has_logprobs and content.logprobs:
            return self._chunk(content.index, content.text, self._tables[content.index].reply(content.logprobs))
        return self._text(content.index, content.text) if content.text else b""

    def _scored_echo(self, scored: PromptScored) -> bytes:
        echo = self._presentation.echo(scored.index)
        return self._chunk(scored.index, echo, self._tables[scored.index].prompt(echo, scored.logprobs))

    def _text(self, index: int, text: str) -> bytes:
        return self._text_heads[index] + orjson.dumps(text) + self._text_tail

    def _chunk(
        self, index: int, text: str, logprobs: CompletionLogprobs | None = None, *, finish: bytes = b"null"
    ) -> bytes:
        scores = b"null" if logprobs is None else logprobs.model_dump_json().encode()
        choice = b'{"index":%d,"text":%b,"logprobs":%b,"finish_reason":%b}'
        return self._chunks.around(choice % (index, orjson.dumps(text), scores, finish))
