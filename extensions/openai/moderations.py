"""POST /v1/moderations: how much texts are like the examples of thirteen categories."""

import uuid
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, Field
from starlette.responses import Response

from extensions.openai.common.answers import full_answer
from extensions.openai.common.context import CurrentCaller
from extensions.openai.common.field_types import RequestModel
from extensions.openai.common.middleware import JsonRoute
from extensions.openai.common.program import program_of
from extensions.openai.common.stream import while_connected
from modules.errors import BadRequest
from modules.media.moderation.service import Judgement

router = APIRouter(tags=["Moderations"], route_class=JsonRoute)

_MAX_INPUTS: Final = 32


def _as_list(value: object) -> object:
    """A text is a list of one."""
    return [value] if isinstance(value, str) else value


class ModerationPart(BaseModel):
    """One part of an input that is text and pictures. All parts together are one input."""

    type: Literal["text", "image_url"]
    text: Annotated[str, Field(max_length=2**20)] | None = None


class ModerationRequest(RequestModel):
    """The body of a request for a judgement."""

    input: Annotated[
        list[Annotated[str, Field(max_length=2**20)] | ModerationPart],
        Field(min_length=1, max_length=_MAX_INPUTS, fail_fast=True),
        BeforeValidator(_as_list, json_schema_input_type=str | list[str] | list[ModerationPart]),
    ] = Field(description="A text, a list of texts, or the parts of one input.")
    model: str | None = Field(None, description="Any name; the default embedding model judges.")


class ModerationResult(BaseModel):
    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[str]]


class ModerationResponse(BaseModel):
    """One result for each input, in their order."""

    id: str
    model: str
    results: list[ModerationResult]


@router.post("/v1/moderations", responses={200: {"model": ModerationResponse}})
async def create_moderation(body: ModerationRequest, caller: CurrentCaller) -> Response:
    """A heuristic: it compares sentences with examples, by the embedding model."""
    model, judgements = await while_connected(caller, program_of(caller.context).moderation.judge(_inputs(body)))
    results = [_result(judgement) for judgement in judgements]
    return full_answer(ModerationResponse(id=f"modr-{uuid.uuid4().hex}", model=model, results=results))


def _inputs(body: ModerationRequest) -> list[str]:
    """Raises BadRequest for pictures, which nothing here can judge, and for inputs without text."""
    parts = [part for part in body.input if isinstance(part, ModerationPart)]
    texts = [item for item in body.input if isinstance(item, str)]
    if parts and texts:
        raise BadRequest("input mixes texts and parts. Send a list of one kind.", param="input")
    if any(part.type == "image_url" for part in parts):
        raise BadRequest(
            "Pictures cannot be moderated: there is no classifier for them. Send the text alone.",
            param="input",
            code="image_moderation_not_available",
        )
    found = texts or ["\n".join(part.text or "" for part in parts)]
    if any(not text.strip() for text in found):
        raise BadRequest("An input is empty. Send a text.", param="input")
    return found


def _result(judgement: Judgement) -> ModerationResult:
    applied: dict[str, Any] = {name: ["text"] for name in judgement.scores}
    return ModerationResult(
        flagged=judgement.is_flagged,
        categories=dict(judgement.categories),
        category_scores=dict(judgement.scores),
        category_applied_input_types=applied,
    )
