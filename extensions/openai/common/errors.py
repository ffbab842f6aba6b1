"""The table from our errors to HTTP statuses, and the error object of the caller's API."""

import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from extensions.openai.common.middleware import plain_path
from modules.errors import (
    BadRequest,
    Busy,
    ContextTooLong,
    EngineFailed,
    ExtensionFailed,
    LoadFailed,
    NoRoom,
    NotFound,
    NotInstalled,
    NotLoaded,
    NotSupported,
    ServiceError,
    SettingsError,
    UpstreamFailed,
    UpstreamSilent,
    UpstreamUnavailable,
)

logger = logging.getLogger(__name__)

_PATH: Final = "/v1/messages"
# Anthropic's clients send it with every request, to whatever address they were given.
_VERSION_HEADER: Final = "anthropic-version"


def speaks_anthropic(scope: Scope) -> bool:
    """Whether the caller is a client of Anthropic's API: it calls its endpoint, or names its version."""
    if scope["type"] != "http":
        return False
    path = plain_path(scope["path"])
    return path == _PATH or path.startswith(f"{_PATH}/") or _VERSION_HEADER in Headers(scope=scope)


def request_id_of(scope: Scope) -> str | None:
    """The id that the answer's headers carry."""
    request_id: str | None = scope.get("state", {}).get("request_id")
    return request_id


def anthropic_error_body(kind: str, message: str, request_id: str | None) -> bytes:
    return orjson.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id})


class Unauthorized(ServiceError):
    """The key is missing or wrong."""

    code = "invalid_api_key"


class Forbidden(ServiceError):
    """The caller may not call from where it calls."""

    code = "forbidden"


class ShuttingDown(ServiceError):
    """The server is being stopped."""

    code = "server_shutting_down"


class ClientGone(Exception):
    """The client disconnected."""


@dataclass(frozen=True, slots=True)
class HttpError:
    """How an error looks from outside; `type` is OpenAI's word for it, `anthropic_type` Anthropic's.

    Callers that retry by themselves are told not to where a retry costs as much as the failure did and would end the
    same.
    """

    status: int
    type: str
    anthropic_type: str
    is_worth_retrying: bool = True


HTTP_ERRORS: Final[Mapping[type[ServiceError], HttpError]] = MappingProxyType(
    {
        BadRequest: HttpError(400, "invalid_request_error", "invalid_request_error"),
        NotSupported: HttpError(400, "invalid_request_error", "invalid_request_error"),
        Unauthorized: HttpError(401, "invalid_request_error", "authentication_error"),
        Forbidden: HttpError(403, "invalid_request_error", "permission_error"),
        NotFound: HttpError(404, "invalid_request_error", "not_found_error"),
        Busy: HttpError(429, "rate_limit_error", "rate_limit_error"),
        NotInstalled: HttpError(501, "invalid_request_error", "api_error", is_worth_retrying=False),
        LoadFailed: HttpError(500, "server_error", "api_error", is_worth_retrying=False),
        SettingsError: HttpError(500, "server_error", "api_error", is_worth_retrying=False),
        ExtensionFailed: HttpError(500, "server_error", "api_error", is_worth_retrying=False),
        UpstreamFailed: HttpError(502, "server_error", "api_error"),
        UpstreamUnavailable: HttpError(503, "server_error", "overloaded_error"),
        UpstreamSilent: HttpError(504, "server_error", "api_error", is_worth_retrying=False),
        EngineFailed: HttpError(503, "server_error", "api_error", is_worth_retrying=False),
        NoRoom: HttpError(503, "server_error", "overloaded_error", is_worth_retrying=False),
        NotLoaded: HttpError(503, "server_error", "overloaded_error", is_worth_retrying=False),
        ShuttingDown: HttpError(503, "server_error", "overloaded_error", is_worth_retrying=False),
    }
)
# Clients repeat a 500 by themselves; one that comes from a defect here would come again.
UNEXPECTED: Final = HttpError(500, "server_error", "api_error", is_worth_retrying=False)
UNEXPECTED_MESSAGE: Final = "Internal server error. See the server's log."


def http_error_of(error: ServiceError) -> HttpError:
    return next((HTTP_ERRORS[kind] for kind in type(error).__mro__ if kind in HTTP_ERRORS), UNEXPECTED)


def error_body(message: str, kind: str, *, param: str | None = None, code: str | None = None) -> bytes:
    """OpenAI's error object; all four fields are always there."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def failure_body(
    scope: Scope, fault: HttpError, message: str, *, param: str | None = None, code: str | None = None
) -> bytes:
    """The error object of the API that the caller of `scope` speaks."""
    if speaks_anthropic(scope):
        return anthropic_error_body(fault.anthropic_type, message, request_id_of(scope))
    return error_body(message, fault.type, param=param, code=code)


def error_response(error: ServiceError, scope: Scope) -> Response:
    fault = http_error_of(error)
    message = in_anthropic_words(error) if speaks_anthropic(scope) else error.message
    body = failure_body(scope, fault, message, param=error.param, code=error.code)
    return Response(body, fault.status, _headers(error, fault), "application/json")


def error_event(error: Exception) -> bytes:
    """The same as a server-sent event, for a stream that has begun. What is no ServiceError is logged."""
    if isinstance(error, ServiceError):
        body = error_body(error.message, http_error_of(error).type, param=error.param, code=error.code)
    else:
        log_unexpected(error)
        body = error_body(UNEXPECTED_MESSAGE, UNEXPECTED.type)
    return b"data: " + body + b"\n\n"


def anthropic_error_event(error: Exception, request_id: str | None) -> bytes:
    """The same in Anthropic's shape."""
    if isinstance(error, ServiceError):
        body = anthropic_error_body(http_error_of(error).anthropic_type, in_anthropic_words(error), request_id)
    else:
        log_unexpected(error)
        body = anthropic_error_body(UNEXPECTED.anthropic_type, UNEXPECTED_MESSAGE, request_id)
    return b"event: error\ndata: " + body + b"\n\n"


def in_anthropic_words(error: ServiceError) -> str:
    """Agents read in the text that a conversation has become too long, and shorten it."""
    if isinstance(error, ContextTooLong):
        return f"prompt is too long: {error.prompt_tokens} tokens > {error.context} maximum. {error.message}"
    return error.message


def log_unexpected(error: Exception) -> None:
    """Where it happened, but not the exception's own words: they could quote a prompt."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("A request failed with %s.\n%s", type(error).__name__, frames)


def _headers(error: ServiceError, fault: HttpError) -> dict[str, str]:
    headers = {}
    if not fault.is_worth_retrying:
        # The official clients of OpenAI and Anthropic obey it.
        headers["x-should-retry"] = "false"
    if isinstance(error, Busy):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Unauthorized | Forbidden):
        # A refused client may still be sending a large body.
        headers["Connection"] = "close"
    return headers
