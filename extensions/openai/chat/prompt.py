"""The prompt of a chat as text and as tokens: /v1/internal/chat-prompt, /tokenize and the like."""

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from extensions.openai.chat.inbound import chat_request
from extensions.openai.chat.knowledge import with_knowledge
from extensions.openai.chat.schema import ChatCompletionRequest
from extensions.openai.common.answers import json_answer
from extensions.openai.common.context import AnsweringRuntime, CurrentCaller
from extensions.openai.common.field_types import Anything, TokenFields, TokenIds
from extensions.openai.common.middleware import JsonRoute
from modules.errors import BadRequest

router = APIRouter(tags=["Tokens"], route_class=JsonRoute)


class TokenizeRequest(TokenFields):
    """A text, or with `messages` everything that a chat request may have."""

    prompt: str | None = Field(None, description="The text.")
    content: str | None = Field(None, description="The same as prompt.")
    messages: Anything = Field(None, description="A chat whose prompt is wanted, in place of a text.")
    add_special_tokens: bool | None = Field(None, description="Begin with BOS where the model's prompts do; yes.")
    add_special: bool | None = Field(None, description="The same as add_special_tokens.")


class TokenizeResponse(BaseModel):
    """`max_model_len` is the most tokens that one request may use."""

    tokens: list[int]
    count: int
    max_model_len: int


class DetokenizeRequest(TokenFields):
    tokens: TokenIds


class DetokenizeResponse(BaseModel):
    """The text, under both of the names that clients look for."""

    prompt: str
    content: str


class TokenizerInfo(BaseModel):
    tokenizer_class: str
    bos_token: str | None
    eos_token: str | None
    pad_token: str | None
    chat_template: str | None
    model_max_length: int
    add_bos_token: bool


@router.post("/tokenize", responses={200: {"model": TokenizeResponse}})
async def tokenize(body: TokenizeRequest, caller: CurrentCaller) -> Response:
    """Text or chat → token ids."""
    runtime = caller.context.runtime
    if body.messages is None:
        tokens = await _tokens_of_text(body, runtime)
    else:
        chat = _chat(await caller.request.json())
        asked, _ = await with_knowledge(runtime, chat_request(chat, runtime.settings), chat.knowledge)
        tokens = await runtime.chat.encode_chat(asked, owner=caller.owner)
    card = await runtime.chat.card(body.model)
    return json_answer(TokenizeResponse(tokens=tokens, count=len(tokens), max_model_len=card.context), {})


@router.post("/detokenize", responses={200: {"model": DetokenizeResponse}})
async def detokenize(body: DetokenizeRequest, caller: CurrentCaller) -> Response:
    """Token ids → text."""
    text = await caller.context.runtime.chat.decode(body.tokens, model=body.model)
    return json_answer(DetokenizeResponse(prompt=text, content=text), {})


@router.get("/tokenizer_info", responses={200: {"model": TokenizerInfo}})
async def tokenizer_info(caller: CurrentCaller, model: str | None = None) -> Response:
    """A model's special tokens and chat template."""
    card = await caller.context.runtime.chat.card(model)
    info = TokenizerInfo(
        tokenizer_class=card.architecture,
        bos_token=card.bos_token or None,
        eos_token=card.eos_token or None,
        pad_token=None,
        chat_template=card.chat_template,
        model_max_length=card.context,
        add_bos_token=card.adds_bos,
    )
    return json_answer(info, {})


async def _tokens_of_text(body: TokenizeRequest, runtime: AnsweringRuntime) -> list[int]:
    text = body.prompt if body.prompt is not None else body.content
    if text is None:
        raise BadRequest("prompt is missing. Send a text as prompt, or a chat as messages.", param="prompt")
    add_bos = False not in (body.add_special_tokens, body.add_special)
    return await runtime.chat.encode(text, add_bos=add_bos, model=body.model)


def _chat(body: object) -> ChatCompletionRequest:
    try:
        return ChatCompletionRequest.model_validate(body)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error


class ChatPromptResponse(BaseModel):
    """`repairs` name what was done with the conversation for the chat template to take it; left out when nothing was."""

    prompt: str
    repairs: list[str] = []


@router.post("/v1/internal/chat-prompt", response_model_exclude_defaults=True)
async def chat_prompt(body: ChatCompletionRequest, caller: CurrentCaller) -> ChatPromptResponse:
    """The prompt that a chat request would be answered from, as text."""
    runtime = caller.context.runtime
    asked, _ = await with_knowledge(runtime, chat_request(body, runtime.settings), body.knowledge)
    written = await runtime.chat.written(asked, owner=caller.owner)
    return ChatPromptResponse(prompt=written.text, repairs=list(written.repairs))
