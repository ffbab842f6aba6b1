"""Exceptions → HTTP responses: a handler for each kind, and one around everything else."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from extensions.openai.common.errors import (
    UNEXPECTED,
    UNEXPECTED_MESSAGE,
    ClientGone,
    HttpError,
    error_response,
    failure_body,
    log_unexpected,
)
from modules.errors import BadRequest, ServiceError


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(ServiceError, _on_service_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_body)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientGone, _on_client_gone)


async def _on_service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return error_response(error, request.scope)


async def _on_client_gone(_: Request, __: Exception) -> Response:
    return Response(status_code=499)


async def _on_invalid_body(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return error_response(_bad_body(error.errors()[0]), request.scope)


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
        413: (f"The request body is too large. The operator can raise {error.detail}.", "request_too_large"),
    }.get(error.status_code, (str(error.detail), None))
    body = failure_body(request.scope, _http_fault(error.status_code), message, code=code)
    return Response(body, error.status_code, error.headers, "application/json")


def _http_fault(status: int) -> HttpError:
    if status >= 500:
        return UNEXPECTED
    kinds = {404: "not_found_error", 408: "timeout_error", 413: "request_too_large"}
    return HttpError(status, "invalid_request_error", kinds.get(status, "invalid_request_error"))


class UnexpectedErrors:
    """Outermost layer: logs unexpected exceptions and answers with an error object that reveals nothing.

    Every answer gets an id, which clients show in their errors: OpenAI's read `x-request-id`, Anthropic's `request-id`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_started = False
        request_id = f"req_{uuid.uuid4().hex}"
        if scope["type"] == "http":
            scope = {**scope, "state": {**scope.get("state", {}), "request_id": request_id}}

        async def stamping_send(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                MutableHeaders(scope=message).update({"x-request-id": request_id, "request-id": request_id})
            await send(message)

        try:
            await self._app(scope, receive, stamping_send)
        except Exception as error:  # noqa: BLE001 - the last place where anything can be caught
            log_unexpected(error)
            if not has_started:
                body = failure_body(scope, UNEXPECTED, UNEXPECTED_MESSAGE)
                answer = Response(body, 500, {"x-should-retry": "false"}, "application/json")
                await answer(scope, receive, stamping_send)
