"""The child's end of its two pipes, and how its threads end."""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from io import FileIO
from typing import Final, NoReturn

from modules.process.frames import MAX_FRAME_BYTES, Frame, FrameKind, FrameReader, pack
from modules.process.progress import ThreadProgress

_log = logging.getLogger(__name__)
_FAILURE: Final = 1
_PIECE: Final = 2**20


class Channel:
    """Frames to and from the parent. `send` may be called from any thread."""

    def __init__(self, incoming: int, outgoing: int, *, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._incoming = FileIO(incoming)
        self._outgoing = outgoing
        self._writing = threading.Lock()
        self._reader = FrameReader(max_bytes)

    def send(self, kind: FrameKind, number: int = 0, message: object = None) -> None:
        """Blocks while the parent does not read."""
        frame = memoryview(pack(kind, number, message))
        with self._writing:
            while frame:
                frame = frame[os.write(self._outgoing, frame) :]

    def send_pong(self, threads: Sequence[ThreadProgress]) -> None:
        self.send(FrameKind.PONG, 0, {thread.name: thread.count for thread in threads if thread.is_at_work})

    def frames(self) -> Iterator[Frame]:
        """Ends when the parent closes its side, or dies. Raises BadFrame."""
        while piece := self._incoming.read(_PIECE):
            yield from self._reader.feed(piece)


def private_pipes() -> Channel:
    """Take stdin and stdout for the protocol, so that nothing a library prints can get between its frames."""
    incoming, outgoing = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return Channel(incoming, outgoing)


def run_to_the_end(act: Callable[[], None]) -> NoReturn:
    """The process ends with `act`: no thread may end alone, for then the others would be waited for in vain. There is
    nothing to be tidied up: the system takes back what a process held, at once and safely, whatever its threads do."""
    code = _FAILURE
    try:
        act()
        code = 0
    except BrokenPipeError:
        code = 0  # the parent is gone
    except BaseException:  # noqa: BLE001 - whatever it was, nothing may survive it
        _log.critical("the process ends, because a thread of it failed", exc_info=True)
    finally:
        os._exit(code)


def start_thread(act: Callable[[], None]) -> None:
    """One whose end is the process's."""
    threading.Thread(target=run_to_the_end, args=(act,), daemon=True).start()
