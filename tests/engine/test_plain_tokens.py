"""Tokens that are said alone and at once take a short way, which must tell the same as the long one."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from modules.engine.detokenizer import ReplyText
from modules.engine.protocols import Output
from modules.engine.types import Chunk, Finish, Generation, Prompt

# Never said: with a stop string to look for, every token takes the long way.
UNSAID = "\0"


def told(tokens: list[bytes], limit: int, stop: tuple[str, ...]) -> list[Chunk]:
    reply = ReplyText(Generation(prompt=Prompt((1,)), max_tokens=limit, stop=stop), room=100)
    chunks = (reply.feed(Output(job_id=1, token=number, data=data)) for number, data in enumerate(tokens, 1))
    found: list[Chunk] = []
    for chunk in chunks:
        if chunk is not None:
            found.append(chunk)
            if chunk.finish is not None:
                return found
    end = reply.feed(Output(job_id=1, finish=Finish.STOP, stop_token=0))
    assert end is not None
    return [*found, end]


@given(
    st.lists(
        st.sampled_from([b"a", b"word ", b"", "é".encode()[:1], "é".encode()[1:], "🙂".encode(), b"\xff"]), max_size=12
    ),
    st.integers(1, 14),
)
def test_both_ways_tell_the_same(tokens: list[bytes], limit: int) -> None:
    assert told(tokens, limit, ()) == told(tokens, limit, (UNSAID,))


def test_a_message_says_only_what_there_is_to_say() -> None:
    sent = msgspec.msgpack.encode(Chunk(text="a", tokens=(1,), starts=(0,)))
    assert msgspec.msgpack.decode(sent) == {"text": "a", "tokens": [1], "starts": [0]}
