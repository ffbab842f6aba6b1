"""Models in Anthropic's shape, for callers that name its version: one by one, and page by page. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import BaseModel

from modules.errors import BadRequest

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
