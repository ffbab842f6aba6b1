"""The entry point that every extension has."""

from extensions.openai.server import serve_api
from modules.extend.contributions import Announce
from modules.extend.host import Host
from modules.runtime import Runtime


def setup(host: Host) -> None:
    host.serve(_serve)


async def _serve(runtime: Runtime, announce: Announce) -> None:
    await serve_api(runtime, announce=announce)
