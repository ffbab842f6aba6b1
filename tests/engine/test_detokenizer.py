"""Bytes become whole characters, tokens go with their text, and every ending is the right one."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from modules.engine.detokenizer import ReplyText
from modules.engine.protocols import Drafter, Output
from modules.engine.types import (
    Alternative,
    Chunk,
    Finish,
    Generation,
    Prompt,
    PromptProgress,
    TokenLogprob,
    Usage,
)
from tests.splits import cut

PROMPT = Prompt((1, 2, 3))
ROOM = 1000
MIXED = "né 🙂 世界 e\u0301 👩‍💻"


@dataclass(frozen=True, slots=True)
class Told:
    """A whole reply, and its chunks as they came."""

    chunks: list[Chunk]

    @property
    def all(self) -> Chunk:
        return Chunk.join(self.chunks)


def said(number: int, data: bytes) -> Output:
    """Token `number`, with a log-probability by which it can be told from others."""
    scored = TokenLogprob(number, data, -float(number), (Alternative(number, data, -float(number)),))
    return Output(job_id=1, token=number, data=data, logprob=scored)


END = Output(job_id=1, finish=Finish.STOP, stop_token=99)


def tell(pieces: list[bytes], *, room: int = ROOM, end: Output | None = END, **fields: object) -> Told:
    """Feed `pieces` as tokens 0, 1, 2 …, then `end`, until the reply is over."""
    reply = ReplyText(Generation(prompt=PROMPT, **fields), room=room)  # type: ignore[arg-type]
    outputs = [said(number, data) for number, data in enumerate(pieces)]
    chunks: list[Chunk] = []
    for output in [*outputs, *([end] if end else [])]:
        chunk = reply.feed(output)
        if chunk is not None:
            chunks.append(chunk)
            if chunk.finish is not None:
                break
    return Told(chunks)


def starts_of(pieces: list[bytes]) -> list[int]:
    """For each token, how many whole characters stand before it."""
    lengths = [sum(map(len, pieces[:at])) for at in range(len(pieces))]
    data = b"".join(pieces)
    return [len(data[:length].decode("utf-8", "ignore")) for length in lengths]


@pytest.mark.parametrize("place", range(len(MIXED.encode())))
def test_characters_are_whole_wherever_tokens_divide_them(place: int) -> None:
    told = tell(cut(MIXED.encode(), [place]))
    assert told.all.text == MIXED
    assert all("\ufffd" not in chunk.text for chunk in told.chunks)


def test_one_byte_per_token() -> None:
    data = MIXED.encode()
    told = tell([data[at : at + 1] for at in range(len(data))])
    assert told.all.text == MIXED
    assert told.all.tokens == tuple(range(len(data)))


def test_bytes_that_are_no_character_are_replaced_once() -> None:
    assert tell([b"a\xf0\x9f", b"b"]).all.text == "a\ufffdb"
    assert tell([b"a", b"\xf0\x9f"]).all.text == "a"


@given(
    st.text("aé🙂#", max_size=12), st.lists(st.integers(0, 40), max_size=12), st.sampled_from(["", "#", "é#", "#a🙂"])
)
def test_tokens_and_logprobs_go_with_the_text_they_print(text: str, places: list[int], stop: str) -> None:
    pieces = [*cut(text.encode(), places)]
    starts = starts_of(pieces)
    told = tell(pieces, stop=(stop,))
    shown = ""
    tokens: list[int] = []
    for chunk in told.chunks:
        places = [len(shown) + start for start in chunk.starts]
        assert places == [starts[token] for token in chunk.tokens]
        shown += chunk.text
        tokens += chunk.tokens
        assert tuple(logprob.token for logprob in chunk.logprobs) == chunk.tokens
        if chunk.finish is None or chunk.stop_reason == stop:
            assert tokens == [number for number, start in enumerate(starts) if start < len(shown)]
    expected, found, _ = text.partition(stop) if stop else (text, "", "")
    assert shown == expected
    if not found:
        assert tokens == list(range(len(pieces)))


def test_a_token_that_prints_nothing_goes_with_the_next_text() -> None:
    told = tell([b"a", b"", b"b"])
    assert [chunk.tokens for chunk in told.chunks] == [(0,), (1, 2), ()]


def test_usage_counts_what_was_processed_and_not_what_is_shown() -> None:
    reply = ReplyText(Generation(prompt=PROMPT, stop=("cd",)), room=ROOM)
    reply.feed(Output(job_id=1, progress=PromptProgress(3, 3, 2, from_disk=1)))
    chunks = [reply.feed(said(number, data)) for number, data in enumerate([b"ab", b"c", b"d"])]
    last = chunks[-1]
    assert last is not None
    assert last.usage == Usage(prompt_tokens=3, completion_tokens=3, cached_tokens=2, disk_tokens=1)
    assert last.usage.total_tokens == 6


def test_drafted_tokens_count_until_the_reply_ends() -> None:
    """The stop string ends it before its last token, which had been drafted as well."""
    reply = ReplyText(Generation(prompt=PROMPT, stop=("cd",)), room=ROOM)
    outputs = [
        replace(said(0, b"ab"), rejected=2),
        *(replace(said(number, data), drafted_by=Drafter.NGRAM) for number, data in enumerate([b"c", b"d", b"e"], 1)),
    ]
    chunks = [chunk for output in outputs[:3] if (chunk := reply.feed(output)) is not None]
    assert chunks[-1].usage == Usage(prompt_tokens=3, completion_tokens=3, accepted_tokens=2, rejected_tokens=2)
    assert Chunk.join(chunks).rejected == 2


def test_forced_tokens_and_those_of_a_prediction_are_counted_apart() -> None:
    reply = ReplyText(Generation(prompt=PROMPT, prediction=(5, 6)), room=ROOM)
    drafters = (Drafter.CONSTRAINT, Drafter.PREDICTION, Drafter.PREDICTION, Drafter.NGRAM, Drafter.MODEL, None)
    outputs = [replace(said(number, b"a"), drafted_by=drafter) for number, drafter in enumerate(drafters)]
    outputs[3] = replace(outputs[3], rejected=5, mispredicted=3)
    chunks = [chunk for output in (*outputs, END) if (chunk := reply.feed(output)) is not None]
    expected = Usage(
        prompt_tokens=3,
        completion_tokens=6,
        accepted_tokens=4,
        rejected_tokens=5,
        forced_tokens=1,
        predicted_tokens=2,
        mispredicted_tokens=3,
        has_prediction=True,
    )
    assert chunks[-1].usage == expected
    joined = Chunk.join(chunks)
    assert (joined.accepted, joined.rejected, joined.forced) == (4, 5, 1)
    assert (joined.predicted, joined.mispredicted) == (2, 3)


def test_chunks_say_how_many_of_their_tokens_were_drafted() -> None:
    reply = ReplyText(Generation(prompt=PROMPT), room=ROOM)
    outputs = [said(0, b"a"), replace(said(1, b"b"), drafted_by=Drafter.NGRAM), replace(said(2, b"c"), rejected=3), END]
    chunks = [chunk for output in outputs if (chunk := reply.feed(output)) is not None]
    assert [(chunk.accepted, chunk.rejected) for chunk in chunks] == [(0, 0), (1, 0), (0, 3), (0, 0)]


def test_only_the_last_chunk_has_finish_and_usage() -> None:
    *others, last = tell([b"a", b"b", b"c"]).chunks
    assert all(chunk.finish is None and chunk.usage is None for chunk in others)
    assert last.finish is Finish.STOP
    assert last.usage == Usage(3, 3, 0)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_max_tokens_is_exact(limit: int) -> None:
    told = tell([b"x"] * 9, max_tokens=limit)
    assert (told.all.text, told.all.finish) == ("x" * limit, Finish.LENGTH)
    assert told.all.usage == Usage(3, limit, 0)


def test_the_context_ends_a_reply_without_limit_and_one_with_too_high_a_limit() -> None:
    for limit in (None, 50):
        told = tell([b"x"] * 9, room=4, max_tokens=limit)
        assert (told.all.text, told.all.finish) == ("xxxx", Finish.LENGTH)


def test_an_end_token_stops() -> None:
    told = tell([b"a"])
    assert (told.all.text, told.all.finish, told.all.stop_reason) == ("a", Finish.STOP, 99)


def test_a_stop_token_is_neither_shown_nor_counted() -> None:
    told = tell([b"a", b"b", b"c"], stop_token_ids=(1,))
    assert (told.all.text, told.all.tokens, told.all.stop_reason) == ("a", (0,), 1)
    assert told.all.usage == Usage(3, 1, 0)


def test_a_stop_string_across_tokens_is_cut_and_named() -> None:
    told = tell([b"one", b" EN", b"D two"], stop=("END",))
    assert (told.all.text, told.all.finish, told.all.stop_reason) == ("one ", Finish.STOP, "END")


def test_a_stop_string_inside_one_token_cuts_it() -> None:
    assert tell([b"one END two"], stop=("END",)).all.text == "one "


def test_a_reply_that_ends_in_the_beginning_of_a_stop_keeps_it() -> None:
    told = tell([b"C", b"#"], stop=("###",))
    assert (told.all.text, told.all.tokens, told.all.stop_reason) == ("C#", (0, 1), 99)


def test_a_stop_at_the_very_last_token_allowed_is_a_stop() -> None:
    told = tell([b"a", b"EN", b"D"], stop=("END",), max_tokens=3)
    assert (told.all.text, told.all.finish, told.all.stop_reason) == ("a", Finish.STOP, "END")


def test_a_stop_that_waited_for_an_earlier_one_counts_at_the_end() -> None:
    told = tell([b"x<", b"b"], stop=("<bc", "b"))
    assert (told.all.text, told.all.finish, told.all.stop_reason) == ("x<", Finish.STOP, "b")


def test_progress_and_prompt_logprobs_do_not_wait_for_text() -> None:
    reply = ReplyText(Generation(prompt=PROMPT, stop=("###",)), room=ROOM)
    scored = (None, TokenLogprob(2, b"b", -1.0))
    progress = PromptProgress(3, 3, 0)
    chunk = reply.feed(Output(job_id=1, token=0, data=b"#", prompt_logprobs=scored, progress=progress))
    assert chunk == Chunk(prompt_logprobs=scored, progress=progress)
    assert reply.feed(said(1, b"#")) is None


def test_scoring_alone_ends_by_length_without_text() -> None:
    told = tell([], max_tokens=0, end=Output(job_id=1, finish=Finish.LENGTH, prompt_logprobs=(None,)))
    assert told.chunks == [Chunk(prompt_logprobs=(None,), finish=Finish.LENGTH, usage=Usage(3, 0, 0))]
