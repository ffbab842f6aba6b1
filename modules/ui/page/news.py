"""What has changed on the server, told to a browser by one stream for all of its tabs."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from typing import Final

from fastapi import FastAPI
from starlette.responses import StreamingResponse

from modules.ui.page.page import Page

NEWS: Final = "/news"
# What only this program's memory says is looked at so often while somebody listens.
_SECONDS_BETWEEN_LOOKS: Final = 0.5
# Changes that follow each other quickly are told together.
_SECONDS_BETWEEN_NEWS: Final = 0.05
# A proxy may end what it hears nothing of for longer, and a browser learns of a connection that is lost.
_SECONDS_OF_SILENCE: Final = 20.0


def add_news(app: FastAPI, page: Page, program: int) -> None:
    """`program` is another number after each start. Each message is a JSON object: `program`, and for each of `page.news`
    a text that is another one when a tab that shows something of it has to ask again."""

    async def news() -> StreamingResponse:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(_messages(page, program), media_type="text/event-stream", headers=headers)

    app.add_api_route(NEWS, news, methods=["GET"], include_in_schema=False)


async def _messages(page: Page, program: int) -> AsyncGenerator[bytes, None]:
    changes = page.list_changes
    told, told_at = "", 0.0
    while not changes.is_closed:
        revision = changes.revision
        state = json.dumps({"program": program, **{name: version() for name, version in page.news.items()}})
        if state != told or time.monotonic() - told_at >= _SECONDS_OF_SILENCE:
            told, told_at = state, time.monotonic()
            yield f"data: {state}\n\n".encode()
            await asyncio.sleep(_SECONDS_BETWEEN_NEWS)
        await changes.wait(revision, _SECONDS_BETWEEN_LOOKS)
