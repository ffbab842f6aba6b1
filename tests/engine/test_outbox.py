"""When news leaves: first words, ends and failures at once, the rest in a bounded number of deliveries."""

from modules.engine.outbox import FRAME_SECONDS, MAX_SECONDS, News, Outbox
from modules.engine.types import Chunk, Finish
from modules.errors import EngineFailed

START = 1000.0


def said(news: list[News]) -> list[tuple[int, str]]:
    return [(job_id, item.text) for job_id, item in news if isinstance(item, Chunk)]


def begun(outbox: Outbox, *job_ids: int) -> None:
    for job_id in job_ids:
        outbox.put(job_id, Chunk(text="first", tokens=(0,)))
    outbox.take(START)


def test_the_first_words_leave_at_once() -> None:
    outbox = Outbox()
    begun(outbox, 1)
    outbox.put(2, Chunk(text="a", tokens=(1,)))
    assert said(outbox.take(START)) == [(2, "a")]


def test_what_follows_within_a_frame_is_joined() -> None:
    outbox = Outbox()
    begun(outbox, 1)
    outbox.put(1, Chunk(text="b", tokens=(2,)))
    assert outbox.take(START + FRAME_SECONDS / 2) == []
    outbox.put(1, Chunk(text="c", tokens=(3,)))
    (news,) = outbox.take(START + FRAME_SECONDS * 1.01)
    assert news == (1, Chunk(text="bc", tokens=(2, 3), starts=(0, 1)))


def test_the_end_leaves_at_once_with_all_that_was_held() -> None:
    outbox = Outbox()
    begun(outbox, 1)
    outbox.put(1, Chunk(text="b", tokens=(2,)))
    outbox.put(1, Chunk(text="c", tokens=(3,), finish=Finish.STOP))
    (news,) = outbox.take(START)
    assert news == (1, Chunk(text="bc", tokens=(2, 3), starts=(0, 1), finish=Finish.STOP))
    assert outbox.take(START + 1) == []


def test_a_failure_leaves_at_once_after_what_was_said() -> None:
    outbox = Outbox()
    begun(outbox, 1)
    failure = EngineFailed("broken")
    outbox.put(1, Chunk(text="b", tokens=(2,)))
    outbox.put(1, failure)
    assert outbox.take(START) == [(1, Chunk(text="b", tokens=(2,), starts=(0,))), (1, failure)]


def test_what_nobody_listens_to_is_not_delivered() -> None:
    outbox = Outbox()
    begun(outbox, 1)
    outbox.put(1, Chunk(text="b", tokens=(2,)))
    outbox.forget(1)
    assert outbox.take(START + 1) == []


def test_many_replies_share_the_deliveries_but_none_waits_long() -> None:
    outbox = Outbox()
    replies = range(100)
    begun(outbox, *replies)
    for job_id in replies:
        outbox.put(job_id, Chunk(text="b", tokens=(2,)))
    assert outbox.take(START + MAX_SECONDS * 0.99) == []
    assert len(outbox.take(START + MAX_SECONDS)) == len(replies)


def test_progress_is_news_until_words_come() -> None:
    outbox = Outbox()
    for _ in range(3):
        outbox.put(1, Chunk())
        assert len(outbox.take(START)) == 1
