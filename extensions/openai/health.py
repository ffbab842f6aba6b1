"""What is asked about the server itself: whether it is well, whether it is there, what it costs."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from extensions.openai.common.context import CurrentContext
from modules.models.state import Status

router = APIRouter(tags=["Server"])


class Health(BaseModel):
    """`progress` is that of the model being loaded, from 0 to 1."""

    status: Literal["ok", "loading model"]
    progress: float | None = None


@router.get("/health", responses={200: {"model": Health}, 503: {"model": Health}})
async def health(context: CurrentContext) -> Response:
    """200, but 503 with the progress while a model is being loaded and none answers. It needs no key and tells no
    names."""
    states = context.runtime.models.models
    loading = next((state for state in states if state.status is Status.LOADING), None)
    if loading is not None and not any(state.status is Status.READY for state in states):
        body = Health(status="loading model", progress=round(loading.progress, 3))
        return Response(body.model_dump_json(), 503, {"Retry-After": "1"}, "application/json")
    return Response(Health(status="ok").model_dump_json(exclude_unset=True), media_type="application/json")


@router.options("/")
async def options() -> Literal["OK"]:
    """Answers clients that ask whether anybody is there."""
    return "OK"


@router.get("/v1/billing/usage")
async def billing_usage() -> dict[str, int]:
    """Nothing is billed here."""
    return {"total_usage": 0}
