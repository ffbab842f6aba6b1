"""Gradio's queue of events: first come, first served, and rarely polled while the page is idle."""

import time
from typing import Any, Final

from gradio.queueing import Queue
from starlette.requests import Request
from typing_extensions import override

# After an event more follow soon, while a page that is only open causes none.
_SECONDS_IN_USE: Final = 3.0
_BETWEEN_LOOKS_IN_USE: Final = 0.002
# Looking costs processor time on a machine that does nothing else; this delay is not noticed.
_BETWEEN_LOOKS_AT_REST: Final = 0.04
# Gradio looks a hundred times a second; no event here reports progress that way.
_BETWEEN_LOOKS_FOR_PROGRESS: Final = 0.5
# A reply that somebody follows is an event for as long as it takes; Gradio allows 40, whoever they belong to.
_MOST_EVENTS_AT_ONCE: Final = 1000


class EventQueue(Queue):  # type: ignore[misc]  # Gradio has no types
    """By itself, Gradio's looks a thousand times a second, and a hundred times for progress, which is a tenth of a
    core for a page that lies open."""

    def __init__(self, made: Queue) -> None:
        """In the place of `made`, which has not begun."""
        self._last_event = 0.0
        super().__init__(
            live_updates=made.live_updates,
            concurrency_count=_MOST_EVENTS_AT_ONCE,
            update_intervals=made.update_intervals,
            max_size=made.max_size,
            blocks=made.blocks,
            default_concurrency_limit=made.default_concurrency_limit,
        )
        self.progress_update_sleep_when_free = _BETWEEN_LOOKS_FOR_PROGRESS

    @property
    def sleep_when_free(self) -> float:
        """Seconds between two looks."""
        is_in_use = time.monotonic() - self._last_event < _SECONDS_IN_USE
        return _BETWEEN_LOOKS_IN_USE if is_in_use else _BETWEEN_LOOKS_AT_REST

    @sleep_when_free.setter
    def sleep_when_free(self, seconds: float) -> None:
        """What Gradio would like."""

    @override
    def get_events(self, **more: Any) -> Any:
        """Those that have waited longest. Gradio begins waiting events in a random order of their handlers, so the
        choice that a user made last could be handled first."""
        queues: dict[str, Any] = self.event_queue_per_concurrency_id  # type: ignore[has-type]
        waiting = [name for name, queue in queues.items() if queue.queue]
        try:
            for name in sorted(waiting, key=lambda each: queues[each].queue[0].enqueue_time):
                self.event_queue_per_concurrency_id = {name: queues[name]}
                if (found := super().get_events(**more)) is not None:
                    return found
        finally:
            self.event_queue_per_concurrency_id = queues
        return None

    @override
    async def push(self, body: Any, request: Request, username: str | None, **more: Any) -> tuple[bool, Any, str]:
        self._last_event = time.monotonic()
        pushed: tuple[bool, Any, str] = await super().push(body, request, username, **more)
        return pushed
