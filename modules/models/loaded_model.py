"""A loaded engine, its uses, and when it is to be unloaded."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from modules.engine.protocols import AnyEngine
from modules.engine.types import LoadSpec
from modules.models.residency import MemoryUse, Resident

# What asks for longer than this means for ever; event loops cannot wait longer.
_FOR_EVER: Final = 10 * 365 * 86400


@dataclass(frozen=True, slots=True)
class ModelEvents:
    """`idle` is called when the engine has been unused for as long as it is kept, `released` each time a use ends."""

    idle: Callable[["LoadedModel"], object]
    released: Callable[[], object]


class LoadedModel:
    """Counts the uses of `engine`. `keep_seconds` after the last one ended it counts as idle (None: never).

    While it is held, no use should begin: it is waited for until the last one has ended.
    """

    def __init__(
        self,
        spec: LoadSpec,
        engine: AnyEngine,
        events: ModelEvents,
        *,
        keep_seconds: float | None,
        is_pinned: bool = False,
    ) -> None:
        self.spec = spec
        self.engine = engine
        self.is_pinned = is_pinned
        self.is_held = False
        self.memory = MemoryUse()
        # Booked even while less is taken: what the process had after the load, with what it will grow by.
        self.least_host = 0
        self.pid: int | None = None
        self.loaded_at = int(time.time())
        self._events = events
        self._keep_seconds = keep_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._uses = 0
        self._last_used = time.monotonic()
        self._unused = asyncio.Event()
        self._start_timer()

    @property
    def uses(self) -> int:
        return self._uses

    @property
    def is_used(self) -> bool:
        return self._uses > 0

    @property
    def is_free(self) -> bool:
        """Whether a use may begin."""
        return self.engine.is_alive and not self.is_held

    @property
    def resident(self) -> Resident:
        return Resident(
            name=self.spec.name,
            kind=self.spec.kind,
            memory=self.memory,
            last_used=self._last_used,
            is_used=self.is_used,
            is_pinned=self.is_pinned,
        )

    def claim(self, uses: int = 1) -> None:
        """Begin as many uses; each ends with `release`."""
        if uses:
            self._uses += uses
            self._unused.clear()
            self._stop_timer()

    def release(self) -> None:
        self._uses -= 1
        self._last_used = time.monotonic()
        if not self._uses:
            self._start_timer()
        self._events.released()

    def keep(self, seconds: float) -> None:
        """From now on it is idle so many seconds after its last use: 0 at once, below it never."""
        self._keep_seconds = seconds if 0 <= seconds < _FOR_EVER else None
        if not self.is_used:
            self._stop_timer()
            self._start_timer()

    async def close(self, patience: float | None) -> None:
        """Wait up to `patience` seconds (None: for ever) until the engine is unused, then close it. Late streams end
        with an error."""
        try:
            async with asyncio.timeout(patience):
                await self._unused.wait()
        except TimeoutError:
            pass
        finally:
            self._keep_seconds = None
            self._stop_timer()
            await self.engine.aclose()

    def _start_timer(self) -> None:
        self._unused.set()
        if self._keep_seconds is not None and not self.is_pinned:
            self._timer = asyncio.get_running_loop().call_later(self._keep_seconds, self._events.idle, self)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
