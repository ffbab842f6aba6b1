"""/v1/internal/encode, decode, token-count and logits: a model's tokens."""

import math
from collections import defaultdict

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from extensions.openai.common.answers import json_answer, token_text
from extensions.openai.common.context import CurrentCaller
from extensions.openai.common.field_types import Anything, TokenFields, TokenIds, TopLogits
from extensions.openai.common.generation import InertFields, SamplingFields, sampling_of
from extensions.openai.common.middleware import JsonRoute
from extensions.openai.common.stream import while_connected
from modules.requests import LogitsRequest

router = APIRouter(prefix="/v1/internal", tags=["Tokens"], route_class=JsonRoute)


class EncodeRequest(TokenFields):
    text: str


class EncodeResponse(BaseModel):
    """The ids begin with the model's begin token where its prompts do."""

    tokens: list[int]
    length: int


class DecodeRequest(TokenFields):
    tokens: TokenIds


class DecodeResponse(BaseModel):
    text: str


class TokenCountResponse(BaseModel):
    length: int


class LogitsRequestBody(TokenFields, SamplingFields, InertFields):
    """What is asked about the token after `prompt`."""

    prompt: str = Field(description="The text before the token that is asked about.")
    use_samplers: bool | None = Field(None, description="After the samplers, instead of the model's raw distribution.")
    top_logits: TopLogits | None = Field(None, description="Number of entries; 50 without it.")
    max_tokens: Anything = Field(None, description="Accepted, without effect.")


@router.post("/encode", responses={200: {"model": EncodeResponse}})
async def encode(body: EncodeRequest, caller: CurrentCaller) -> Response:
    """Text → token ids."""
    tokens = await caller.context.runtime.chat.encode(body.text, model=body.model)
    return json_answer(EncodeResponse(tokens=tokens, length=len(tokens)), {})


@router.post("/decode", responses={200: {"model": DecodeResponse}})
async def decode(body: DecodeRequest, caller: CurrentCaller) -> Response:
    """Token ids → text."""
    return json_answer(DecodeResponse(text=await caller.context.runtime.chat.decode(body.tokens, model=body.model)), {})


@router.post("/token-count", responses={200: {"model": TokenCountResponse}})
async def count_tokens(body: EncodeRequest, caller: CurrentCaller) -> Response:
    """How many ids `encode` gives."""
    tokens = await caller.context.runtime.chat.encode(body.text, model=body.model)
    return json_answer(TokenCountResponse(length=len(tokens)), {})


@router.post("/logits")
async def next_token_probabilities(body: LogitsRequestBody, caller: CurrentCaller) -> dict[str, float]:
    """Token text → probability, the most likely first. Tokens with the same text count together."""
    runtime = caller.context.runtime
    request = LogitsRequest(
        model=body.model,
        prompt=body.prompt,
        top=body.top_logits or 50,
        sampling=sampling_of(body, runtime.settings.sampling) if body.use_samplers else None,
    )
    probabilities: defaultdict[str, float] = defaultdict(float)
    for candidate in await while_connected(caller, runtime.chat.next_token(request)):
        probabilities[_printable(token_text(candidate.data))] += math.exp(candidate.logprob)
    return dict(probabilities)


def _printable(text: str) -> str:
    r"""Control characters as escapes: a newline is `\n`."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
