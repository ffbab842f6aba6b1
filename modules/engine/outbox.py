"""When chunks leave the stepper: at once for first tokens and ends, joined with later ones otherwise.

Every delivery wakes up this process's parent and the client, which then compete with the model for the same cores; a
screen shows sixty pictures a second at best. So the replies under way share a budget of deliveries.
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from modules.engine.types import Chunk
from modules.errors import ServiceError

News: TypeAlias = tuple[int, Chunk | ServiceError]

# A screen shows no more than sixty pictures a second.
FRAME_SECONDS: Final = 1 / 60
# Each costs a message, an event and a write; with many replies these would take the time of the model.
DELIVERIES_PER_SECOND: Final = 160
# Text that comes in steps of a tenth of a second still looks fluent.
MAX_SECONDS: Final = 0.1


@dataclass(slots=True)
class _Reply:
    chunks: list[Chunk] = field(default_factory=list)
    has_begun: bool = False


class Outbox:
    """Holds chunks for at most `MAX_SECONDS` while `take` is called often. Times are in seconds, from any clock.

    A reply's first text, its end and its failure never wait.
    """

    def __init__(self) -> None:
        self._replies: dict[int, _Reply] = {}
        self._urgent: list[News] = []
        self._last = 0.0

    def put(self, job_id: int, news: Chunk | ServiceError) -> None:
        reply = self._replies.setdefault(job_id, _Reply())
        if isinstance(news, Chunk):
            self._put_chunk(job_id, reply, news)
        else:
            self._hurry(job_id, reply)
            self._urgent.append((job_id, news))
            del self._replies[job_id]

    def _put_chunk(self, job_id: int, reply: _Reply, chunk: Chunk) -> None:
        reply.chunks.append(chunk)
        if chunk.finish is not None or not reply.has_begun:
            reply.has_begun = bool(chunk.text or chunk.tokens)
            self._hurry(job_id, reply)
        if chunk.finish is not None:
            del self._replies[job_id]

    def forget(self, job_id: int) -> None:
        """Nobody listens to this reply any more."""
        self._replies.pop(job_id, None)

    def take(self, now: float) -> list[News]:
        """What is to be delivered now, each reply's news in order."""
        if now - self._last >= self._interval:
            self._last = now
            for job_id, reply in self._replies.items():
                self._hurry(job_id, reply)
        due, self._urgent = self._urgent, []
        return due

    @property
    def _interval(self) -> float:
        return min(MAX_SECONDS, max(FRAME_SECONDS, len(self._replies) / DELIVERIES_PER_SECOND))

    def _hurry(self, job_id: int, reply: _Reply) -> None:
        if reply.chunks:
            self._urgent.append((job_id, Chunk.join(reply.chunks)))
            reply.chunks.clear()
