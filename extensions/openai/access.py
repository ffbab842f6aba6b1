"""Access control: API keys, host names the server answers to, and pages of other origins."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Self

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from extensions.openai.common.answers import IGNORED_HEADER, LORE_HEADER, REPAIRS_HEADER
from extensions.openai.common.errors import Forbidden, Unauthorized, error_response
from extensions.openai.common.middleware import JsonRoute
from modules.errors import BadRequest, ServiceError
from modules.serving.addressing import CONTAINER_NAMES, is_addressed, is_local_page, is_own_page, own_names
from modules.settings.values import Settings

# Load balancers and container checks send no key.
PUBLIC_PATHS: Final = frozenset({"/health"})
ANONYMOUS: Final = "api:anonymous"


class Access(Enum):
    """What a caller's keys open."""

    NONE = auto()
    USER = auto()
    ADMIN = auto()


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys as digests, which take the same time to compare whatever is offered; None lets everyone in."""

    user: bytes | None
    admin: bytes | None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(_digest_or_none(settings.api_key), _digest_or_none(settings.required_admin_key))

    def access(self, headers: Headers) -> Access:
        digests = [_digest(key) for key in _offered(headers)]
        if self.admin is None or _matches(digests, self.admin):
            return Access.ADMIN
        if self.user is None or _matches(digests, self.user):
            return Access.USER
        return Access.NONE

    def owner(self, headers: Headers) -> str:
        """In whose name the caller's work runs: one name per key, and one for all where no key is asked for."""
        known = [key for key in (self.user, self.admin) if key is not None]
        own = (digest for digest in map(_digest, _offered(headers)) if _matches(known, digest))
        digest = next(own, None)
        return ANONYMOUS if digest is None else f"api:{digest.hex()[:12]}"


@dataclass(frozen=True, slots=True)
class Policy:
    """`hosts` are the names under which the server may be addressed, None any; `origins` the web pages that the operator
    names.

    With a key any page may call, unless the operator names those that may: the page has to send the key itself, since
    browsers add none. Without one, only pages from this machine may, and those that the operator names.
    """

    keys: Keys
    hosts: frozenset[str] | None
    origins: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        # Guards against DNS rebinding. A server that others may reach has names that it cannot know.
        names = None if settings.is_exposed else own_names((*CONTAINER_NAMES, *settings.api_allowed_hosts))
        return cls(Keys.of(settings), names, frozenset(settings.api_cors_origins))

    def refusal(self, path: str, headers: Headers, access: Access) -> ServiceError | None:
        """Why the request may not go on, if it may not."""
        if not is_addressed(headers, self.hosts):
            return BadRequest(
                "Invalid host header. Address the server as localhost, or start it with --api-allowed-hosts NAME."
            )
        if path in PUBLIC_PATHS:
            return None
        if access is Access.NONE:
            return Unauthorized("The API key is missing or wrong. Send it as 'Authorization: Bearer KEY'.")
        origin = headers.get("origin")
        if self.keys.user is None and origin is not None and not (is_own_page(headers) or self.allows(origin)):
            return Forbidden(
                "Without a key only pages from this machine may call this server. Start it with --api-key KEY, and give "
                "the page that key, or with --api-cors-origins ORIGIN."
            )
        return None

    def allows(self, origin: str) -> bool:
        """Whether a page of that origin, which is not the server's own, may call and read."""
        if "*" in self.origins or origin in self.origins:
            return True
        return not self.origins if self.keys.user is not None else is_local_page(origin)


class Gate:
    """Lets a request through to the router, or answers it. What it found stands in `request.state`."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        access = self._policy.keys.access(headers)
        refusal = self._policy.refusal(scope["path"], headers, access)
        # Before the body is read: a refused caller cannot make the server receive megabytes.
        if refusal is not None:
            await error_response(refusal, scope)(scope, receive, send)
            return
        state = {"access": access, "owner": self._policy.keys.owner(headers)}
        await self._app({**scope, "state": scope.get("state", {}) | state}, receive, send)


class ManagementRoute(JsonRoute):
    """A route that needs the admin key, asked for before the body is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            if request.state.access is not Access.ADMIN:
                raise Unauthorized("This needs the admin key (--admin-key). Send it as 'Authorization: Bearer KEY'.")
            return await handle(request)

        return guarded


def _offered(headers: Headers) -> Iterator[str]:
    for value in headers.getlist("authorization"):
        scheme, _, key = value.partition(" ")
        if scheme.lower() in {"bearer", "token"}:
            yield key.strip()
        elif scheme.lower() == "basic":
            yield from _password(key)
    yield from headers.getlist("x-api-key")
    yield from headers.getlist("api-key")


def _password(encoded: str) -> Iterator[str]:
    """Front ends for A1111 send a name and a password (RFC 7617); the password is the key, whatever the name."""
    try:
        _, colon, password = base64.b64decode(encoded.strip(), validate=True).decode("latin-1").partition(":")
    except ValueError:
        return
    if colon:
        yield password


def _digest(key: str) -> bytes:
    # Headers are decoded as Latin-1, so this gives back the very bytes that were sent.
    return hashlib.sha256(key.encode("latin-1", "replace")).digest()


def _digest_or_none(key: str) -> bytes | None:
    return _digest(key) if key else None


def _matches(digests: list[bytes], wanted: bytes) -> bool:
    return any(hmac.compare_digest(digest, wanted) for digest in digests)


# Scripts of a page read no other headers of an answer from another origin (Fetch Standard, CORS).
_EXPOSED: Final = (IGNORED_HEADER, REPAIRS_HEADER, LORE_HEADER, "Retry-After", "request-id", "x-request-id")


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
        """Preflights of other origins reveal nothing, not even that there is a private network."""
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
            # A cache must not give this answer to a page of another origin.
            MutableHeaders(scope=message).add_vary_header("Origin")
        await send(message)
