"""A slow reader gets everything, in order, in few pieces."""

import asyncio

import pytest

from modules.engine.streams import Mailbox
from modules.engine.types import Chunk, Finish, PromptProgress, TokenLogprob, Usage
from modules.errors import EngineFailed

SCORED = (None, TokenLogprob(7, b"b", -1.0))


async def test_unread_chunks_are_joined() -> None:
    mailbox = Mailbox()
    first = TokenLogprob(1, b"a", -0.5)
    mailbox.put(
        Chunk(text="a", tokens=(1,), logprobs=(first,), prompt_logprobs=SCORED, progress=PromptProgress(1, 2, 0))
    )
    mailbox.put(Chunk(text="b", tokens=(2,), progress=PromptProgress(2, 2, 1)))
    mailbox.put(Chunk(text="c", finish=Finish.STOP, stop_reason="!", usage=Usage(2, 3, 1)))
    assert await mailbox.get() == Chunk(
        text="abc",
        tokens=(1, 2),
        starts=(0, 1),
        logprobs=(first,),
        prompt_logprobs=SCORED,
        progress=PromptProgress(2, 2, 1),
        finish=Finish.STOP,
        stop_reason="!",
        usage=Usage(2, 3, 1),
    )


async def test_a_chunk_is_read_once() -> None:
    mailbox = Mailbox()
    for text in ("a", "b"):
        mailbox.put(Chunk(text=text))
        assert (await mailbox.get()).text == text


async def test_reading_waits_for_the_next_chunk() -> None:
    mailbox = Mailbox()
    reading = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    assert not reading.done()
    mailbox.put(Chunk(text="late"))
    assert (await reading).text == "late"


async def test_an_error_comes_after_what_is_still_unread() -> None:
    mailbox = Mailbox()
    mailbox.put(Chunk(text="last words"))
    mailbox.fail(EngineFailed("gone"))
    assert (await mailbox.get()).text == "last words"
    with pytest.raises(EngineFailed, match="gone"):
        await mailbox.get()


async def test_an_error_wakes_who_waits() -> None:
    mailbox = Mailbox()
    reading = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    mailbox.fail(EngineFailed("gone"))
    with pytest.raises(EngineFailed):
        await reading


async def test_a_reader_that_gives_up_loses_nothing() -> None:
    mailbox = Mailbox()
    reading = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    reading.cancel()
    mailbox.put(Chunk(text="kept"))
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (await mailbox.get()).text == "kept"
