"""Whole answers of this API: with every key, null or not."""

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.responses import Response


def full_answer(body: BaseModel, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body.model_dump_json(), headers=headers, media_type="application/json")
