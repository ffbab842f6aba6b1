"""In what spellings the path of a request may come."""

import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES: Final = re.compile(r"/{2,}")
_VERSIONS: Final = re.compile(r"^(/v1)+(?=/|$)")
_VERSIONED: Final = re.compile(
    r"/(chat/completions|completions|models|embeddings|moderations|images|audio|responses|conversations|messages|rerank|internal|billing)(/|$)"
)
_UNVERSIONED: Final = re.compile(r"^/v1(?=/(health|metrics|tokenize|detokenize|tokenizer_info)$)")


class PlainPaths:
    """Clients are given the base URL with or without /v1, or add it once more, and with slashes to spare; all mean the same
    route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": plain_path(scope["path"])}
        await self._app(scope, receive, send)


def plain_path(path: str) -> str:
    path = _VERSIONS.sub("/v1", _SLASHES.sub("/", path).rstrip("/"), count=1) or "/"
    return f"/v1{path}" if _VERSIONED.match(path) else _UNVERSIONED.sub("", path)
