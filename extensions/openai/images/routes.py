"""POST /v1/images/generations, /v1/images/edits, /v1/images/variations."""

from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from extensions.openai.common.context import Caller, CurrentCaller
from extensions.openai.common.middleware import JsonRoute
from extensions.openai.common.program import program_of
from extensions.openai.common.stream import Feed, feed_response, while_connected
from extensions.openai.images.inbound import edit_request, generation_request, variation_request
from extensions.openai.images.outbound import ImagePresentation, ImageStream, images_body, text_tokens
from extensions.openai.images.schema import (
    DrawingFields,
    ImageEditRequest,
    ImageGenerationRequest,
    ImagesResponse,
    ImageVariationRequest,
    PictureFields,
)
from extensions.openai.images.sources import read_edit, read_variation
from modules.media.images.requests import ImageRequest

router = APIRouter(tags=["Images"], route_class=JsonRoute)


def _body_of(model: type[PictureFields]) -> dict[str, Any]:
    """For the documentation: the same fields, as JSON or in a form."""
    # No route declares it as its body, so nothing else puts it among the components.
    written = model.model_json_schema()
    schema = {"schema": _inlined(written, written.pop("$defs", {}))}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": schema, "application/json": schema}}}


def _inlined(value: Any, named: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """A JSON schema with what it refers to in the place of each reference."""
    if isinstance(value, list):
        return [_inlined(each, named) for each in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return _inlined(named[value["$ref"].rpartition("/")[2]], named)
    return {key: _inlined(each, named) for key, each in value.items()}


@router.post("/v1/images/generations", responses={200: {"model": ImagesResponse}})
async def create_images(body: ImageGenerationRequest, caller: CurrentCaller) -> Response:
    """Pictures from words; with `stream`, as server-sent events."""
    request = generation_request(body, caller.context.runtime.settings)
    return await _answer(caller, request, body, "image_generation")


@router.post("/v1/images/edits", responses={200: {"model": ImagesResponse}}, openapi_extra=_body_of(ImageEditRequest))
async def edit_images(http_request: Request, caller: CurrentCaller) -> Response:
    """A picture that is changed, in the parts that a mask names or as a whole; further pictures are looked at."""
    body, sources, mask = await read_edit(http_request, caller)
    request = edit_request(body, caller.context.runtime.settings, sources, mask)
    return await _answer(caller, request, body, "image_edit")


@router.post(
    "/v1/images/variations", responses={200: {"model": ImagesResponse}}, openapi_extra=_body_of(ImageVariationRequest)
)
async def vary_image(http_request: Request, caller: CurrentCaller) -> Response:
    """Pictures like another."""
    body, sources = await read_variation(http_request, caller)
    request = variation_request(body, caller.context.runtime.settings, sources)
    return await _answer(caller, request, body, "image_edit")


async def _answer(caller: Caller, request: ImageRequest, body: PictureFields, kind: str) -> Response:
    revised = None
    if isinstance(body, DrawingFields) and body.rewrite_prompt:
        rewriting = program_of(caller.context).rewrite_image_prompt(request.prompt)
        revised = await while_connected(caller, rewriting)
        request = replace(request, prompt=revised)
    presentation = ImagePresentation(
        request,
        kind=kind,
        text_tokens=text_tokens(request.prompt) + text_tokens(request.negative_prompt),
        has_urls=body.response_format == "url",
        revised_prompt=revised,
    )
    events = program_of(caller.context).images.draw(request, owner=caller.owner)
    if isinstance(body, DrawingFields) and body.stream:
        return await feed_response(caller, Feed(events, ImageStream(presentation)), dict)
    content = await while_connected(caller, images_body(events, presentation))
    return Response(content, media_type="application/json")
