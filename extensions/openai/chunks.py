"""The constant bytes of a streamed answer, made once per stream, so that a piece of text costs little more than
its own encoding."""

from dataclasses import dataclass
from typing import Self

import orjson

from extensions.openai.stamp import Stamp
from extensions.openai.usage import usage_body
from modules.engine.types import Usage


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands before and after the choice of each chunk."""

    head: bytes
    tail: bytes
    usage_head: bytes

    @classmethod
    def of(cls, stamp: Stamp, *, kind: str, wants_usage: bool) -> Self:
        """`kind` is the chunk's `object`. With `wants_usage` every chunk says `"usage":null`."""
        common = orjson.dumps(
            {
                "id": stamp.id,
                "object": kind,
                "created": stamp.created,
                "model": stamp.model,
                "system_fingerprint": stamp.system_fingerprint,
            }
        )
        start = b"data: " + common[:-1] + b',"choices":['
        end = b'],"usage":null}\n\n' if wants_usage else b"]}\n\n"
        return cls(head=start, tail=end, usage_head=start + b'],"usage":')

    def around(self, choice: bytes) -> bytes:
        return self.head + choice + self.tail

    def usage(self, usage: Usage) -> bytes:
        """The chunk without choices that ends a stream whose caller asked for usage."""
        return self.usage_head + usage_body(usage).model_dump_json().encode() + b"}\n\n"
