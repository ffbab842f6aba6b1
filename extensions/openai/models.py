"""GET /v1/models and /v1/models/{id}, in OpenAI's and in Anthropic's shape; loaded models first."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from extensions.openai.common.answers import json_answer
from extensions.openai.common.context import CurrentContext
from extensions.openai.common.errors import speaks_anthropic
from extensions.openai.common.program import program_of
from modules.engine.types import ModelKind
from modules.errors import BadRequest, NotFound
from modules.models.state import ModelState, Status
from modules.runtime import Runtime

# Anthropic's default and limit.
_DEFAULT_LIMIT: Final = "20"
_MAX_LIMIT: Final = 1000


class AnthropicModel(BaseModel):
    """`max_input_tokens` and `max_tokens` stand there for the loaded model only. What is None has no meaning here."""

    type: Literal["model"]
    id: str
    display_name: str
    created_at: str
    max_input_tokens: int | None
    max_tokens: int | None
    lifecycle: Literal["active"]
    capabilities: None
    line: None
    deprecated_at: None
    retires_at: None


class AnthropicModelList(BaseModel):
    data: list[AnthropicModel]
    has_more: bool
    first_id: str | None
    last_id: str | None


def anthropic_model(name: str, *, created: int, context: int | None) -> AnthropicModel:
    """`created` is in unix seconds, `context` the most tokens of a request."""
    return AnthropicModel(
        type="model",
        id=name,
        display_name=name,
        created_at=datetime.fromtimestamp(created, UTC).isoformat().replace("+00:00", "Z"),
        max_input_tokens=context,
        max_tokens=context,
        lifecycle="active",
        capabilities=None,
        line=None,
        deprecated_at=None,
        retires_at=None,
    )


def anthropic_page(models: Sequence[AnthropicModel], query: Mapping[str, str]) -> AnthropicModelList:
    """`limit` models after `after_id`, or before `before_id`. Raises BadRequest."""
    limit = _limit(query.get("limit", _DEFAULT_LIMIT))
    if before := query.get("before_id"):
        earlier = models[: _place(models, before, "before_id")]
        return _page(earlier[-limit:], has_more=len(earlier) > limit)
    after = query.get("after_id")
    start = _place(models, after, "after_id") + 1 if after else 0
    return _page(models[start : start + limit], has_more=start + limit < len(models))


def _limit(text: str) -> int:
    limit = int(text) if text.isdecimal() and len(text) < len(str(10 * _MAX_LIMIT)) else 0
    if not 1 <= limit <= _MAX_LIMIT:
        raise BadRequest(f"limit must be a number from 1 to {_MAX_LIMIT}.", param="limit")
    return limit


def _place(models: Sequence[AnthropicModel], name: str, param: str) -> int:
    place = next((number for number, model in enumerate(models) if model.id == name), None)
    if place is None:
        raise BadRequest(f"{param} is not the id of a model. GET /v1/models lists all.", param=param)
    return place


def _page(models: Sequence[AnthropicModel], *, has_more: bool) -> AnthropicModelList:
    return AnthropicModelList(
        data=list(models),
        has_more=has_more,
        first_id=models[0].id if models else None,
        last_id=models[-1].id if models else None,
    )


router = APIRouter(tags=["Models"])

ModelStatus = Literal["loaded", "loading", "sleeping"]
# Whatever is neither is on disk only, and loaded when a request names it.
_STATUSES: Final[Mapping[Status, ModelStatus]] = MappingProxyType({Status.READY: "loaded", Status.LOADING: "loading"})


class ModelMeta(BaseModel):
    """`n_ctx` is the most tokens one request may use, `n_ctx_train` what the model was trained for."""

    n_ctx: int
    n_ctx_train: int
    n_vocab: int
    n_params: int
    size: int


class ModelArchitecture(BaseModel):
    """What the model reads and writes, in OpenRouter's words."""

    input_modalities: list[str]
    output_modalities: list[str]


class Model(BaseModel):
    """`created` and `loaded_at` are in unix seconds, `memory` in bytes; what is not known of a model that is not loaded
    is left out. A `sleeping` model is on disk, and loaded by a request where requests may load it."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "user"
    type: Literal["chat", "embedding", "rerank", "moderation", "image", "speech", "transcription"] = "chat"
    status: Literal["loaded", "loading", "sleeping"] = "sleeping"
    loaded_at: int | None = None
    memory: int | None = None
    capabilities: list[str] | None = None
    architecture: ModelArchitecture | None = None
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
        models = [_in_anthropics_shape(entry) for entry in await _models(program_of(context))]
        return json_answer(anthropic_page(models, request.query_params), {})
    return json_answer(ModelList(object="list", data=await _models(program_of(context))), {})


@router.get("/v1/models/{model:path}", responses={200: {"model": Model}})
async def get_model(model: str, context: CurrentContext, request: Request) -> Response:
    """One model of that list."""
    found = next((entry for entry in await _models(program_of(context)) if entry.id == model), None)
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
    resting = await asyncio.to_thread(
        lambda: [_entry(runtime, name, sleeping.get(name)) for name in on_disk if name not in listed]
    )
    # Pickers show whatever is listed, and take the first.
    local = sorted([*entries, *resting], key=lambda entry: entry.type != "chat")
    return [*local, *await _remote_models(runtime)]


async def _remote_models(runtime: Runtime) -> list[Model]:
    lists = await asyncio.gather(*(source.list_cards() for source in runtime.remote.values()))
    return [
        Model(
            id=card.model.name,
            object="model",
            created=int(time.time()),
            owned_by=card.model.name.partition("/")[0],
            type="chat",
            status="loaded",
            max_model_len=card.model.context or None,
        )
        for cards in lists
        for card in cards
    ]


def _present(state: ModelState, runtime: Runtime) -> Iterator[Model]:
    """With the aliases, when it is the model that they mean."""
    assert state.name is not None
    entry = _entry(runtime, state.name, state)
    yield entry
    if state.status is Status.READY and (default := runtime.models.known_card(None)) and state.name == default.name:
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
    created = state.loaded_at if state and state.status is Status.READY else _modified(runtime.models.path_of(name))
    entry = Model(id=name, object="model", created=created, owned_by="user", type=kind.value, status=status)
    card = state.card if state else None
    if card is not None:
        entry.capabilities = list(card.capabilities)
    if card is not None and not card.kind.is_media:
        if card.kind is ModelKind.CHAT:
            reads = list(card.modalities)
            entry.architecture = ModelArchitecture(input_modalities=reads, output_modalities=["text"])
        entry.max_model_len = card.context
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
