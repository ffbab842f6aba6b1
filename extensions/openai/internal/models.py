"""/v1/internal/: health, stopping replies, loading and unloading models and adapters."""

import asyncio
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from extensions.openai.access import ManagementRoute
from extensions.openai.common.context import Context, CurrentCaller, CurrentContext
from extensions.openai.common.field_types import RequestModel
from extensions.openai.common.middleware import JsonRoute
from extensions.openai.common.program import program_of
from modules.models.options import LoadOptions

router = APIRouter(prefix="/v1/internal", tags=["Server"], route_class=JsonRoute)
management = APIRouter(prefix="/v1/internal/model", tags=["Model management"], route_class=ManagementRoute)

# text-generation-webui answers this text, not null, and scripts compare with it.
NO_MODEL = "None"
_TEMPLATE_FIELDS: Final = ("instruction_template", "instruction_template_str")


class InternalHealth(BaseModel):
    status: Literal["ok"] = "ok"


class ModelInfo(BaseModel):
    """`model_name` is the text None when nothing is loaded; front ends compare with it. `modalities` are what the model
    reads: text, image, audio; `projector` is the file that it reads pictures and sounds with, where it has one.
    `recommended_sampling` are parameters with the values that its makers recommend; requests that leave them out have the
    server's defaults even so."""

    model_name: str
    lora_names: list[str]
    loader: str | None
    context_length: int | None
    modalities: list[str] = []
    projector: str | None = None
    recommended_sampling: dict[str, int | float] = {}


class ModelNames(BaseModel):
    model_names: list[str]


class LoadRequest(RequestModel):
    model_config = ConfigDict(extra="forbid")

    model_name: str = Field(min_length=1, max_length=4096, description="A name of /v1/internal/model/list.")
    args: dict[str, Any] | None = Field(None, description="Settings for this load, such as ctx_size; see SETTINGS.md.")
    settings: dict[str, Any] | None = Field(
        None, description="The older form: what may stand in args, and the instruction template. args wins."
    )
    instruction_template: str | None = Field(None, description="Template to load the model with, by its name.")
    instruction_template_str: str | None = Field(
        None, description="The same as Jinja source; wins over instruction_template."
    )


class DeletedCache(BaseModel):
    freed_bytes: int


class UnloadRequest(RequestModel):
    model_name: Annotated[str, Field(max_length=4096)] | None = Field(
        None, description="The model to unload; all without it."
    )


@router.get("/health")
async def internal_health() -> InternalHealth:
    """Always ok, once the key is right; /health says more."""
    return InternalHealth()


@router.post("/stop-generation")
async def stop_generation(caller: CurrentCaller) -> Literal["OK"]:
    """Ends the replies that run under the caller's key only, each with finish_reason stop."""
    program_of(caller.context).work.stop(caller.owner)
    program_of(caller.context).images.jobs.stop(caller.owner)
    return "OK"


@router.get("/model/info")
async def model_info(context: CurrentContext) -> ModelInfo:
    """The model that answers, or would answer, the next request."""
    card = program_of(context).models.known_card(None)
    if card is None:
        return ModelInfo(model_name=NO_MODEL, lora_names=[], loader=None, context_length=None)
    return ModelInfo(
        model_name=card.name,
        lora_names=list(card.adapters),
        loader=card.loader,
        context_length=card.context,
        modalities=list(card.modalities),
        recommended_sampling=dict(card.recommended_sampling),
        projector=card.projector or None,
    )


@management.get("/list")
async def list_model_files(context: CurrentContext) -> ModelNames:
    """What can be loaded: model files by their path in the model folder, then folders."""
    return ModelNames(model_names=await asyncio.to_thread(program_of(context).models.list_models))


@management.post("/load")
async def load_model(body: LoadRequest, context: CurrentContext) -> Literal["OK"]:
    """Loads a model; answers when it is ready. Others are unloaded only where there is no room: with --models-max 1,
    the one before."""
    args = {name: value for name, value in (body.settings or {}).items() if name not in _TEMPLATE_FIELDS}
    options = LoadOptions.requested(args | (body.args or {}), context.runtime.settings)
    template = await asyncio.to_thread(_template, body, context)
    await program_of(context).models.load(body.model_name, options, instruction_template=template)
    return "OK"


def _template(body: LoadRequest, context: Context) -> str:
    """Jinja source, empty for the model's own."""
    older = body.settings or {}
    name, source = (getattr(body, field) or older.get(field) for field in _TEMPLATE_FIELDS)
    if source or not name:
        return str(source or "")
    return program_of(context).library.templates.read(str(name))


@management.post("/unload")
async def unload_model(context: CurrentContext, body: UnloadRequest | None = None) -> Literal["OK"]:
    """Gives the memory of one model back, or of all when none is named."""
    await program_of(context).models.unload(body.model_name if body else None)
    return "OK"


@management.post("/cache/delete")
async def delete_kept_prefixes(context: CurrentContext) -> DeletedCache:
    """Deletes what --cache-disk has kept of prompts and replies, whether a model is loaded or not, and says how much it
    was."""
    return DeletedCache(freed_bytes=await program_of(context).kept_prefixes.delete())


adapters = APIRouter(prefix="/v1/internal/lora", tags=["Model management"], route_class=ManagementRoute)


class AdapterNames(BaseModel):
    lora_names: list[str]


class AdapterRequest(RequestModel):
    lora_names: Annotated[list[str], Field(max_length=64)] = Field(description="Names of /v1/internal/lora/list.")


@adapters.get("/list")
async def list_adapters(context: CurrentContext) -> AdapterNames:
    """What can be applied: adapters in the formats that the loaders read."""
    return AdapterNames(lora_names=await asyncio.to_thread(program_of(context).models.list_adapters))


@adapters.post("/load")
async def load_adapters(body: AdapterRequest, context: CurrentContext) -> Literal["OK"]:
    """Loads the model again with exactly these adapters; answers when it is ready."""
    await program_of(context).models.apply_adapters(body.lora_names)
    return "OK"


@adapters.post("/unload")
async def unload_adapters(context: CurrentContext) -> Literal["OK"]:
    """Loads the model again without adapters."""
    await program_of(context).models.apply_adapters(())
    return "OK"
