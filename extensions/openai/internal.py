"""/v1/internal/: the server's state, stopping one's own replies, and loading and unloading models (admin key)."""

import asyncio
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from extensions.openai.access import ManagementRoute
from extensions.openai.chat.inbound import chat_request
from extensions.openai.chat.schema import ChatCompletionRequest
from extensions.openai.context import CurrentCaller, CurrentContext
from extensions.openai.field_types import RequestModel
from extensions.openai.generation_inbound import unavailable
from extensions.openai.json_route import JsonRoute
from modules.models.options import LoadOptions

router = APIRouter(prefix="/v1/internal", tags=["Server"], route_class=JsonRoute)
management = APIRouter(prefix="/v1/internal/model", tags=["Model management"], route_class=ManagementRoute)

NO_MODEL = "None"


class InternalHealth(BaseModel):
    status: Literal["ok"] = "ok"


class ModelInfo(BaseModel):
    """`model_name` is the text None when nothing is loaded; front ends compare with it."""

    model_name: str
    lora_names: list[str]
    loader: str | None
    context_length: int | None


class ChatPromptResponse(BaseModel):
    prompt: str


class ModelNames(BaseModel):
    model_names: list[str]


class LoadRequest(RequestModel):
    model_name: str = Field(min_length=1, max_length=4096, description="A name of /v1/internal/model/list.")
    args: dict[str, Any] | None = Field(None, description="Settings for this load, such as ctx_size; see SETTINGS.md.")
    settings: dict[str, Any] | None = Field(None, description="An older name of args; args wins.")
    instruction_template: str | None = Field(None, description="Not available yet: 400.")
    instruction_template_str: str | None = Field(None, description="Not available yet: 400.")


@router.get("/health")
async def internal_health() -> InternalHealth:
    """Always ok, once the key is right; /health says more."""
    return InternalHealth()


@router.post("/stop-generation")
async def stop_generation(caller: CurrentCaller) -> Literal["OK"]:
    """Ends the replies that run in the name of the caller's key, each with finish_reason stop; nobody else's."""
    caller.context.runtime.work.stop(caller.owner)
    return "OK"


@router.get("/model/info")
async def model_info(context: CurrentContext) -> ModelInfo:
    """The model that answers, or would answer, the next request."""
    card = context.runtime.models.state.card
    if card is None:
        return ModelInfo(model_name=NO_MODEL, lora_names=[], loader=None, context_length=None)
    return ModelInfo(
        model_name=card.name, lora_names=list(card.adapters), loader=card.loader, context_length=card.context
    )


@router.post("/chat-prompt")
async def chat_prompt(body: ChatCompletionRequest, caller: CurrentCaller) -> ChatPromptResponse:
    """The prompt that a chat request would be answered from, as text."""
    runtime = caller.context.runtime
    return ChatPromptResponse(prompt=await runtime.chat.render(chat_request(body, runtime.settings)))


@management.get("/list")
async def list_model_files(context: CurrentContext) -> ModelNames:
    """What can be loaded: GGUF files by their path in the model folder, then folders."""
    return ModelNames(model_names=await asyncio.to_thread(context.runtime.models.list_models))


@management.post("/load")
async def load_model(body: LoadRequest, context: CurrentContext) -> Literal["OK"]:
    """Loads a model in place of the one before; answers when it is ready."""
    for name in ("instruction_template", "instruction_template_str"):
        if getattr(body, name):
            raise unavailable(name)
    options = LoadOptions.parse((body.settings or {}) | (body.args or {}))
    await context.runtime.models.load(body.model_name, options)
    return "OK"


@management.post("/unload")
async def unload_model(context: CurrentContext) -> Literal["OK"]:
    """Gives the model's memory back."""
    await context.runtime.models.unload()
    return "OK"
