"""POST /v1/embeddings."""

import array
import base64
import sys
from typing import Annotated, Final, Literal

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, Field
from starlette.responses import Response

from extensions.openai.common.context import CurrentCaller
from extensions.openai.common.field_types import MAX_COUNT, Anything, RequestModel, Seconds, TokenId
from extensions.openai.common.messages import MessageParts, content_parts
from extensions.openai.common.middleware import JsonRoute
from extensions.openai.common.program import program_of
from extensions.openai.common.stream import while_connected
from modules.errors import BadRequest
from modules.media.embeddings import EmbeddingRequest, TextOrIds
from modules.media.texts import Truncation
from modules.messages import AudioPart, FilePart, ImagePart, TextPart

router = APIRouter(tags=["Embeddings"], route_class=JsonRoute)

# OpenAI's limit.
_MAX_INPUTS: Final = 2048
TRUNCATED_HEADER: Final = "X-Truncated-Inputs"


def _as_list(value: object) -> object:
    """One text is a list of one, and so are one list of token ids and one object with parts."""
    if isinstance(value, str | dict):
        return [value]
    if isinstance(value, list) and value and all(type(item) is int for item in value):
        return [value]
    return value


def _as_encoding(value: object) -> object:
    return None if value == "" else value


def _as_truncation(value: object) -> object:
    return (value.upper() or None) if isinstance(value, str) else value


class EmbeddingInput(RequestModel):
    """One input made of parts like those of a message. The texts of all stand in lines of their own."""

    content: Annotated[MessageParts, Field(min_length=1, max_length=4096)]


InputTokens = Annotated[list[TokenId], Field(max_length=2**20, fail_fast=True)]
Inputs = Annotated[
    list[Annotated[str, Field(max_length=2**24)] | InputTokens | EmbeddingInput],
    Field(min_length=1, max_length=_MAX_INPUTS, fail_fast=True),
    BeforeValidator(
        _as_list, json_schema_input_type=str | list[str] | list[int] | list[list[int]] | list[EmbeddingInput]
    ),
]


class EmbeddingsRequest(RequestModel):
    """The body of a request for vectors."""

    input: Inputs = Field(
        description="A text, a list of texts, token ids (of cl100k_base, or as --embedding-token-ids says), a list of such lists, or "
        "objects with text parts as content."
    )
    model: str | None = Field(None, description="An embedding model; any other name means the default one.")
    encoding_format: Annotated[Literal["float", "base64"] | None, BeforeValidator(_as_encoding)] = Field(
        None, description="Numbers, or the bytes of little-endian 32-bit floats in base64; numbers without it."
    )
    dimensions: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = Field(
        None, description="Keeps so many of the first numbers, at length 1 again."
    )
    truncate: Annotated[bool | Literal["NONE", "START", "END"] | None, BeforeValidator(_as_truncation)] = Field(
        None, description="What is left out of a text that is too long, its end without it; NONE or false refuses it."
    )
    normalize: bool | None = Field(None, description="False leaves vectors at the length that the model gives them.")
    prompt: Annotated[str, Field(max_length=2**16)] | None = Field(None, description="Goes before each text.")
    input_type: str | None = Field(
        None, description="Query or document: the model's own prompt for it goes before each text."
    )
    prompt_name: str | None = Field(None, description="The same.")
    keep_alive: Seconds | None = Field(None, description="As in a chat.")
    ttl: Seconds | None = Field(None, description="The same as keep_alive.")
    user: Anything = Field(None, description="Accepted, without effect.")

    @property
    def truncation(self) -> Truncation:
        if self.truncate is False:
            return Truncation.NONE
        return Truncation[self.truncate] if isinstance(self.truncate, str) else Truncation.END


class EmbeddingObject(BaseModel):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingsUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(BaseModel):
    """`data` is in the order of the inputs."""

    object: Literal["list"] = "list"
    data: list[EmbeddingObject]
    model: str
    usage: EmbeddingsUsage


@router.post("/v1/embeddings", responses={200: {"model": EmbeddingsResponse}})
async def create_embeddings(body: EmbeddingsRequest, caller: CurrentCaller) -> Response:
    """Vectors of length 1, one for each input."""
    request = EmbeddingRequest(
        model=body.model,
        inputs=tuple(_text(item, f"input[{number}]") for number, item in enumerate(body.input)),
        dimensions=body.dimensions,
        keep_alive=body.ttl if body.keep_alive is None else body.keep_alive,
        truncation=body.truncation,
        is_raw=body.normalize is False,
        prompt=body.prompt or "",
        prompt_name=body.prompt_name or body.input_type or "",
    )
    found = await while_connected(caller, program_of(caller.context).embeddings.embed(request))
    written = _in_base64 if body.encoding_format == "base64" else _numbers
    data = [
        {"object": "embedding", "index": index, "embedding": written(vector)}
        for index, vector in enumerate(found.vectors)
    ]
    usage = {"prompt_tokens": found.prompt_tokens, "total_tokens": found.prompt_tokens}
    # Not through the response's model: a thousand vectors are a million numbers to check.
    answer = orjson.dumps({"object": "list", "data": data, "model": found.model, "usage": usage})
    headers = {TRUNCATED_HEADER: str(found.cut_inputs)} if found.cut_inputs else {}
    return Response(answer, headers=headers, media_type="application/json")


def _text(item: str | list[int] | EmbeddingInput, path: str) -> TextOrIds:
    """Raises BadRequest."""
    if isinstance(item, str):
        return item
    if isinstance(item, EmbeddingInput):
        return _joined(item, path)
    if not item:
        raise BadRequest("A list of token ids is empty.", param="input")
    return tuple(item)


def _joined(item: EmbeddingInput, path: str) -> str:
    """Raises BadRequest for parts that are no text."""
    texts = []
    for part in content_parts(item.content, path):
        match part:
            case TextPart(text=text):
                texts.append(text)
            case ImagePart(param=param):
                raise _unreadable("a picture", "image", param)
            case AudioPart(param=param):
                raise _unreadable("a sound", "audio", param)
            case FilePart(param=param):
                raise _unreadable("a file", "file", param)
    return "\n".join(texts)


def _unreadable(thing: str, kind: str, param: str) -> BadRequest:
    return BadRequest(
        f"{param} is {thing}, which embedding models here cannot read. Send text parts only.",
        param=param,
        code=f"{kind}_not_supported",
    )


def _in_base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode()


def _numbers(vector: bytes) -> list[float]:
    numbers = array.array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
