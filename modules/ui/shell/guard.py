"""Protects the page: host names and origins of requests, and the content policy of answers."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.serving.addressing import is_addressed, is_strange_page
from modules.serving.protocol import BodyLimits
from modules.ui.shell.paths import OpenTo, SignedInUsers, open_to

# Nothing is fetched from elsewhere, whatever a model writes: an image in a reply may not tell its address that it was
# read. Gradio's page starts itself with inline scripts and compiles templates.
_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
_HEADERS: Final = (
    ("content-security-policy", _POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)
# A page of strangers can make a browser send others, but not these without asking first.
_JSON: Final = ("application/json",)
_UPLOAD: Final = "/gradio_api/upload"
_DICTATION: Final = "/dictation"
_FORM: Final = "multipart/form-data"
# Every other body is JSON: a page of another origin can send neither that nor sound without a preflight.
_FORMS: Final = {"/login": (_FORM, "application/x-www-form-urlencoded"), _UPLOAD: (_FORM,), _DICTATION: ("audio/wav",)}
_LARGE: Final = frozenset({_UPLOAD, _DICTATION})
# Longer than any that a browser sends.
_MAX_CONTENT_TYPE: Final = 200
# An event's body has a whole chat in it at most.
_MAX_BYTES: Final = 16 * 2**20
# Several files in one request.
_MAX_UPLOAD_BYTES: Final = 512 * 2**20
# Fetch metadata, which browsers set and pages cannot change.
_FROM_ELSEWHERE: Final = frozenset({"cross-site", "same-site"})


class Guard:
    """`names` are those under which the page may be addressed, None any; `users` knows who is signed in."""

    def __init__(self, app: ASGIApp, names: frozenset[str] | None, users: SignedInUsers) -> None:
        self._app = BodyLimits(app, _MAX_BYTES)
        self._uploads = BodyLimits(app, _MAX_UPLOAD_BYTES)
        self._names = names
        self._users = users

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS:
                    headers[name] = value
            await send(message)

        connection = HTTPConnection(scope)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        refusal = self._refusal(connection.headers) or self._closed(connection, path)
        if refusal is None and scope["method"] == "POST":
            refusal = _unsuitable(connection.headers, path)
        app = self._uploads if path.rstrip("/") in _LARGE else self._app
        await (refusal or app)(scope, receive, send_guarded)

    def _refusal(self, headers: Headers) -> PlainTextResponse | None:
        if not is_addressed(headers, self._names):
            return PlainTextResponse(
                "Invalid host header. Address the page as localhost, or start it with --api-allowed-hosts NAME.", 400
            )
        if is_strange_page(headers) or _is_part_of_strange_page(headers):
            return PlainTextResponse("Other web pages may not use this one.", 403)
        return None

    def _closed(self, connection: HTTPConnection, path: str) -> PlainTextResponse | None:
        access = open_to(path)
        if access is OpenTo.NOBODY:
            return PlainTextResponse("Not Found", 404)
        if access is OpenTo.USERS and not self._users.has(connection.cookies):
            return PlainTextResponse("Sign in first.", 401)
        return None


def _is_part_of_strange_page(headers: Headers) -> bool:
    """Browsers say so of pictures and scripts, which come without an origin."""
    return headers.get("sec-fetch-site") in _FROM_ELSEWHERE and headers.get("sec-fetch-mode") != "navigate"


def _unsuitable(headers: Headers, path: str) -> PlainTextResponse | None:
    accepted = _FORMS.get(path.rstrip("/"), _JSON)
    given = headers.get("content-type", "")
    is_accepted = given.partition(";")[0].strip().lower() in accepted and len(given) <= _MAX_CONTENT_TYPE
    return None if is_accepted else PlainTextResponse(f"The body must be {accepted[0]}.", 415)
