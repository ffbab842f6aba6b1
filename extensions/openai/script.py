"""The entry point that every extension has."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from extensions.openai.server import serve_api
from modules.runtime import Runtime


class Host(Protocol):
    """What this extension needs of the program that hosts it."""

    def serve(self, service: Callable[[Runtime], Awaitable[None]]) -> None:
        """Run `service` beside everything else until the program ends."""
        ...


def setup(host: Host) -> None:
    host.serve(serve_api)
