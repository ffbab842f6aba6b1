"""What browsers are told about pages of other origins: whether they may call, and read the answer (Fetch Standard, CORS).

Cookies and a browser's own passwords never count here, so `Access-Control-Allow-Credentials` is never sent.
"""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Send

from extensions.openai.access import Policy
from extensions.openai.common.answers import IGNORED_HEADER, REPAIRS_HEADER
from modules.serving.addressing import is_addressed

_EXPOSED: Final = (IGNORED_HEADER, REPAIRS_HEADER, "Retry-After", "request-id", "x-request-id")


class CrossOrigin(CORSMiddleware):
    """Answers preflights, for which no key is asked, and lets the pages that `policy` allows read what they get."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        super().__init__(
            app, allow_methods=("*",), allow_headers=("*",), expose_headers=_EXPOSED, allow_private_network=True
        )
        self._policy = policy

    def is_allowed_origin(self, origin: str) -> bool:
        return self._policy.allows(origin)

    def preflight_response(self, request_headers: Headers) -> Response:
        """A stranger's tells nothing, not even that there is a private network to be reached."""
        if not is_addressed(request_headers, self._policy.hosts):
            return PlainTextResponse("Invalid host header", 400)
        if not self.is_allowed_origin(request_headers["origin"]):
            return PlainTextResponse("Disallowed CORS origin", 400, {"Vary": "Origin"})
        return super().preflight_response(request_headers)

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        origin = request_headers.get("origin")
        if origin is None or self.is_allowed_origin(origin):
            await super().send(message, send, request_headers)
            return
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).add_vary_header("Origin")
        await send(message)
