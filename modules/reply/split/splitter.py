"""Chunks → events: thoughts, tool calls, visible text, and the end."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from modules.engine.types import Chunk, Finish, Usage
from modules.events import Content, Done, Event, FinishReason, Progress, PromptScored, Reasoning
from modules.reply.format import PLAIN, ReplyFormat
from modules.reply.reasoning.harmony_reader import reader_of
from modules.reply.reasoning.reader import Span, SpanKind
from modules.reply.split.answer import AnswerReader, CallingAnswer, PlainAnswer, TokenLedger, Tokens
from modules.reply.tool_format import CallEnd, Piece, Text, ToolParser
from modules.text.held_text import ControlFilter


class ThoughtWatch:
    """Holds the spans of a thought back from where a call begins, until the thought ends, which makes the call a mere
    mention, or the reply does.

    `parser` must not drop space around calls; `openers` are what it takes for the beginning of one, other than at the
    beginning of the thought."""

    def __init__(self, parser: ToolParser, openers: Iterable[str]) -> None:
        self._parser = parser
        self._initial = re.compile(f"[{re.escape(''.join(sorted({opener[0] for opener in openers})))}]").search
        self._is_begun = False
        self._spans: deque[Span] = deque()
        self._sure = 0
        self._blanks = 0
        self.has_call = False

    def can_pass(self, text: str) -> bool:
        """Whether `text`, which comes next, is no part of a call and need not be fed."""
        return self._is_begun and not self._spans and not self._initial(text)

    def feed(self, span: Span) -> Iterator[Span]:
        """What is certain to be no call."""
        self._is_begun = True
        self._spans.append(span)
        if span.kind is SpanKind.THOUGHT:
            self._read(self._parser.feed(span.text))
            yield from self._released(self._sure - self._blanks)

    def end(self) -> Iterator[Span]:
        """All that was held back, when the thought is over. Another may follow."""
        while self._spans:
            yield self._spans.popleft()

    def close(self) -> str:
        """The calls that a reply ends with, in a thought that did not end: "" if there are none."""
        self._read(self._parser.close())
        return "".join(span.text for span in self._spans) if self.has_call else ""

    def _read(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            match piece:
                case Text(text) if not self.has_call:
                    body = text.rstrip()
                    self._blanks = len(text) - len(body) + (0 if body else self._blanks)
                    self._sure += len(text)
                case CallEnd():
                    self.has_call = True

    def _released(self, length: int) -> Iterator[Span]:
        while self._spans and length > 0:
            span = self._spans.popleft()
            if len(span.text) > length:
                self._spans.appendleft(Span(span.kind, span.text[length:]))
                span = Span(span.kind, span.text[:length])
            length -= len(span.text)
            self._sure -= len(span.text)
            yield span


class ReplySplitter:
    """The events of choice `index`, written as `reply_format` says. After `feed` has given Done, or after `cut_short`,
    the choice is over: `is_done`, and nothing that its model still says is wanted.
    """

    def __init__(self, index: int, *, prompt_tokens: int, reply_format: ReplyFormat = PLAIN) -> None:
        self._index = index
        self._prompt_tokens = prompt_tokens
        self._completion_tokens = 0
        self._cached_tokens = 0
        self._disk_tokens = 0
        self._drafts = Usage()
        self._text = _FormattedText(index, reply_format) if reply_format.can_divide else _PlainText(index)
        self.is_done = False

    def feed(self, chunk: Chunk) -> Iterator[Event]:
        if self.is_done:
            return
        self._completion_tokens += len(chunk.tokens)
        if chunk.accepted or chunk.rejected or chunk.forced:
            self._drafts = _with_drafts(self._drafts, chunk)
        if chunk.progress is not None:
            self._cached_tokens, self._disk_tokens = chunk.progress.cached, chunk.progress.from_disk
            yield Progress(index=self._index, prompt=chunk.progress)
        if chunk.prompt_logprobs is not None:
            yield PromptScored(index=self._index, logprobs=chunk.prompt_logprobs)
        if chunk.text or chunk.tokens:
            yield from self._text.feed(chunk)
        if self._text.is_over:
            yield self._done(FinishReason.TOOL_CALLS, chunk.usage or self._usage, None)
        elif chunk.finish is not None:
            yield from self._text.close(chunk.finish)
            yield self._done(self._reason(chunk.finish), chunk.usage or self._usage, chunk.stop_reason)

    @property
    def ends_call(self) -> bool:
        """Whether the choice is over behind a call, whatever its model would have said after that."""
        return self._text.is_over

    def cut_short(self) -> Iterator[Event]:
        """The end of a choice that its user stopped; nothing when it had ended already."""
        if not self.is_done:
            yield from self._text.close(None)
            yield self._done(FinishReason.STOP, self._usage, None)

    @property
    def _usage(self) -> Usage:
        return replace(
            self._drafts,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            cached_tokens=self._cached_tokens,
            disk_tokens=self._disk_tokens,
        )

    def _reason(self, finish: Finish) -> FinishReason:
        if finish is Finish.LENGTH:
            return FinishReason.LENGTH
        return FinishReason.TOOL_CALLS if self._text.calls else FinishReason.STOP

    def _done(self, reason: FinishReason, usage: Usage, stop_reason: str | int | None) -> Done:
        self.is_done = True
        usage = replace(usage, reasoning_tokens=self._text.reasoning_tokens)
        return Done(index=self._index, reason=reason, usage=usage, stop_reason=stop_reason)


def _with_drafts(usage: Usage, chunk: Chunk) -> Usage:
    return replace(
        usage,
        accepted_tokens=usage.accepted_tokens + chunk.accepted,
        rejected_tokens=usage.rejected_tokens + chunk.rejected,
        forced_tokens=usage.forced_tokens + chunk.forced,
        predicted_tokens=usage.predicted_tokens + chunk.predicted,
        mispredicted_tokens=usage.mispredicted_tokens + chunk.mispredicted,
        has_prediction=usage.has_prediction or bool(chunk.predicted or chunk.mispredicted),
    )


class _PlainText:
    """All that the model says is content."""

    calls = 0
    reasoning_tokens = 0
    is_over = False

    def __init__(self, index: int) -> None:
        self._index = index

    def feed(self, chunk: Chunk) -> Iterator[Event]:
        starts = chunk.starts[: len(chunk.logprobs)] if chunk.logprobs else ()
        yield Content(index=self._index, text=chunk.text, tokens=chunk.tokens, logprobs=chunk.logprobs, starts=starts)

    def close(self, finish: Finish | None) -> Iterator[Event]:
        yield from ()


class _FormattedText:
    """Thoughts, then an answer. The tokens of a thought's tags count as thought, too."""

    def __init__(self, index: int, reply_format: ReplyFormat) -> None:
        self._index = index
        self._ledger = TokenLedger()
        self._reader = reader_of(reply_format.reasoning)
        self._thoughts = ControlFilter(reply_format.controls)
        self._answer = _answer(index, self._ledger, reply_format)
        self._format = reply_format
        self._has_tools = reply_format.tool_format is not None
        self._watch: ThoughtWatch | None = None
        self._is_thinking = reply_format.reasoning.is_open
        # Without a way to think, what is cut off the beginning of a reply is no thought.
        self._can_think = bool(reply_format.reasoning.formats)
        self.reasoning_tokens = 0

    @property
    def calls(self) -> int:
        return self._answer.calls

    @property
    def is_over(self) -> bool:
        return self._answer.is_over

    def feed(self, chunk: Chunk) -> Iterator[Event]:
        self._ledger.add(chunk)
        yield from self._divide(self._reader.feed(chunk.text))

    def close(self, finish: Finish | None) -> Iterator[Event]:
        calls = ""
        if self._watch is not None and self._reader.is_thinking:
            for span in self._reader.close():
                yield from self._think_all(self._watch.feed(span))
            calls = self._watch.close() if finish is Finish.STOP else ""
        else:
            yield from self._divide(self._reader.close())
        if calls:
            yield from self._calls_in_thought(calls, finish)
        elif self._is_thinking:
            yield from self._end_watch()
            self._count(self._ledger.take_all())
        else:
            yield from self._answer.close(finish)

    def _calls_in_thought(self, text: str, finish: Finish | None) -> Iterator[Event]:
        """The calls in a thought that did not end. What is said around them is still thought."""
        for event in (*self._answer.feed(text), *self._answer.close(finish)):
            if isinstance(event, Content):
                yield Reasoning(index=self._index, text=event.text, logprobs=event.logprobs, starts=event.starts)
            else:
                yield event

    def _divide(self, spans: Sequence[Span]) -> Iterator[Event]:
        for span in spans:
            self._is_thinking = span.kind is not SpanKind.ANSWER
            if not self._is_thinking:
                yield from self._answer.feed(span.text)
            elif (
                span.kind is SpanKind.THOUGHT
                and self._has_tools
                and not (self._watch is not None and self._watch.can_pass(span.text))
            ):
                self._watch = self._watch or _watch(self._format)
                yield from self._think_all((span,) if self._watch is None else self._watch.feed(span))
            else:
                if span.kind is SpanKind.MARKUP:
                    yield from self._end_watch()
                yield from self._think(span)

    def _end_watch(self) -> Iterator[Event]:
        if self._watch is not None:
            yield from self._think_all(self._watch.end())
            self._watch = None

    def _think_all(self, spans: Iterable[Span]) -> Iterator[Event]:
        for span in spans:
            yield from self._think(span)

    def _think(self, span: Span) -> Iterator[Event]:
        tokens = self._ledger.take(len(span.text))
        if self._can_think:
            self.reasoning_tokens += len(tokens.ids)
        if span.kind is SpanKind.THOUGHT:
            starts = tuple(self._thoughts.places(span.text, tokens.starts))
            text = self._thoughts.feed(span.text)
            if text or tokens.logprobs:
                yield Reasoning(
                    index=self._index,
                    text=text,
                    tokens=tuple(tokens.ids),
                    logprobs=tuple(tokens.logprobs),
                    starts=starts,
                )

    def _count(self, tokens: Tokens) -> None:
        if self._can_think:
            self.reasoning_tokens += len(tokens.ids)


def _answer(index: int, ledger: TokenLedger, reply_format: ReplyFormat) -> AnswerReader:
    controls = ControlFilter(reply_format.controls)
    parser = reply_format.parser()
    if parser is None:
        return PlainAnswer(index, ledger, controls)
    is_held = reply_format.constraint is not None
    return CallingAnswer(index, ledger, controls, parser, choice=reply_format.choice, is_held=is_held)


def _watch(reply_format: ReplyFormat) -> ThoughtWatch | None:
    parser = reply_format.parser(keeps_space=True)
    if parser is None or reply_format.tool_format is None:
        return None
    return ThoughtWatch(parser, reply_format.tool_format.openers)
