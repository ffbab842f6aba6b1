"""GET /v1/models and /v1/models/{id}: the loaded models first, with the aliases, then what else lies on disk."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from extensions.openai.common.answers import json_answer
from extensions.openai.common.anthropic_shape import speaks_anthropic
from extensions.openai.common.context import CurrentContext
from extensions.openai.models_anthropic import AnthropicModel, anthropic_model, anthropic_page
from modules.errors import NotFound
from modules.models.state import ModelState, Status
from modules.runtime import Runtime

router = APIRouter(tags=["Models"])

ModelStatus = Literal["loaded", "loading", "sleeping"]
_STATUSES: Final[Mapping[Status, ModelStatus]] = MappingProxyType({Status.READY: "loaded", Status.LOADING: "loading"})


class ModelMeta(BaseModel):
    """`n_ctx` is the most tokens one request may use, `n_ctx_train` what the model was trained for."""

    n_ctx: int
    n_ctx_train: int
    n_vocab: int
    n_params: int
    size: int


class Model(BaseModel):
    """`created` and `loaded_at` are in unix seconds, `memory` in bytes; what is not known of a model that is not loaded
    is left out. A `sleeping` model is on disk, and loaded by a request where requests may load it."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "user"
    type: Literal["chat", "embedding", "rerank", "image", "speech", "transcription"] = "chat"
    status: Literal["loaded", "loading", "sleeping"] = "sleeping"
    loaded_at: int | None = None
    memory: int | None = None
    capabilities: list[str] | None = None
    max_model_len: int | None = None
    meta: ModelMeta | None = None


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Model]


@router.get("/v1/models", responses={200: {"model": ModelList}})
async def list_models(context: CurrentContext, request: Request) -> Response:
    """Every model that can be named, the loaded one first. With the header `anthropic-version`, in Anthropic's shape
    and in pages."""
    if speaks_anthropic(request.scope):
        models = [_in_anthropics_shape(entry) for entry in await _models(context.runtime)]
        return json_answer(anthropic_page(models, request.query_params), {})
    return json_answer(ModelList(object="list", data=await _models(context.runtime)), {})


@router.get("/v1/models/{model:path}", responses={200: {"model": Model}})
async def get_model(model: str, context: CurrentContext, request: Request) -> Response:
    """One model of that list."""
    found = next((entry for entry in await _models(context.runtime) if entry.id == model), None)
    if found is None:
        raise NotFound(
            f"The model {model[:200]!a} does not exist. GET /v1/models lists all.",
            param="model",
            code="model_not_found",
        )
    return json_answer(_in_anthropics_shape(found) if speaks_anthropic(request.scope) else found, {})


def _in_anthropics_shape(model: Model) -> AnthropicModel:
    return anthropic_model(model.id, created=model.created, context=model.max_model_len)


async def _models(runtime: Runtime) -> list[Model]:
    states = runtime.models.models
    on_disk = await asyncio.to_thread(runtime.models.list_models)
    present = [state for state in states if state.status in {Status.READY, Status.LOADING}]
    entries = [entry for state in present for entry in _present(state, runtime)]
    listed = {entry.id for entry in entries}
    sleeping = {state.name: state for state in states}
    return entries + await asyncio.to_thread(
        lambda: [_entry(runtime, name, sleeping.get(name)) for name in on_disk if name not in listed]
    )


def _present(state: ModelState, runtime: Runtime) -> Iterator[Model]:
    """With the aliases, when it is the model that they mean."""
    assert state.name is not None
    entry = _entry(runtime, state.name, state)
    yield entry
    if state.status is Status.READY and state.name == runtime.models.state.name:
        for alias in runtime.settings.model_alias:
            yield entry.model_copy(update={"id": alias})


def _modified(path: Path) -> int:
    """Now, for a name that is no file."""
    try:
        return int(path.stat().st_mtime)
    except OSError:
        return int(time.time())


def _entry(runtime: Runtime, name: str, state: ModelState | None) -> Model:
    kind = state.kind if state else runtime.models.kind_of(name)
    status: ModelStatus = _STATUSES.get(state.status, "sleeping") if state else "sleeping"
    created = state.loaded_at if state and state.status is Status.READY else _modified(runtime.data.models / name)
    entry = Model(id=name, object="model", created=created, owned_by="user", type=kind.value, status=status)
    card = state.card if state else None
    if card is not None:
        entry.max_model_len = card.context
        entry.capabilities = list(card.capabilities)
        entry.meta = ModelMeta(
            n_ctx=card.context,
            n_ctx_train=card.trained_context,
            n_vocab=card.vocabulary,
            n_params=card.parameters,
            size=card.size_bytes,
        )
    if state and state.status is Status.READY:
        entry.loaded_at, entry.memory = state.loaded_at, state.memory
    return entry
