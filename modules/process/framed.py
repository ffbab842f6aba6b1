"""A child that is spoken to in frames, pinged, and killed when it breaks the protocol."""

import logging
from collections.abc import Callable
from typing import Final

import msgspec

from modules.process.child import ChildProcess
from modules.process.frames import BadFrame, BadMessage, Frame, FrameKind, FrameReader, pack
from modules.process.heartbeat import Heartbeat
from modules.process.spec import ProcessSpec

_log = logging.getLogger(__name__)
_WORK: Final = msgspec.msgpack.Decoder(dict[str, int])


class FramedChild:
    """`on_frame` gets every frame that is not the heartbeat's; it may raise BadMessage for one that it cannot read, which
    ends the child as any junk does. `is_owing` says whether an answer is due. `on_trouble` is called at most once, with
    what is wrong, when the child was killed because it hangs or takes too much memory. `on_exit` is called once, with
    the exit code, after the last frame."""

    def __init__(
        self,
        spec: ProcessSpec,
        *,
        on_frame: Callable[[Frame], None],
        on_exit: Callable[[int | None], None],
        is_owing: Callable[[], bool],
        on_trouble: Callable[[str], None],
    ) -> None:
        self._process = ChildProcess(spec, on_output=self._on_output, on_exit=self._on_process_exit)
        self._on_frame = on_frame
        self._on_exit = on_exit
        self._report_trouble = on_trouble
        self._reader = FrameReader(spec.max_frame_bytes)
        self._heartbeat = Heartbeat(
            ping=lambda: self._process.write(pack(FrameKind.PING)),
            is_owing=is_owing,
            on_trouble=self._on_trouble,
            memory_bytes=spec.limits.watched_bytes,
        )
        self.is_hung = False
        self.is_broken = False

    async def start(self) -> None:
        await self._process.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.is_running

    @property
    def is_closing(self) -> bool:
        return self._process.is_closing

    @property
    def can_answer(self) -> bool:
        return self._process.is_running and not (self._process.is_closing or self.is_hung or self.is_broken)

    def send(self, frame: bytearray) -> None:
        """One made with `pack`. From now on the child is watched, for as long as it owes an answer."""
        self._process.write(frame)
        if self.is_running:
            self._heartbeat.begin(self.pid)

    def kill(self) -> None:
        self._process.kill()

    async def end(self) -> None:
        """Kill it and wait until it is gone."""
        await self._process.end()

    async def aclose(self) -> None:
        """It has `close_seconds` to end by itself; then it is killed."""
        await self._process.aclose(lambda: self._process.write(pack(FrameKind.CLOSE)))

    def _on_output(self, data: bytes) -> None:
        if self.is_broken:
            return
        try:
            for frame in self._reader.feed(data):
                if frame.kind == FrameKind.PONG:
                    self._heartbeat.on_pong(_WORK.decode(frame.body))
                else:
                    self._on_frame(frame)
        except (BadFrame, BadMessage) as error:
            self.is_broken = True
            # Errors of the codec can quote what was sent.
            reason = str(error) if isinstance(error, BadFrame) else "its content is of a wrong type"
            _log.error("%s sent a frame that cannot be read (%s), and is ended", self._process.spec.name, reason)
            self._process.kill()

    def _on_trouble(self, trouble: str) -> None:
        self.is_hung = True
        self._process.kill()
        self._report_trouble(trouble)

    def _on_process_exit(self, exit_code: int | None) -> None:
        self._heartbeat.end()
        self._on_exit(exit_code)
