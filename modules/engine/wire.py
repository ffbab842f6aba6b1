"""The messages that parent and model process exchange, each in a frame of `modules.process`."""

from typing import Final

import msgspec

from modules.engine.types import Chunk, Job, LoadSpec, Media, MediaShape, ModelCard
from modules.errors import BadRequest, EngineFailed
from modules.process.failures import FrameTooLarge, ServiceFault
from modules.process.frames import MAX_FRAME_BYTES, FrameKind, pack_request


class ProbeModel(msgspec.Struct, frozen=True, tag=True):
    spec: LoadSpec


class LoadModel(msgspec.Struct, frozen=True, tag=True):
    pass


class KeepMedia(msgspec.Struct, frozen=True, tag=True):
    """A picture or sound that jobs will name by its digest, until DropMedia."""

    media: Media


class DropMedia(msgspec.Struct, frozen=True, tag=True):
    digest: bytes


class Submit(msgspec.Struct, frozen=True, tag=True):
    """The media of its prompt are without their data, which KeepMedia brought."""

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


class EncodeMedia(msgspec.Struct, frozen=True, tag=True):
    question: int
    shape: MediaShape


class ModelReady(msgspec.Struct, frozen=True, tag=True):
    """Answers ProbeModel and, once the weights are there, LoadModel."""

    card: ModelCard


class LoadProgress(msgspec.Struct, frozen=True, tag=True):
    fraction: float


class LoadRefused(msgspec.Struct, frozen=True, tag=True):
    """`is_missing` says that a package is not installed, which the message does not name a remedy for; `fetch` are then the
    words after `fetch` that get it, where they are not the kind alone."""

    message: str
    is_missing: bool = False
    fetch: str = ""


class JobChunks(msgspec.Struct, frozen=True, tag=True):
    chunks: list[tuple[int, Chunk]]


class JobRefused(msgspec.Struct, frozen=True, tag=True):
    """A job that the backend would not take or could not finish."""

    job_id: int
    fault: ServiceFault


class Encoded(msgspec.Struct, frozen=True, tag=True):
    """Answers Encode and EncodeMedia."""

    question: int
    tokens: list[int]


class Decoded(msgspec.Struct, frozen=True, tag=True):
    question: int
    text: str


class Unanswerable(msgspec.Struct, frozen=True, tag=True):
    question: int
    fault: ServiceFault


ToWorker = ProbeModel | LoadModel | KeepMedia | DropMedia | Submit | Cancel | Encode | Decode | EncodeMedia
FromWorker = ModelReady | LoadProgress | LoadRefused | JobChunks | JobRefused | Encoded | Decoded | Unanswerable
_WRONG_TYPE: Final = "The request holds a value of a wrong type, so the model cannot take it."


def pack_to_worker(message: ToWorker) -> bytearray:
    """Raises BadRequest for what no message can hold, EngineFailed for what has no place in one."""
    try:
        return pack_request(FrameKind.MESSAGE, 0, message, max_bytes=MAX_FRAME_BYTES)
    except FrameTooLarge as error:
        raise BadRequest(f"The request needs more than {MAX_FRAME_BYTES // 2**20} MiB.") from error
    except TypeError as error:
        raise EngineFailed("The request holds a value of a type that the model process cannot be sent.") from error


def unpack_to_worker() -> "msgspec.msgpack.Decoder[ToWorker]":
    return msgspec.msgpack.Decoder(ToWorker)


def unpack_from_worker() -> "msgspec.msgpack.Decoder[FromWorker]":
    return msgspec.msgpack.Decoder(FromWorker)


def refusal_of(body: bytes | memoryview) -> JobRefused | Unanswerable | None:
    """The answer to a message that is none of ToWorker, because a value in it has a wrong type; None where it cannot be
    seen what should be answered."""
    fault = ServiceFault(EngineFailed.__name__, _WRONG_TYPE)
    match msgspec.msgpack.decode(body):
        case {"type": "Submit", "job": {"id": int(number)}}:
            return JobRefused(number, fault)
        case {"type": "Encode" | "Decode" | "EncodeMedia", "question": int(number)}:
            return Unanswerable(number, fault)
    return None
