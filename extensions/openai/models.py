"""GET /v1/models and /v1/models/{id}: the loaded model first, then its aliases, then what else lies on disk."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from extensions.openai.answers import json_answer
from extensions.openai.anthropic_shape import speaks_anthropic
from extensions.openai.context import CurrentContext
from extensions.openai.models_anthropic import AnthropicModel, anthropic_model, anthropic_page
from modules.engine.types import ModelCard
from modules.errors import NotFound
from modules.models.state import ModelState, Status
from modules.runtime import Runtime

router = APIRouter(tags=["Models"])


class ModelMeta(BaseModel):
    """`n_ctx` is the most tokens one request may use, `n_ctx_train` what the model was trained for."""

    n_ctx: int
    n_ctx_train: int
    n_vocab: int
    n_params: int
    size: int


class Model(BaseModel):
    """`created` is in unix seconds. The rest stands there for the loaded model only."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "user"
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
    state = runtime.models.state
    on_disk = await asyncio.to_thread(_on_disk, runtime)
    loaded = list(_loaded(state, runtime.settings.model_alias))
    return loaded + [entry for entry in on_disk if entry.id != state.name or not loaded]


def _loaded(state: ModelState, aliases: tuple[str, ...]) -> Iterator[Model]:
    if state.status is Status.READY and state.card is not None:
        for name in (state.card.name, *aliases):
            yield _entry(name, state.loaded_at, state.card)


def _on_disk(runtime: Runtime) -> list[Model]:
    return [_entry(name, _modified(runtime.data.models / name)) for name in runtime.models.list_models()]


def _modified(path: Path) -> int:
    """Now, for a name that is no file."""
    try:
        return int(path.stat().st_mtime)
    except OSError:
        return int(time.time())


def _entry(name: str, created: int, card: ModelCard | None = None) -> Model:
    entry = Model(id=name, object="model", created=created, owned_by="user")
    if card is not None:
        entry.max_model_len = card.context
        entry.meta = ModelMeta(
            n_ctx=card.context,
            n_ctx_train=card.trained_context,
            n_vocab=card.vocabulary,
            n_params=card.parameters,
            size=card.size_bytes,
        )
    return entry
