"""The words that parent and model process say to each other: MessagePack, each frame led by its length.

A typed codec, not pickle: a model process that a malformed file has taken over cannot run code in the parent.
"""

import struct
from collections.abc import Callable
from typing import Final

import msgspec

from modules.engine.types import Chunk, Job, LoadSpec, ModelCard
from modules.errors import BadRequest, Busy, ContextTooLong, EngineFailed, NotSupported, ServiceError

_LENGTH: Final = struct.Struct(">I")
HEADER_BYTES: Final = _LENGTH.size
Junk: Final = msgspec.DecodeError


class Probe(msgspec.Struct, frozen=True, tag=True):
    spec: LoadSpec


class Load(msgspec.Struct, frozen=True, tag=True):
    pass


class Submit(msgspec.Struct, frozen=True, tag=True):
    job: Job


class Cancel(msgspec.Struct, frozen=True, tag=True):
    job_id: int


class Encode(msgspec.Struct, frozen=True, tag=True):
    """`text` is UTF-8 in which even half a surrogate pair has its place."""

    question: int
    text: bytes
    special: bool


class Decode(msgspec.Struct, frozen=True, tag=True):
    question: int
    tokens: list[int]


class Ping(msgspec.Struct, frozen=True, tag=True):
    """Asks whether the process is well; answered by a thread that does nothing else."""


class Close(msgspec.Struct, frozen=True, tag=True):
    pass


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Answers Probe and, once the weights are there, Load."""

    card: ModelCard


class Loading(msgspec.Struct, frozen=True, tag=True):
    fraction: float


class LoadRefused(msgspec.Struct, frozen=True, tag=True):
    message: str


class Chunks(msgspec.Struct, frozen=True, tag=True):
    chunks: list[tuple[int, Chunk]]


class Fault(msgspec.Struct, frozen=True):
    """An error of modules.errors: `kind` is its name, `numbers` what it carries besides."""

    kind: str
    message: str
    param: str | None = None
    code: str | None = None
    numbers: dict[str, int] = {}


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A job that the backend would not take or could not finish."""

    job_id: int
    fault: Fault


class Encoded(msgspec.Struct, frozen=True, tag=True):
    question: int
    tokens: list[int]


class Decoded(msgspec.Struct, frozen=True, tag=True):
    question: int
    text: str


class Unanswerable(msgspec.Struct, frozen=True, tag=True):
    question: int
    fault: Fault


class Pong(msgspec.Struct, frozen=True, tag=True):
    """Answers Ping. `work` holds, for each thread that is at work, a number that grows as it gets on."""

    work: dict[str, int]


ToWorker = Probe | Load | Submit | Cancel | Encode | Decode | Ping | Close
FromWorker = Ready | Loading | LoadRefused | Chunks | Refused | Encoded | Decoded | Unanswerable | Pong


def fault_of(error: ServiceError) -> Fault:
    match error:
        case ContextTooLong():
            numbers = {"prompt_tokens": error.prompt_tokens, "context": error.context}
        case Busy():
            numbers = {"retry_after": error.retry_after}
        case _:
            numbers = {}
    return Fault(type(error).__name__, error.message, error.param, error.code, numbers)


def error_of(fault: Fault) -> ServiceError:
    """What `fault_of` was given; EngineFailed for what no job or question can be refused with."""
    kind, message, numbers = fault.kind, fault.message, fault.numbers
    if kind == ContextTooLong.__name__ and numbers.keys() >= {"prompt_tokens", "context"}:
        return ContextTooLong(
            prompt_tokens=numbers["prompt_tokens"], context=numbers["context"], param=fault.param or "messages"
        )
    if kind == Busy.__name__:
        return Busy(message, retry_after=numbers.get("retry_after", 1))
    simple = {"BadRequest": BadRequest, "ContextTooLong": BadRequest, "NotSupported": NotSupported}
    return simple.get(kind, EngineFailed)(message, param=fault.param, code=fault.code)


def _framed(encode: Callable[[object], bytes], message: object) -> bytes:
    body = encode(message)
    return _LENGTH.pack(len(body)) + body


def pack_to_worker(message: ToWorker) -> bytes:
    """Raises BadRequest for what no message can hold, EngineFailed for what has no place in one."""
    try:
        return _framed(msgspec.msgpack.encode, message)
    except (UnicodeEncodeError, OverflowError) as error:
        raise BadRequest("The request holds half of a surrogate pair, or a number of more than 64 bits.") from error
    except TypeError as error:
        raise EngineFailed("The request holds a value of a type that the model process cannot be sent.") from error


def pack_from_worker(message: FromWorker) -> bytes:
    return _framed(msgspec.msgpack.encode, message)


class Frames:
    """Puts frames together from a stream of bytes that is cut anywhere."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies of the frames that `data` completes."""
        self._buffer += data
        bodies: list[bytes] = []
        start = 0
        while (body := self._body(start)) is not None:
            bodies.append(body)
            start += HEADER_BYTES + len(body)
        del self._buffer[:start]
        return bodies

    def _body(self, start: int) -> bytes | None:
        begin = start + HEADER_BYTES
        if len(self._buffer) < begin:
            return None
        end = begin + body_length(self._buffer[start:begin])
        return None if len(self._buffer) < end else bytes(self._buffer[begin:end])


def body_length(header: bytes | bytearray) -> int:
    length: int = _LENGTH.unpack(header)[0]
    return length


def unpack_to_worker() -> "msgspec.msgpack.Decoder[ToWorker]":
    return msgspec.msgpack.Decoder(ToWorker)


def refusal_of(body: bytes) -> Refused | Unanswerable | None:
    """The answer to a message that is none of ToWorker, because a value in it has a wrong type; None where it cannot be
    seen what should be answered."""
    fault = Fault(EngineFailed.__name__, "The request holds a value of a wrong type, so the model cannot take it.")
    match msgspec.msgpack.decode(body):
        case {"type": "Submit", "job": {"id": int(number)}}:
            return Refused(number, fault)
        case {"type": "Encode" | "Decode", "question": int(number)}:
            return Unanswerable(number, fault)
    return None


def unpack_from_worker() -> "msgspec.msgpack.Decoder[FromWorker]":
    return msgspec.msgpack.Decoder(FromWorker)
