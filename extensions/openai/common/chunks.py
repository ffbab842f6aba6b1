"""What the streams of chat and of text completions have in common: the constant bytes around each choice, made once
per stream so that a piece of text costs little more than its own encoding, and the usage at the end."""

import orjson

from extensions.openai.common.stamp import Stamp
from extensions.openai.common.usage import UsageTally, usage_body
from modules.events import Done, Started


class Chunks:
    """The chunks of one streamed answer. `kind` is their `object`, `id_prefix` how their id begins.

    With `wants_usage` every chunk says `"usage":null`, and a last one without choices has it. `head` and `tail` are
    what stands around a choice, from `start` on.
    """

    def __init__(self, *, kind: str, id_prefix: str, wants_usage: bool) -> None:
        self._kind = kind
        self._id_prefix = id_prefix
        self._wants_usage = wants_usage
        self._tally = UsageTally()
        self.head = b""
        self.tail = b'],"usage":null}\n\n' if wants_usage else b"]}\n\n"

    def start(self, started: Started) -> None:
        self._tally.start(started)
        stamp = Stamp.of(self._id_prefix, started.model)
        common = orjson.dumps(
            {
                "id": stamp.id,
                "object": self._kind,
                "created": stamp.created,
                "model": stamp.model,
                "system_fingerprint": stamp.system_fingerprint,
            }
        )
        self.head = b"data: " + common[:-1] + b',"choices":['

    def around(self, choice: bytes) -> bytes:
        return self.head + choice + self.tail

    def finish(self, done: Done) -> None:
        """To be told of the end of every choice."""
        self._tally.finish(done)

    def end(self) -> bytes:
        """The chunk with the usage of all choices, if it was asked for."""
        if not self._wants_usage:
            return b""
        return self.head + b'],"usage":' + usage_body(self._tally.total).model_dump_json().encode() + b"}\n\n"
