"""Replies: whole or in pieces, their limits, their ends, many at once, and gone when nobody listens."""

import asyncio
from contextlib import aclosing

import pytest

from modules.engine.types import Finish, Usage
from modules.errors import Busy
from modules.sampling import Sampling
from tests.backends.contract.subjects import CONTEXT, MAX_QUEUE, PARALLEL, Subject
from tests.streams import chunks_of, whole

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_stream_says_what_the_whole_reply_says(subject: Subject) -> None:
    generation = await subject.generation()
    pieces = await chunks_of(subject.engine, generation)
    together = await whole(subject.engine, generation)
    assert "".join(piece.text for piece in pieces) == together.text != ""
    assert [token for piece in pieces for token in piece.tokens] == list(together.tokens)
    assert await subject.engine.detokenize(together.tokens) == together.text
    assert [piece.finish for piece in pieces[:-1]] == [None] * (len(pieces) - 1)


@pytest.mark.parametrize("limit", [1, 2, 7])
async def test_max_tokens_is_exact(subject: Subject, limit: int) -> None:
    generation = await subject.generation(max_tokens=limit)
    reply = await whole(subject.engine, generation)
    assert reply.finish is Finish.LENGTH
    assert reply.stop_reason is None
    assert len(reply.tokens) == limit
    assert reply.usage is not None
    assert reply.usage.prompt_tokens == len(generation.prompt.tokens)
    assert reply.usage.completion_tokens == limit


async def test_no_tokens_at_all(subject: Subject) -> None:
    generation = await subject.generation(max_tokens=0)
    reply = await whole(subject.engine, generation)
    assert (reply.text, reply.tokens, reply.finish) == ("", (), Finish.LENGTH)
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 0


async def test_progress_tells_how_much_of_the_prompt_is_read(subject: Subject) -> None:
    generation = await subject.generation()
    progress = [chunk.progress for chunk in await chunks_of(subject.engine, generation) if chunk.progress]
    assert progress
    assert progress[-1].done == progress[-1].total == len(generation.prompt.tokens)


@pytest.mark.parametrize("place", [1, 3, 5])
async def test_a_stop_string_ends_the_reply_before_it(subject: Subject, place: int) -> None:
    text = (await whole(subject.engine, await subject.generation())).text
    stop = text[place : place + 3]
    reply = await whole(subject.engine, await subject.generation(stop=("never said", stop)))
    assert reply.text == text[: text.index(stop)]
    assert (reply.finish, reply.stop_reason) == (Finish.STOP, stop)


async def test_a_stop_string_that_only_begins_is_text(subject: Subject) -> None:
    plain = await whole(subject.engine, await subject.generation())
    reply = await whole(subject.engine, await subject.generation(stop=(plain.text[-2:] + "never said",)))
    assert reply.text == plain.text
    assert reply.finish is Finish.LENGTH


async def test_a_stop_token_ends_the_reply_before_it(subject: Subject) -> None:
    plain = await whole(subject.engine, await subject.generation())
    stop = plain.tokens[5]
    reply = await whole(subject.engine, await subject.generation(stop_token_ids=(stop,)))
    assert reply.tokens == plain.tokens[: plain.tokens.index(stop)]
    assert (reply.finish, reply.stop_reason) == (Finish.STOP, stop)


async def test_the_context_is_the_limit_of_an_endless_reply(subject: Subject) -> None:
    generation = await subject.filled(CONTEXT - 5, max_tokens=None, ignore_eos=True)
    reply = await whole(subject.engine, generation)
    assert reply.finish is Finish.LENGTH
    assert reply.usage is not None
    assert reply.usage.total_tokens == CONTEXT
    assert len(reply.tokens) == 5


async def test_no_end_before_its_time(subject: Subject) -> None:
    (end, *_) = subject.engine.card.eos_ids
    eager = Sampling(temperature=0, logit_bias={end: 100.0})
    early = await whole(subject.engine, await subject.generation(sampling=eager, max_tokens=None))
    assert early.finish is Finish.STOP
    length = len(early.tokens) + 4
    late = await whole(subject.engine, await subject.generation(sampling=eager, min_tokens=length, max_tokens=None))
    assert (len(late.tokens), late.finish) == (length, Finish.STOP)
    never = await whole(
        subject.engine, await subject.generation(sampling=eager, ignore_eos=True, max_tokens=length + 3)
    )
    assert (len(never.tokens), never.finish) == (length + 3, Finish.LENGTH)


async def test_many_at_once_are_not_crossed(subject: Subject) -> None:
    generations = [await subject.generation(number, max_tokens=6) for number in range(PARALLEL * 3)]
    alone = [await whole(subject.engine, generation) for generation in generations]
    together = await asyncio.gather(*(whole(subject.engine, generation) for generation in generations))
    assert [reply.text for reply in together] == [reply.text for reply in alone]
    assert len({reply.text for reply in alone}) > 1


async def test_beyond_the_queue_is_busy_and_leaving_makes_room(subject: Subject) -> None:
    endless = await subject.endless()
    async with aclosing(subject.engine.generate(endless)) as first:
        await anext(first)
        others = [asyncio.create_task(whole(subject.engine, endless)) for _ in range(PARALLEL + MAX_QUEUE - 1)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await whole(subject.engine, endless)
        for task in others:
            task.cancel()
        await asyncio.wait(others)
        reply = await whole(subject.engine, await subject.generation(max_tokens=3))
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 3


async def test_closing_a_stream_frees_its_place(subject: Subject) -> None:
    endless = await subject.endless()
    streams = [subject.engine.generate(endless) for _ in range(PARALLEL)]
    for stream in streams:
        await anext(stream)
    waiting = asyncio.create_task(whole(subject.engine, await subject.generation(max_tokens=2)))
    await asyncio.sleep(0)
    assert not waiting.done()
    await streams[0].aclose()
    assert len((await waiting).tokens) == 2
    for stream in streams[1:]:
        await stream.aclose()


async def test_the_same_prompt_again_counts_what_was_cached(subject: Subject) -> None:
    generation = await subject.generation()
    again = [(await whole(subject.engine, generation)).usage for _ in range(2)][-1]
    assert isinstance(again, Usage)
    assert 0 <= again.cached_tokens < again.prompt_tokens
