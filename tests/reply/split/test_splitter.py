"""Chunks → events."""

import pytest

from modules.engine.types import Chunk, Finish, PromptProgress, TokenLogprob, Usage
from modules.events import Content, Done, Event, FinishReason, Progress, PromptScored
from modules.reply.split.splitter import ReplySplitter

LOGPROB = TokenLogprob(7, b"a", -0.5)


def events_of(*chunks: Chunk) -> list[Event]:
    splitter = ReplySplitter(2, prompt_tokens=5)
    return [event for chunk in chunks for event in splitter.feed(chunk)]


def test_one_chunk_can_say_everything() -> None:
    progress, usage = PromptProgress(5, 5, 3), Usage(5, 1, 3)
    chunk = Chunk(
        text="a",
        tokens=(7,),
        logprobs=(LOGPROB,),
        prompt_logprobs=(None, LOGPROB),
        progress=progress,
        finish=Finish.STOP,
        stop_reason="END",
        usage=usage,
    )
    assert events_of(chunk) == [
        Progress(index=2, prompt=progress),
        PromptScored(index=2, logprobs=(None, LOGPROB)),
        Content(index=2, text="a", tokens=(7,), logprobs=(LOGPROB,)),
        Done(index=2, reason=FinishReason.STOP, usage=usage, stop_reason="END"),
    ]


def test_empty_end_is_only_done() -> None:
    usage = Usage(5, 0, 0)
    assert events_of(Chunk(finish=Finish.LENGTH, usage=usage)) == [
        Done(index=2, reason=FinishReason.LENGTH, usage=usage)
    ]


def test_tokens_that_print_nothing_are_told() -> None:
    assert events_of(Chunk(tokens=(9,))) == [Content(index=2, text="", tokens=(9,))]


def test_reply_cut_short_counts_what_was_said() -> None:
    splitter = ReplySplitter(0, prompt_tokens=5)
    chunks = (
        Chunk(progress=PromptProgress(5, 5, 4, from_disk=3)),
        Chunk(text="ab", tokens=(1, 2)),
        Chunk(text="c", tokens=(3,)),
    )
    assert len([event for chunk in chunks for event in splitter.feed(chunk)]) == 3
    assert list(splitter.cut_short()) == [Done(index=0, reason=FinishReason.STOP, usage=Usage(5, 3, 4, disk_tokens=3))]


@pytest.mark.parametrize("finish", list(Finish))
def test_complete_reply_is_not_cut_short(finish: Finish) -> None:
    splitter = ReplySplitter(0, prompt_tokens=5)
    assert list(splitter.feed(Chunk(finish=finish, usage=Usage())))
    assert list(splitter.cut_short()) == []
