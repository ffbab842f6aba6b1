"""The one table from our errors to HTTP, and OpenAI's error object for every failure a caller can see."""

import logging
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.errors import (
    BadRequest,
    Busy,
    EngineFailed,
    LoadFailed,
    NotFound,
    NotLoaded,
    NotSupported,
    ServiceError,
    SettingsError,
)

logger = logging.getLogger(__name__)


class Unauthorized(ServiceError):
    """The key is missing or wrong."""

    code = "invalid_api_key"


class Forbidden(ServiceError):
    """The caller may not call from where it calls."""

    code = "forbidden"


class NotBuilt(ServiceError):
    """The endpoint is known, but this version does not have it."""

    code = "not_available"


class ShuttingDown(ServiceError):
    """The server is being stopped."""

    code = "server_shutting_down"


class ClientGone(Exception):
    """The caller hung up; nobody will read an answer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """How an error looks from outside. Callers that retry by themselves are told not to where a retry costs as much
    as the failure did and would end the same."""

    status: int
    type: str
    is_worth_retrying: bool = True


FAULTS: Final[Mapping[type[ServiceError], Fault]] = MappingProxyType(
    {
        BadRequest: Fault(400, "invalid_request_error"),
        NotSupported: Fault(400, "invalid_request_error"),
        Unauthorized: Fault(401, "invalid_request_error"),
        Forbidden: Fault(403, "invalid_request_error"),
        NotFound: Fault(404, "invalid_request_error"),
        Busy: Fault(429, "rate_limit_error"),
        NotBuilt: Fault(501, "invalid_request_error", is_worth_retrying=False),
        LoadFailed: Fault(500, "server_error", is_worth_retrying=False),
        SettingsError: Fault(500, "server_error", is_worth_retrying=False),
        EngineFailed: Fault(503, "server_error", is_worth_retrying=False),
        NotLoaded: Fault(503, "server_error", is_worth_retrying=False),
        ShuttingDown: Fault(503, "server_error", is_worth_retrying=False),
    }
)
_UNEXPECTED: Final = Fault(500, "server_error", is_worth_retrying=False)
_UNEXPECTED_MESSAGE: Final = "The server failed on this request. Its log says where."


def fault_of(error: ServiceError) -> Fault:
    return next((FAULTS[kind] for kind in type(error).__mro__ if kind in FAULTS), _UNEXPECTED)


def error_body(message: str, kind: str, *, param: str | None = None, code: str | None = None) -> bytes:
    """OpenAI's error object; all four fields are always there."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def error_response(error: ServiceError) -> Response:
    fault = fault_of(error)
    body = error_body(error.message, fault.type, param=error.param, code=error.code)
    return Response(body, fault.status, _headers(error, fault), "application/json")


def error_event(error: Exception) -> bytes:
    """The same as a server-sent event, for a stream that has begun. What is no ServiceError is logged."""
    if isinstance(error, ServiceError):
        body = error_body(error.message, fault_of(error).type, param=error.param, code=error.code)
    else:
        log_unexpected(error)
        body = error_body(_UNEXPECTED_MESSAGE, _UNEXPECTED.type)
    return b"data: " + body + b"\n\n"


def log_unexpected(error: Exception) -> None:
    """Where it happened, but not the exception's own words: they could quote a prompt."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("A request failed with %s.\n%s", type(error).__name__, frames)


def _headers(error: ServiceError, fault: Fault) -> dict[str, str]:
    headers = {}
    if not fault.is_worth_retrying:
        headers["x-should-retry"] = "false"
    if isinstance(error, Busy):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Unauthorized | Forbidden):
        # Whoever is refused may have a large body on its way, which nobody wants.
        headers["Connection"] = "close"
    return headers


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(ServiceError, _on_service_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_body)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientGone, _on_client_gone)


async def _on_service_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return error_response(error)


async def _on_client_gone(_: Request, __: Exception) -> Response:
    return Response(status_code=499)


async def _on_invalid_body(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return error_response(_bad_body(error.errors()[0]))


def _bad_body(problem: Mapping[str, Any]) -> BadRequest:
    where = [part for part in problem["loc"] if part != "body"]
    if problem["type"] == "json_invalid":
        return BadRequest(f"The body is not valid JSON: {problem['ctx']['error']} at character {problem['loc'][-1]}.")
    if not where:
        return BadRequest("The body must be a JSON object, sent with Content-Type: application/json.")
    param = _path(where)
    if problem["type"] == "missing":
        return BadRequest(f"'{param}' is missing.", param=param, code="missing_required_parameter")
    return BadRequest(f"Invalid '{param}': {_in_words(problem)}.", param=param, code="invalid_value")


def _in_words(problem: Mapping[str, Any]) -> str:
    text = str(problem["msg"]).removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _path(where: Sequence[str | int]) -> str:
    """`messages[0].content`, as a program would write it."""
    head, *rest = where
    return str(head) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    method, path = request.method, request.scope["path"]
    message, code = {
        404: (f"Unknown request URL: {method} {path}. Please check the URL for typos.", "unknown_url"),
        405: (f"Not allowed to {method} on {path}. Try another method.", "method_not_supported"),
        408: ("The request body took too long to arrive.", "request_timeout"),
        413: ("The request body is too large. The operator can raise --api-max-body-mb.", "request_too_large"),
    }.get(error.status_code, (str(error.detail), None))
    kind = "invalid_request_error" if error.status_code < 500 else "server_error"
    return Response(error_body(message, kind, code=code), error.status_code, error.headers, "application/json")


class Shield:
    """Outermost of all: what nobody foresaw is logged and answered with an error object that tells nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_started = False

        async def noting_send(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except Exception as error:  # noqa: BLE001 - the last place where anything can be caught
            log_unexpected(error)
            if not has_started:
                body = error_body(_UNEXPECTED_MESSAGE, _UNEXPECTED.type)
                await Response(body, 500, {"x-should-retry": "false"}, "application/json")(scope, receive, send)
