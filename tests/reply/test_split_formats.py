"""Chunks → events where replies hold thoughts and calls, however the model's words are cut into chunks."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations

import pytest

from modules.engine.types import Chunk, Constraint, Finish, TokenLogprob, Usage
from modules.events import (
    Content,
    Done,
    Event,
    FinishReason,
    Reasoning,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)
from modules.messages import ToolChoice, ToolSpec, ToolUse
from modules.reply.format import PLAIN, ReplyFormat
from modules.reply.formats.registry import choose_tool_format
from modules.reply.reasoning import formats
from modules.reply.reasoning.formats import ReplyReasoning as Thoughts
from modules.reply.split.answer import DOUBTFUL_LENGTH
from modules.reply.split.splitter import ReplySplitter
from modules.text.control_tokens import ControlTexts
from tests.reply.reasoning_cases import CASES, Case
from tests.splits import cut

TOOLS = (ToolSpec(name="f", parameters={"type": "object", "properties": {"a": {"type": "string"}}}),)
THINK = ReplyFormat(reasoning=Thoughts(formats=(formats.THINK,)))
CALL = '<tool_call>\n{"name": "f", "arguments": {"a": "b"}}\n</tool_call>'


def calling(*thoughts: formats.ReasoningFormat, parallel: bool = True) -> ReplyFormat:
    return ReplyFormat(
        reasoning=Thoughts(formats=thoughts),
        tool_format=choose_tool_format("<tool_call>"),
        tools=TOOLS,
        choice=ToolChoice(parallel=parallel),
    )


def letters(text: str, *, has_logprobs: bool = False) -> Iterator[Chunk]:
    """One token per letter, whose id is the letter's."""
    for letter in text:
        logprob = TokenLogprob(ord(letter), letter.encode(), -0.5)
        yield Chunk(text=letter, tokens=(ord(letter),), logprobs=(logprob,) if has_logprobs else ())


def events_of(reply_format: ReplyFormat, chunks: Iterable[Chunk]) -> list[Event]:
    splitter = ReplySplitter(0, prompt_tokens=5, reply_format=reply_format)
    return [event for chunk in chunks for event in splitter.feed(chunk)]


@dataclass
class Said:
    """What the events of one reply say together."""

    content: str = ""
    thought: str = ""
    calls: list[list[str]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    complete: int = 0
    content_tokens: list[int] = field(default_factory=list)
    content_logprobs: str = ""
    thought_logprobs: str = ""
    done: Done | None = None

    def add(self, event: Event) -> None:
        match event:
            case Content(text=text, tokens=tokens, logprobs=logprobs):
                self.content += text
                self.content_tokens += tokens
                self.content_logprobs += written(logprobs)
            case Reasoning(text=text, logprobs=logprobs):
                self.thought += text
                self.thought_logprobs += written(logprobs)
            case ToolCallStart(id=call_id, name=name, call=call):
                assert call == len(self.calls)
                self.calls.append([name, ""])
                self.ids.append(call_id)
            case ToolCallDelta(arguments=arguments, call=call):
                self.calls[call][1] += arguments
            case ToolCallEnd():
                self.complete += 1
            case Done():
                assert self.done is None
                self.done = event

    @property
    def reason(self) -> FinishReason:
        assert self.done is not None
        return self.done.reason

    @property
    def usage(self) -> Usage:
        assert self.done is not None
        return self.done.usage


def written(logprobs: Iterable[TokenLogprob]) -> str:
    return b"".join(logprob.data for logprob in logprobs).decode()


def said(
    reply_format: ReplyFormat, pieces: Iterable[str], *, finish: Finish = Finish.STOP, has_logprobs: bool = False
) -> Said:
    reply = Said()
    chunks = [Chunk.join(list(letters(piece, has_logprobs=has_logprobs))) for piece in pieces if piece]
    for event in events_of(reply_format, [*chunks, Chunk(finish=finish)]):
        reply.add(event)
    return reply


def cuts(text: str) -> Iterator[list[str]]:
    yield [text]
    yield list(text)
    for places in combinations(range(1, len(text)), 1):
        yield cut(text, list(places))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_streamed_is_whole(case: Case) -> None:
    for pieces in cuts(case.reply):
        reply = said(ReplyFormat(reasoning=case.reasoning), pieces, has_logprobs=True)
        assert (reply.thought, reply.content, reply.reason) == (case.thought, case.answer, FinishReason.STOP), pieces
        assert reply.thought_logprobs == case.thought, pieces
        assert reply.content_logprobs == case.answer, pieces
        assert reply.usage.completion_tokens == len(case.reply), pieces
        assert reply.usage.reasoning_tokens == len(case.reply) - len(case.answer), pieces


def test_a1_a_line_that_ends_in_the_word_thought_erases_nothing() -> None:
    text = "Here is a thought\nI had today: <channel|> is odd."
    gemma = ReplyFormat(reasoning=Thoughts(formats=(formats.CHANNEL,)))
    for reply_format in (PLAIN, THINK, gemma):
        for pieces in cuts(text):
            reply = said(reply_format, pieces)
            assert (reply.content, reply.thought) == (text, "")


@pytest.mark.parametrize("text", ["t", "thought", "<", "<think", "<|channel>thou", "<|channel|>"])
def test_a2_a_reply_that_is_the_beginning_of_a_tag_is_said(text: str) -> None:
    for each in formats.ALL:
        for pieces in cuts(text):
            assert said(ReplyFormat(reasoning=Thoughts(formats=(each,))), pieces).content == text


@pytest.mark.parametrize("text", ["Use <think> to think.", "It ends with </think>, always.", "a <think>b</think> c"])
def test_a3_a_reply_that_mentions_tags_is_whole(text: str) -> None:
    for pieces in cuts(text):
        reply = said(THINK, pieces)
        assert (reply.content, reply.thought) == (text, "")


def test_a4_a_thought_without_beginning_is_told_once() -> None:
    reply_format = ReplyFormat(reasoning=Thoughts(formats=(formats.THINK, formats.END_ONLY)))
    for pieces in cuts("So be it.</think>\nYes."):
        reply = said(reply_format, pieces)
        assert (reply.thought, reply.content) == ("So be it.", "Yes.")


def test_calls_after_thought_and_text() -> None:
    text = f"<think>\nHm.\n</think>\n\nLook:\n{CALL}\n{CALL}"
    for pieces in cuts(text):
        reply = said(calling(formats.THINK), pieces, has_logprobs=True)
        assert (reply.thought, reply.content) == ("Hm.", "Look:"), pieces
        assert reply.calls == [["f", '{"a": "b"}']] * 2, pieces
        assert (reply.complete, reply.reason) == (2, FinishReason.TOOL_CALLS)
        assert len(set(reply.ids)) == 2
        assert all(re.fullmatch("call_[A-Za-z0-9]{24}", call_id) for call_id in reply.ids)
        assert "tool_call" not in reply.content_logprobs


@pytest.mark.parametrize("end", ["", " Or so.", "\n" + CALL])
def test_a_call_in_a_thought_that_never_ended_is_a_call(end: str) -> None:
    for pieces in cuts(f"<think>Let me look.\n\n{CALL}{end}"):
        reply = said(calling(formats.THINK), pieces, has_logprobs=True)
        assert (reply.thought, reply.content) == ("Let me look." + end.replace("\n" + CALL, "").strip(), ""), pieces
        assert reply.calls == [["f", '{"a": "b"}']] * (2 if CALL in end else 1), pieces
        assert reply.reason is FinishReason.TOOL_CALLS


def test_a_call_in_a_thought_that_ends_is_thought() -> None:
    thought = f"I could say\n{CALL}\n but <tool_call> alone, or {CALL[:30]}, is none."
    for pieces in cuts(f"<think>{thought}</think>No."):
        reply = said(calling(formats.THINK), pieces, has_logprobs=True)
        assert (reply.thought, reply.content, reply.calls) == (thought, "No.", []), pieces
        assert (reply.thought_logprobs, reply.content_logprobs) == (thought, "No."), pieces


def test_a_thought_that_was_cut_holds_no_call() -> None:
    reply = said(calling(formats.THINK), [f"<think>a {CALL}"], finish=Finish.LENGTH)
    assert (reply.thought, reply.calls, reply.reason) == (f"a {CALL}", [], FinishReason.LENGTH)


def test_a_thought_with_tags_streams() -> None:
    """Only what may be a call is held back."""
    splitter = ReplySplitter(0, prompt_tokens=5, reply_format=calling(formats.THINK))
    events = [
        event for chunk in letters("<think>a <b> and <tool_call> or so, " + "b" * 9) for event in splitter.feed(chunk)
    ]
    assert "".join(event.text for event in events if isinstance(event, Reasoning)).endswith("b" * 9)


def test_blanks_between_thought_and_call_are_no_content() -> None:
    events = events_of(calling(formats.THINK), letters(f"<think>a</think>\n\n{CALL}"))
    assert not [event for event in events if isinstance(event, Content)]


def test_without_tools_a_call_is_text() -> None:
    for pieces in cuts(CALL):
        reply = said(THINK, pieces)
        assert (reply.content, reply.calls, reply.reason) == (CALL, [], FinishReason.STOP)


def test_length_beats_calls() -> None:
    reply = said(calling(), [CALL, CALL[:40]], finish=Finish.LENGTH)
    assert (reply.complete, len(reply.calls), reply.reason) == (1, 2, FinishReason.LENGTH)


def test_a_call_that_never_ended_is_no_call() -> None:
    for pieces in cuts(CALL[:46]):
        reply = said(calling(), pieces)
        assert (reply.calls, reply.content, reply.reason) == ([], CALL[:46], FinishReason.STOP), pieces


def test_a_long_call_that_never_ended_is_told_as_it_comes_and_has_no_end() -> None:
    begun = CALL[:46] + "b" * 2 * DOUBTFUL_LENGTH
    for pieces in ([begun], list(begun)):
        reply = said(calling(), pieces)
        assert (len(reply.calls), reply.complete, reply.content) == (1, 0, begun)


def test_a_long_call_does_not_wait_for_its_end() -> None:
    splitter = ReplySplitter(0, prompt_tokens=5, reply_format=calling())
    events = [
        [type(event) for event in splitter.feed(chunk)] for chunk in letters(CALL[:46] + "b" * 2 * DOUBTFUL_LENGTH)
    ]
    assert events[-1] == [ToolCallDelta]


def test_a_forced_call_that_is_repeated_ends_the_reply() -> None:
    forced = replace(
        calling(), choice=ToolChoice(use=ToolUse.REQUIRED), constraint=Constraint(kind="lark", text="start: /x/")
    )
    other = CALL.replace('"b"', '"c"')
    for pieces in cuts(f"{CALL}\n{other}\n{CALL}\n{CALL}"):
        splitter = ReplySplitter(0, prompt_tokens=5, reply_format=forced)
        reply = Said()
        for piece in pieces:
            for event in splitter.feed(Chunk.join(list(letters(piece)))):
                reply.add(event)
        assert splitter.is_done
        assert (reply.calls, reply.complete) == ([["f", '{"a": "b"}'], ["f", '{"a": "c"}']], 2), pieces
        assert reply.reason is FinishReason.TOOL_CALLS


def test_one_call_is_enough_without_parallel() -> None:
    for pieces in cuts(f"Look: {CALL}\n{CALL} and more"):
        splitter = ReplySplitter(0, prompt_tokens=5, reply_format=calling(parallel=False))
        reply = Said()
        fed = 0
        for piece in pieces:
            for event in splitter.feed(Chunk.join(list(letters(piece)))):
                reply.add(event)
            fed += len(piece)
            if splitter.is_done:
                break
        assert (reply.content, len(reply.calls), reply.complete) == ("Look:", 1, 1), pieces
        assert (reply.reason, reply.usage.completion_tokens) == (FinishReason.TOOL_CALLS, fed)
        assert list(splitter.feed(Chunk(text="x", tokens=(1,), finish=Finish.STOP))) == []
        assert list(splitter.cut_short()) == []


def test_a_stopped_reply_says_what_it_held_back() -> None:
    splitter = ReplySplitter(0, prompt_tokens=5, reply_format=calling(formats.THINK))
    reply = Said()
    for event in (*splitter.feed(Chunk(text="a <tool_", tokens=(1, 2))), *splitter.cut_short()):
        reply.add(event)
    assert (reply.content, reply.reason, reply.usage) == ("a <tool_", FinishReason.STOP, Usage(5, 2, 0))


def test_control_texts_are_not_shown() -> None:
    controls = ControlTexts(("<|im_end|>", "<|channel|>", "<|end|>", "<|end|>x", "[INST]"))
    harmony = ReplyFormat(reasoning=Thoughts(formats=(formats.ANALYSIS,)), controls=controls)
    text = "<|channel|>analysis<|message|>a[INST]b<|end|><|start|>assistant<|channel|>final<|message|>c<|im_end|>d<|im"
    for pieces in cuts(text):
        reply = said(harmony, pieces)
        assert (reply.thought, reply.content) == ("ab", "cd<|im"), pieces


def test_what_a_persona_repeats_is_not_shown() -> None:
    reply_format = ReplyFormat(reasoning=Thoughts(prefixes=("Chiharu:",)))
    for text, content in (
        ("\n Chiharu: Hi", "Hi"),
        (" Hi", "Hi"),
        ("Chiharu", "Chiharu"),
        ("Hi Chiharu: a", "Hi Chiharu: a"),
    ):
        for pieces in cuts(text):
            assert said(reply_format, pieces).content == content, pieces


def test_tokens_follow_their_text_within_one_chunk() -> None:
    logprobs = tuple(
        TokenLogprob(number, data, -0.5)
        for number, data in enumerate([b"<think>", b"a\xc3", b"\xa9", b"</think>", b"\n", b"B", b"b"])
    )
    chunk = Chunk(
        text="<think>aé</think>\nBb",
        tokens=tuple(range(7)),
        starts=(0, 7, 8, 9, 17, 18, 19),
        logprobs=logprobs,
        finish=Finish.STOP,
    )
    thought, content, done = events_of(THINK, [chunk])
    assert isinstance(thought, Reasoning)
    assert isinstance(content, Content)
    assert isinstance(done, Done)
    assert thought.logprobs == logprobs[1:3]
    assert (content.tokens, content.logprobs) == ((5, 6), logprobs[5:])
    assert done.usage.reasoning_tokens == 5


def test_tokens_that_print_nothing_are_told() -> None:
    events = events_of(THINK, [Chunk(text="a", tokens=(1,)), Chunk(tokens=(2,)), Chunk(finish=Finish.STOP)])
    assert [token for event in events if isinstance(event, Content) for token in event.tokens] == [1, 2]
