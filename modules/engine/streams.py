"""Who listens to which job: the asyncio half that every engine shares."""

import itertools
from collections.abc import AsyncGenerator, Callable
from typing import TypeAlias

from modules.engine.mailbox import Mailbox
from modules.engine.types import Chunk, Generation, Job
from modules.errors import Busy, ServiceError

Submit: TypeAlias = Callable[[Job], None]
Cancel: TypeAlias = Callable[[int], None]


class Listeners:
    """Opens a stream per job and routes news to it. At most `bound` jobs are open at once, running or waiting."""

    def __init__(self, *, submit: Submit, cancel: Cancel, bound: int) -> None:
        self._submit = submit
        self._cancel = cancel
        self._bound = bound
        self._ids = itertools.count(1)
        self._mailboxes: dict[int, Mailbox] = {}

    async def stream(self, generation: Generation) -> AsyncGenerator[Chunk, None]:
        """Raises Busy beyond the bound. Closed early, it cancels the job."""
        if len(self._mailboxes) >= self._bound:
            raise Busy("Too many requests are waiting for the model. Try again shortly.")
        job_id = next(self._ids)
        mailbox = self._mailboxes[job_id] = Mailbox()
        is_over = False
        try:
            self._submit(Job(job_id, generation))
            while not is_over:
                chunk = await mailbox.get()
                is_over = chunk.finish is not None
                yield chunk
        finally:
            self._mailboxes.pop(job_id, None)
            if not is_over:
                self._cancel(job_id)

    @property
    def is_waiting(self) -> bool:
        """Whether anybody listens for news."""
        return bool(self._mailboxes)

    def tell(self, job_id: int, news: Chunk | ServiceError) -> None:
        """News for a job nobody listens to any more is dropped."""
        mailbox = self._mailboxes.get(job_id)
        if mailbox is None:
            return
        if isinstance(news, Chunk):
            mailbox.put(news)
        else:
            mailbox.fail(news)

    def fail_all(self, error: ServiceError) -> None:
        for mailbox in self._mailboxes.values():
            mailbox.fail(error)
