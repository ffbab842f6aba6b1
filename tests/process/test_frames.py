"""Frames: put together however they are cut, with little copying, and refused when they are junk."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.process.frames import HEADER_BYTES, BadFrame, Frame, FrameKind, FrameReader, pack
from tests.splits import cut

MAX = 1000
KINDS = st.sampled_from([FrameKind.ANSWER, FrameKind.MESSAGE])


def read(reader: FrameReader, *pieces: bytes) -> list[tuple[int, int, bytes]]:
    return [(frame.kind, frame.number, bytes(frame.body)) for piece in pieces for frame in reader.feed(piece)]


@given(st.lists(st.tuples(KINDS, st.integers(0, 2**32 - 1), st.binary(max_size=300))), st.lists(st.integers(0, 2000)))
def test_frames_are_put_together_however_they_are_cut(
    frames: list[tuple[FrameKind, int, bytes]], places: list[int]
) -> None:
    data = b"".join(bytes(pack(*frame)) for frame in frames)
    bodies = [(kind, number, bytes(pack(kind, number, body)[HEADER_BYTES:])) for kind, number, body in frames]
    assert read(FrameReader(MAX), *cut(data, places)) == bodies


def test_a_frame_without_a_message_is_a_header() -> None:
    assert len(pack(FrameKind.PING)) == HEADER_BYTES
    assert list(FrameReader(MAX).feed(pack(FrameKind.CLOSE))) == [Frame(FrameKind.CLOSE, 0, memoryview(b""))]


def test_a_body_that_arrives_whole_is_not_copied() -> None:
    data = bytes(pack(FrameKind.ANSWER, 1, b"x" * 500))
    (frame,) = FrameReader(MAX).feed(data)
    assert frame.body.obj is data


@pytest.mark.parametrize(
    ("header", "reason"),
    [((0, 99, 0), "kind"), ((MAX + 1, FrameKind.ANSWER, 1), "bytes"), ((2**32 - 1, FrameKind.PONG, 0), "bytes")],
)
@pytest.mark.parametrize("is_cut", [True, False])
def test_junk_is_refused_after_what_was_sound(header: tuple[int, int, int], reason: str, is_cut: bool) -> None:
    reader = FrameReader(MAX)
    seen: list[int] = []

    def read_on() -> None:
        for piece in [data[:12], data[12:]] if is_cut else [data]:
            seen.extend(frame.number for frame in reader.feed(piece))

    data = bytes(pack(FrameKind.END, 7)) + struct.pack(">IBI", *header)
    with pytest.raises(BadFrame, match=reason):
        read_on()
    assert seen == [7]


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_are_refused(junk: bytes) -> None:
    reader = FrameReader(100)
    try:
        assert all(frame.kind in set(FrameKind) and len(frame.body) <= 100 for frame in reader.feed(junk))
    except BadFrame:
        assert len(junk) >= HEADER_BYTES
