"""Which text a token counts for does not depend on how chunks were joined on their way: a load only joins more of them."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.engine.detokenizer import ReplyText
from modules.engine.protocols import Output
from modules.engine.types import Chunk, Finish, Generation, Prompt, TokenLogprob
from modules.events import Content, Done, Reasoning
from modules.messages import ToolSpec
from modules.reply.format import ReplyFormat
from modules.reply.formats.registry import choose_tool_format
from modules.reply.reasoning.formats import THINK
from modules.reply.reasoning.formats import ReplyReasoning as Thoughts
from modules.reply.split.splitter import ReplySplitter
from modules.text.control_tokens import ControlTexts
from tests.splits import cut

OPEN = ReplyFormat(reasoning=Thoughts(formats=(THINK,), is_open=True))
CLOSED = ReplyFormat(reasoning=Thoughts(formats=(THINK,)))
CALLING = ReplyFormat(
    reasoning=Thoughts(formats=(THINK,)),
    tool_format=choose_tool_format("<tool_call>"),
    tools=(ToolSpec(name="f", parameters={"type": "object"}),),
)
CALL = '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>'
TOKENS = ["a", "b", "c", "d", "e", "f", "</think>", "\n\n", "Internationalization ", "considerations "]


def chunks_of(pieces: Sequence[bytes], *, stop: tuple[str, ...] = ()) -> list[Chunk]:
    """As the model process makes them, one token after the other."""
    reply = ReplyText(Generation(prompt=Prompt((1,)), stop=stop), room=10_000)
    outputs = [
        Output(job_id=1, token=number, data=data, logprob=TokenLogprob(number, data, -1.0))
        for number, data in enumerate(pieces)
    ]
    chunks: list[Chunk] = []
    for output in (*outputs, Output(job_id=1, finish=Finish.STOP)):
        chunk = reply.feed(output)
        if chunk is not None:
            chunks.append(chunk)
            if chunk.finish is not None:
                break
    return chunks


def joined(chunks: Sequence[Chunk], places: Sequence[int]) -> list[Chunk]:
    """The same, joined between `places`."""
    bounds = sorted({0, len(chunks), *(place % (len(chunks) + 1) for place in places)})
    return [Chunk.join(chunks[start:end]) for start, end in pairwise(bounds) if end > start]


def counted(reply_format: ReplyFormat, chunks: Sequence[Chunk]) -> tuple[int, list[int], list[int]]:
    """The reply's reasoning tokens, its content's tokens, and those whose logprobs came with its thought."""
    splitter = ReplySplitter(0, prompt_tokens=1, reply_format=reply_format)
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    [done] = [event for event in events if isinstance(event, Done)]
    content = [token for event in events if isinstance(event, Content) for token in event.tokens]
    thought = [each.token for event in events if isinstance(event, Reasoning) for each in event.logprobs]
    return done.usage.reasoning_tokens, content, thought


@pytest.mark.parametrize("places", [range(11), [5], [], [1], [9], [3, 7]])
def test_a_thought_counts_the_same_however_its_chunks_are_joined(places: Sequence[int]) -> None:
    chunks = chunks_of([token.encode() for token in TOKENS])
    tokens, content, _ = counted(OPEN, joined(chunks, places))
    assert tokens == TOKENS.index("Internationalization ")
    assert content == [8, 9]


@given(
    st.text("ab é🙂\n", max_size=12),
    st.text("cd é🙂\n", max_size=12),
    st.sampled_from(
        [
            (OPEN, "THOUGHT</think>ANSWER"),
            (CLOSED, "<think>THOUGHT</think>ANSWER"),
            (CALLING, "<think>THOUGHT</think>ANSWER" + CALL),
        ]
    ),
    st.lists(st.integers(0, 90), max_size=20),
    st.lists(st.integers(0, 90), max_size=8),
    st.sampled_from([(), ("d",), ("c\n",)]),
)
def test_joining_changes_no_count(
    thought: str,
    answer: str,
    shape: tuple[ReplyFormat, str],
    divisions: list[int],
    places: list[int],
    stop: tuple[str, ...],
) -> None:
    """Tokens may divide characters, print nothing, and hang over both ends of a tag."""
    reply_format, written = shape
    chunks = chunks_of(
        cut(written.replace("THOUGHT", thought).replace("ANSWER", answer).encode(), divisions), stop=stop
    )
    single = counted(reply_format, chunks)
    assert counted(reply_format, joined(chunks, places)) == single
    assert counted(reply_format, [Chunk.join(chunks)]) == single


def placed(events: Sequence[object], kind: type[Content | Reasoning]) -> list[tuple[str, bytes]]:
    """For each token of thoughts or of words: the text behind its place, and its own bytes."""
    found: list[tuple[int, bytes]] = []
    text = ""
    for event in events:
        if isinstance(event, kind):
            pairs = zip(event.starts, event.logprobs, strict=True)
            found += [(len(text) + start, each.data) for start, each in pairs]
            text += event.text
    return [(text[place:], data) for place, data in found]


WORDS = [
    "<thi",
    "nk>",
    "I ",
    "wonder",
    ".",
    "</think>",
    "\n\n",
    "for ",
    "é",
    "🙂",
    " in <",
    "b>",
    "x",
    "<end>",
    " y",
    "\n",
]


@pytest.mark.parametrize("places", [range(20), [], [3], [8, 11], [1, 12, 13]])
@pytest.mark.parametrize("controls", [(), ("<end>", "<b>")])
def test_each_token_says_where_its_text_begins(places: Sequence[int], controls: tuple[str, ...]) -> None:
    reply_format = replace(CLOSED, controls=ControlTexts(controls))
    splitter = ReplySplitter(0, prompt_tokens=1, reply_format=reply_format)
    chunks = joined(chunks_of([word.encode() for word in WORDS]), places)
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    thoughts, words = placed(events, Reasoning), placed(events, Content)
    assert [data.decode() for _, data in thoughts] == ["I ", "wonder", "."]
    hidden = {" in <", "b>", "<end>"} if controls else set()
    for behind, data in (*thoughts, *words):
        if data.decode() not in hidden:
            assert behind.startswith(data.decode())


def test_characters_of_several_tokens_begin_together() -> None:
    splitter = ReplySplitter(0, prompt_tokens=1)
    events = [event for chunk in chunks_of([b"a", b"\xf0\x9f", b"\x99\x82", b"b"]) for event in splitter.feed(chunk)]
    assert [behind for behind, _ in placed(events, Content)] == ["a🙂b", "🙂b", "🙂b", "b"]
