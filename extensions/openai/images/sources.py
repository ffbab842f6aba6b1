"""The pictures of edits and variations, in JSON bodies and in forms."""

from collections.abc import Sequence
from typing import Final, TypeVar

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request

from extensions.openai.common.context import Caller
from extensions.openai.common.forms import FormBody, read_form
from extensions.openai.common.program import program_of
from extensions.openai.common.stream import while_connected
from extensions.openai.images.inbound import references_of
from extensions.openai.images.schema import ImageEditRequest, ImageVariationRequest, PictureFields
from modules.errors import BadRequest
from modules.media.images.requests import MAX_SOURCES
from modules.media.pictures.data_urls import bytes_in, is_remote

_Body = TypeVar("_Body", bound=PictureFields)
_JSON: Final = "application/json"
_FILES: Final = frozenset({"image", "images", "mask"})


async def read_edit(request: Request, caller: Caller) -> tuple[ImageEditRequest, list[bytes], bytes | None]:
    """The body, its pictures and its mask. Raises BadRequest, RequestValidationError."""
    if _is_json(request):
        body = _validated(ImageEditRequest, await _json(request))
        sources = await _fetched(caller, references_of(body.image, body.images), "image")
        masks = await _fetched(caller, references_of(body.mask), "mask")
        return body, sources, masks[0] if masks else None
    async with read_form(request, max_files=MAX_SOURCES + 1) as form:
        body = _validated(ImageEditRequest, _fields(form))
        masks = await _files(form, "mask")
        if len(masks) > 1:
            raise BadRequest("Several masks were sent. Send one, for the first image.", param="mask")
        return body, [*await _files(form, "image"), *await _files(form, "images")], masks[0] if masks else None


async def read_variation(request: Request, caller: Caller) -> tuple[ImageVariationRequest, list[bytes]]:
    """Likewise."""
    if _is_json(request):
        body = _validated(ImageVariationRequest, await _json(request))
        return body, await _fetched(caller, references_of(body.image), "image")
    async with read_form(request, max_files=MAX_SOURCES) as form:
        return _validated(ImageVariationRequest, _fields(form)), await _files(form, "image")


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _JSON


async def _json(request: Request) -> object:
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"The body is not valid JSON: {error.msg} at character {error.pos}.") from None


def _validated(model: type[_Body], given: object) -> _Body:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_input=False, include_url=False)) from None


def _fields(form: FormBody) -> dict[str, object]:
    """What is text. Raises BadRequest where a file stands for text, and text for a file."""
    for name in form.files:
        if name not in _FILES:
            raise BadRequest(f"'{name}' is a file, where text belongs.", param=name, code="invalid_value")
    for name in _FILES & form.texts.keys():
        if any(form.texts[name]):
            raise BadRequest(f"'{name}' is text. Send it as a file: a part with a filename.", param=name)
    fields = form.text_fields(lists=())
    return {name: value for name, value in fields.items() if name not in _FILES}


async def _files(form: FormBody, name: str) -> list[bytes]:
    return [await file.read() for file in form.files.get(name, ())]


async def _fetched(caller: Caller, references: Sequence[str], param: str) -> list[bytes]:
    found = []
    for reference in references:
        if is_remote(reference):
            remote = program_of(caller.context).remote_bytes
            found.append(await while_connected(caller, remote.get(reference, param=param)))
        else:
            found.append(bytes_in(reference, param=param))
    return found
