"""Anthropic's error object, and who gets it in place of OpenAI's."""

from typing import Final

import orjson
from starlette.datastructures import Headers
from starlette.types import Scope

from extensions.openai.common.plain_paths import plain_path

_PATH: Final = "/v1/messages"
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
