"""What Gradio holds for each browser tab, given back when the tab is left."""

import asyncio
from typing import Final

from fastapi import FastAPI
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from modules.ui.shell.internals import forget_session

LEFT: Final = "/left"
# Events of the tab that are under way end first.
_SECONDS: Final = 30.0


class LeftTab(BaseModel):
    """`session` is the name under which Gradio knows the tab."""

    session: str = Field(max_length=100)


def add_leaving(app: FastAPI) -> None:
    """POST says that a tab is closed, or shows another page. Gradio itself would hold a connection open for each tab that is
    not, and would keep what is left of a tab until there were ten thousand more."""

    async def left(request: Request) -> Response:
        try:
            tab = LeftTab.model_validate_json(await request.body())
        except (ClientDisconnect, ValidationError):
            return Response(status_code=422)
        asyncio.get_running_loop().call_later(_SECONDS, forget_session, app, tab.session)
        return Response(status_code=204)

    app.add_api_route(LEFT, left, methods=["POST"], include_in_schema=False)
