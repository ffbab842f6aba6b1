"""What parent and child say to each other: typed MessagePack behind a header of fixed size.

A typed codec, not pickle: a child that a malformed file has taken over cannot run code in the parent.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

import msgspec

from modules.errors import BadRequest
from modules.process.failures import FrameTooLarge

# Length of the body, kind, number of the question that it belongs to.
_HEADER: Final = struct.Struct(">IBI")
MAX_FRAME_BYTES: Final = 256 * 2**20
HEADER_BYTES: Final = _HEADER.size
_ENCODER: Final = msgspec.msgpack.Encoder()
BadMessage: Final = msgspec.DecodeError


class FrameKind(IntEnum):
    """MESSAGE belongs to a protocol of the child's own; the others to this package.

    A question: ASK → ANSWER… → END or FAILED. CANCEL: nobody waits for it any more. TAKEN: so many of its answers were
    read. PING → PONG. READY: the child can be asked. CLOSE: it is to end.
    """

    MESSAGE = 0
    ASK = 1
    ANSWER = 2
    END = 3
    FAILED = 4
    CANCEL = 5
    TAKEN = 6
    PING = 7
    PONG = 8
    READY = 9
    CLOSE = 10


class BadFrame(Exception):
    """What was read is no frame, or one that is larger than it may be."""


class Frame(NamedTuple):
    kind: int
    number: int
    body: memoryview


_KINDS: Final = frozenset(FrameKind)


def pack(kind: FrameKind, number: int = 0, message: object = None) -> bytearray:
    """Raises what msgspec raises for values that MessagePack cannot hold."""
    frame = bytearray(HEADER_BYTES)
    if message is not None:
        _ENCODER.encode_into(message, frame, HEADER_BYTES)
    _HEADER.pack_into(frame, 0, len(frame) - HEADER_BYTES, kind, number)
    return frame


def pack_request(kind: FrameKind, number: int, message: object, *, max_bytes: int) -> bytearray:
    """Like `pack`, for messages that hold what users sent. Raises BadRequest for values that no frame can hold, TypeError
    for those of a type that has no place in one."""
    try:
        frame = pack(kind, number, message)
    except (UnicodeEncodeError, OverflowError) as error:
        raise BadRequest("The request holds half of a surrogate pair, or a number of more than 64 bits.") from error
    if len(frame) > max_bytes:
        raise FrameTooLarge(f"the message has {len(frame)} bytes, of which {max_bytes} are allowed")
    return frame


class FrameReader:
    """Puts frames together from bytes that are cut anywhere. Bodies that arrive whole are not copied, others once."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._header = bytearray()
        self._kind = self._number = self._filled = 0
        self._body: bytearray | None = None

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[Frame]:
        """The frames that `data` completes; read them all. Raises BadFrame after those that are sound."""
        view = memoryview(data)
        while view:
            if self._body is None:
                view, length = self._begin(view)
                if length is None:
                    return
                if len(view) >= length:
                    yield Frame(self._kind, self._number, view[:length])
                    view = view[length:]
                    continue
                self._body, self._filled = bytearray(length), 0
            view = self._fill(self._body, view)
            if self._filled == len(self._body):
                body, self._body = self._body, None
                yield Frame(self._kind, self._number, memoryview(body))

    def _begin(self, view: memoryview) -> tuple[memoryview, int | None]:
        """What follows a header, and how long the body is; None while the header is not complete."""
        if self._header or len(view) < HEADER_BYTES:
            missing = HEADER_BYTES - len(self._header)
            self._header += view[:missing]
            if len(self._header) < HEADER_BYTES:
                return view[:0], None
            length = self._parse(self._header)
            self._header.clear()
            return view[missing:], length
        return view[HEADER_BYTES:], self._parse(view)

    def _parse(self, header: bytearray | memoryview) -> int:
        length, self._kind, self._number = _HEADER.unpack_from(header)
        if self._kind not in _KINDS:
            raise BadFrame("it is of no known kind")
        if length > self._max_bytes:
            raise BadFrame(f"it has {length} bytes, of which {self._max_bytes} are allowed")
        return int(length)

    def _fill(self, body: bytearray, view: memoryview) -> memoryview:
        count = min(len(body) - self._filled, len(view))
        body[self._filled : self._filled + count] = view[:count]
        self._filled += count
        return view[count:]
