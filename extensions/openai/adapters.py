"""/v1/internal/lora/: LoRA adapters on disk, and which of them the loaded model has (admin key)."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from extensions.openai.access import ManagementRoute
from extensions.openai.common.context import CurrentContext
from extensions.openai.common.field_types import RequestModel

router = APIRouter(prefix="/v1/internal/lora", tags=["Model management"], route_class=ManagementRoute)


class AdapterNames(BaseModel):
    lora_names: list[str]


class AdapterRequest(RequestModel):
    lora_names: Annotated[list[str], Field(max_length=64)] = Field(description="Names of /v1/internal/lora/list.")


@router.get("/list")
async def list_adapters(context: CurrentContext) -> AdapterNames:
    """What can be applied: GGUF files and folders in PEFT's format."""
    return AdapterNames(lora_names=await asyncio.to_thread(context.runtime.models.list_adapters))


@router.post("/load")
async def load_adapters(body: AdapterRequest, context: CurrentContext) -> Literal["OK"]:
    """Loads the model again with exactly these adapters; answers when it is ready."""
    await context.runtime.models.apply_adapters(body.lora_names)
    return "OK"


@router.post("/unload")
async def unload_adapters(context: CurrentContext) -> Literal["OK"]:
    """Loads the model again without adapters."""
    await context.runtime.models.apply_adapters(())
    return "OK"
