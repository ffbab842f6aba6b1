"""A model process that a malformed file has taken over: it answers properly until a moment, then sends junk.

Its arguments are the moment, "probe", "load" or "job", and a path that must not come to be.
"""

import pickle
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

from modules.engine import wire
from modules.engine.types import ModelCard
from modules.process.frames import FrameKind, pack

JUNK = b"\0\0\0\x10" + b"\xc1" * 16
HEADER = struct.Struct(">IBI")
MOMENTS = ("probe", "load", "job")
CARD = ModelCard(name="rogue", loader="scripted", context=16, vocabulary=256)


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._trace,)


def read_order(pipe: BinaryIO) -> None:
    """The parent may ask in between whether this process is well; that is no order."""
    kind = FrameKind.PING
    while kind == FrameKind.PING:
        length, kind, _ = HEADER.unpack(pipe.read(HEADER.size))
        pipe.read(length)


def main(moment: str, trace: Path) -> None:
    incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer
    read_order(incoming)
    for _ in range(MOMENTS.index(moment)):
        outgoing.write(pack(FrameKind.MESSAGE, 0, wire.ModelReady(CARD)))
        outgoing.flush()
        read_order(incoming)
    bomb = pickle.dumps(Bomb(trace))
    outgoing.write(HEADER.pack(len(bomb), FrameKind.MESSAGE, 0) + bomb + JUNK)
    outgoing.flush()
    incoming.read()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
