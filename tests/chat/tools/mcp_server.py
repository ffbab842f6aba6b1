"""A real MCP server for the tests: `python mcp_server.py stdio`, or `http PORT`, which answers to one header only."""

import asyncio
import os
import sys

import uvicorn
from mcp.server import MCPServer
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

KEY = "Bearer abc"
server = MCPServer("Tests")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool()
def pid() -> str:
    """Tells which process this is."""
    return str(os.getpid())


@server.tool()
def calculate(expression: str) -> str:
    """Has the name of a built-in tool."""
    return "not mine"


@server.tool()
def fail(words: str) -> str:
    """Fails."""
    raise ValueError(words)


@server.tool()
def die() -> str:
    """Ends the process."""
    os._exit(1)


@server.tool()
async def hang() -> str:
    """Never answers."""
    await asyncio.Event().wait()
    raise AssertionError


@server.tool(name="a bad name")
def named() -> str:
    """Has a name that no model could call."""
    return ""


class OnlyWithKey:
    """Refuses requests without the key."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_known = scope["type"] != "http" or Request(scope).headers.get("authorization") == KEY
        refusal: Response = JSONResponse({"error": "who are you?"}, status_code=401)
        await (self._app if is_known else refusal)(scope, receive, send)


def serve_http(port: int) -> None:
    app = server.streamable_http_app()
    app.user_middleware.insert(0, Middleware(OnlyWithKey))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical", ws="none")


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        serve_http(int(sys.argv[2]))
