"""POST /v1/moderations: what texts and pictures have of thirteen categories."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Final, Literal

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
from modules.media.moderation.judgement import Judgement

router = APIRouter(tags=["Moderations"], route_class=JsonRoute)

_MAX_INPUTS: Final = 32


def _as_list(value: object) -> object:
    """A text is a list of one."""
    return [value] if isinstance(value, str) else value


class ModerationPicture(BaseModel):
    url: Annotated[str, Field(max_length=2**25)]


class ModerationPart(BaseModel):
    """One part of an input that is text and pictures. All parts together are one input."""

    type: Literal["text", "image_url"]
    text: Annotated[str, Field(max_length=2**20)] | None = None
    image_url: ModerationPicture | None = None


class ModerationRequest(RequestModel):
    """The body of a request for a judgement."""

    input: Annotated[
        list[Annotated[str, Field(max_length=2**20)] | ModerationPart],
        Field(min_length=1, max_length=_MAX_INPUTS, fail_fast=True),
        BeforeValidator(_as_list, json_schema_input_type=str | list[str] | list[ModerationPart]),
    ] = Field(description="A text, a list of texts, or the parts of one input.")
    model: str | None = Field(
        None,
        description="A text classifier; any other name means the default one, or, where there is none, the default embedding model.",
    )


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
    """Texts are judged by a classifier, or compared with examples by the embedding model; pictures as sexual or not."""
    service = program_of(caller.context).moderation
    parts = [part for part in body.input if isinstance(part, ModerationPart)]
    texts = [item for item in body.input if isinstance(item, str)]
    if parts and texts:
        raise BadRequest("input mixes texts and parts. Send a list of one kind.", param="input")
    joined = "\n".join(part.text or "" for part in parts)
    if pictures := _pictures(parts):
        judging = service.judge_with_pictures(joined, list(pictures.values()), list(pictures), body.model)
        model, one = await while_connected(caller, judging)
        judgements = [one]
    else:
        model, judgements = await while_connected(caller, service.judge(_checked(texts or [joined]), body.model))
    results = [_result(judgement) for judgement in judgements]
    return full_answer(ModerationResponse(id=f"modr-{uuid.uuid4().hex}", model=model, results=results))


def _pictures(parts: Sequence[ModerationPart]) -> dict[str, str]:
    """Where each is, by its name in messages. Raises BadRequest for a part without one."""
    found = {}
    for number, part in enumerate(parts):
        if part.type == "image_url":
            param = f"input.[{number}].image_url"
            if part.image_url is None:
                raise BadRequest("A part of the type image_url needs an image_url with a url.", param=param)
            found[param] = part.image_url.url
    return found


def _checked(texts: list[str]) -> list[str]:
    """Raises BadRequest for inputs without text."""
    if any(not text.strip() for text in texts):
        raise BadRequest("An input is empty. Send a text.", param="input")
    return texts


def _result(judgement: Judgement) -> ModerationResult:
    return ModerationResult(
        flagged=judgement.is_flagged,
        categories=dict(judgement.categories),
        category_scores=dict(judgement.scores),
        category_applied_input_types={name: list(types) for name, types in judgement.applied.items()},
    )
