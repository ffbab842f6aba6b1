"""Why a response failed, in the words of this API."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from extensions.openai.common.errors import UNEXPECTED_MESSAGE, log_unexpected
from extensions.openai.responses.bodies import ResponseError
from extensions.openai.responses.wire import Wire
from modules.errors import BadRequest, Busy, ContextTooLong, ServiceError

_SERVER_ERROR: Final = "server_error"

# Agents read the first as a request to shorten the conversation, though OpenAI's own types do not list it.
_CODES: Final[Mapping[type[ServiceError], str]] = MappingProxyType(
    {
        ContextTooLong: "context_length_exceeded",
        BadRequest: "invalid_prompt",
        Busy: "rate_limit_exceeded",
    }
)


def response_error(error: Exception) -> ResponseError:
    """What is no ServiceError is logged and told without its words."""
    if not isinstance(error, ServiceError):
        log_unexpected(error)
        return ResponseError(code=_SERVER_ERROR, message=UNEXPECTED_MESSAGE)
    code = next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), _SERVER_ERROR)
    return ResponseError(code=code, message=error.message)


def failure_event(wire: Wire, error: Exception) -> bytes:
    """The event `error`, which says the same as the response that failed."""
    told = response_error(error)
    return wire.event("error", code=told.code, message=told.message, param=getattr(error, "param", None))
