"""A line in the log per request, for who asks for it: what was called, how it ended, how long it took. No contents."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)


class RequestLog:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 0

        async def noting_send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        started = time.monotonic()
        try:
            await self._app(scope, receive, noting_send)
        finally:
            milliseconds = (time.monotonic() - started) * 1000
            logger.info("%s %s → %d in %.0f ms", scope.get("method"), scope.get("path"), status, milliseconds)
