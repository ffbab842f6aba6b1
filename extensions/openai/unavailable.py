"""Endpoints that clients know and this version does not have: a clear answer for each."""

from typing import Final

from fastapi import APIRouter

from extensions.openai.common.errors import NotBuilt

ENDPOINTS: Final = ("/v1/audio/speech",)


async def refuse() -> None:
    """Raises NotBuilt, whatever was sent."""
    raise NotBuilt("This endpoint is not available in this version of the server.")


def unavailable_endpoints() -> APIRouter:
    router = APIRouter()
    for path in ENDPOINTS:
        router.add_api_route(path, refuse, methods=["GET", "POST"], include_in_schema=False)
    return router
