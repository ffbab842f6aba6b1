"""Thoughts and answers told apart, however the reply is cut into pieces."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from time import thread_time

import pytest

from modules.reply.reasoning import formats
from modules.reply.reasoning.formats import ReplyReasoning
from modules.reply.reasoning.harmony_reader import reader_of
from modules.reply.reasoning.reader import Span, SpanKind
from tests.reply.reasoning_cases import CASES, Case
from tests.splits import cut

MENTIONS = (
    "Here is a thought\nI had today.",
    "t",
    "thought",
    "<",
    "<thin",
    "<|channel|>ana",
    "The tag <think> opens a thought and </think> ends it.",
    "  \n An answer",
    "\n" * 40,
    "",
)


def read(reasoning: ReplyReasoning, pieces: Iterable[str]) -> list[Span]:
    reader = reader_of(reasoning)
    return [span for piece in pieces for span in reader.feed(piece)] + list(reader.close())


def said(spans: list[Span], kind: SpanKind) -> str:
    return "".join(span.text for span in spans if span.kind is kind)


def cuts(text: str) -> Iterator[list[str]]:
    """Whole, letter by letter, at every place, and at every two places."""
    yield [text]
    yield list(text)
    for number in (1, 2):
        for places in combinations(range(1, len(text)), number):
            yield cut(text, list(places))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_cut_reads_the_same(case: Case) -> None:
    for pieces in cuts(case.reply):
        spans = read(case.reasoning, pieces)
        assert said(spans, SpanKind.THOUGHT) == case.thought, pieces
        assert said(spans, SpanKind.ANSWER) == case.answer, pieces
        assert "".join(span.text for span in spans) == case.reply, pieces


@pytest.mark.parametrize("reply", MENTIONS, ids=repr)
@pytest.mark.parametrize("reasoning", [(formats.THINK,), (formats.ANALYSIS,), (formats.SOLAR, formats.SEED)], ids=repr)
def test_what_begins_with_no_tag_is_answer(reasoning: tuple[formats.ReasoningFormat, ...], reply: str) -> None:
    for pieces in cuts(reply):
        assert said(read(ReplyReasoning(formats=reasoning), pieces), SpanKind.ANSWER) == reply, pieces


def test_the_answer_is_told_at_once() -> None:
    reader = reader_of(ReplyReasoning(formats=(formats.THINK,)))
    assert [list(reader.feed(piece)) for piece in ("<", "b", ">\n")] == [
        [],
        [Span(SpanKind.ANSWER, "<b")],
        [Span(SpanKind.ANSWER, ">\n")],
    ]


def test_thoughts_are_told_at_once() -> None:
    reader = reader_of(ReplyReasoning(formats=(formats.THINK,), is_open=True))
    assert list(reader.feed("\nSo")) == [Span(SpanKind.MARKUP, "\n"), Span(SpanKind.THOUGHT, "So")]
    assert list(reader.feed(" be")) == [Span(SpanKind.THOUGHT, " be")]


def test_a_reply_that_goes_on_with_its_answer_has_no_thoughts() -> None:
    reasoning = ReplyReasoning(formats=(formats.THINK,), is_over=True)
    assert read(reasoning, ["<think>a</think>"]) == [Span(SpanKind.ANSWER, "<think>a</think>")]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_work_does_not_grow_with_the_reply(case: Case) -> None:
    def seconds(letters: int) -> float:
        reader = reader_of(case.reasoning)
        list(reader.feed(case.reply[: len(case.reply) // 2]))
        started = thread_time()
        for _ in range(letters):
            reader.feed(" ")
            reader.feed("\n")
        return thread_time() - started

    assert min(seconds(20_000) for _ in range(3)) < 40 * max(min(seconds(2_000) for _ in range(3)), 1e-3)
