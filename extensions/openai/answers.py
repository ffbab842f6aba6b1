"""What whole and streamed answers have in common."""

from collections.abc import Sequence

from pydantic import BaseModel
from starlette.responses import Response

from extensions.openai.generation_fields import GenerationFields
from extensions.openai.generation_inbound import ignored_parameters
from extensions.openai.structured import unenforced_parts
from modules.runtime import Runtime

IGNORED_HEADER = "X-Ignored-Parameters"


def json_answer(body: BaseModel, headers: dict[str, str]) -> Response:
    """Keys that nobody set are left out; those set to None are null."""
    return Response(body.model_dump_json(exclude_unset=True), headers=headers, media_type="application/json")


def remarks(body: GenerationFields, runtime: Runtime, more: Sequence[str] = ()) -> dict[str, str]:
    """Headers that name what the request asked for and did not get; `more` are places that its endpoint knows of."""
    card = runtime.models.state.card
    ignored = (*ignored_parameters(body, card.unsupported if card else ()), *unenforced_parts(body), *more)
    return {IGNORED_HEADER: ", ".join(ignored)} if ignored else {}
