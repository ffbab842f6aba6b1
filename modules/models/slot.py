"""A loaded engine, who is using it, and how long nobody has."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from modules.engine.protocols import Engine
from modules.engine.types import LoadSpec


class Slot:
    """Counts the leases on `engine`. `on_idle` is called `idle_seconds` after the last one ended (0: never)."""

    def __init__(self, spec: LoadSpec, engine: Engine, *, idle_seconds: float, on_idle: Callable[[], object]) -> None:
        self.spec = spec
        self.engine = engine
        self._idle_seconds = idle_seconds
        self._on_idle = on_idle
        self._timer: asyncio.TimerHandle | None = None
        self._leases = 0
        self._unused = asyncio.Event()
        self._rest()

    @property
    def is_used(self) -> bool:
        return self._leases > 0

    @contextmanager
    def leased(self) -> Iterator[Engine]:
        self._leases += 1
        self._unused.clear()
        self._stop_timer()
        try:
            yield self.engine
        finally:
            self._leases -= 1
            if not self._leases:
                self._rest()

    async def close(self, patience: float | None) -> None:
        """Wait up to `patience` seconds (None: for ever) until nobody uses the engine, then close it. Late streams end
        with an error."""
        try:
            async with asyncio.timeout(patience):
                await self._unused.wait()
        except TimeoutError:
            pass
        finally:
            self._idle_seconds = 0
            self._stop_timer()
            await self.engine.aclose()

    def _rest(self) -> None:
        self._unused.set()
        if self._idle_seconds:
            self._timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._on_idle)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
