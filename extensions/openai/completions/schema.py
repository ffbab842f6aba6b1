"""The models of POST /v1/completions: OpenAI's, with the further fields of a local server."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from extensions.openai.common.answers import CompletionUsage
from extensions.openai.common.field_types import (
    Alternatives,
    BestOf,
    Bound,
    Choices,
    RequestModel,
    TokenId,
    TokenIds,
)
from extensions.openai.common.generation import GenerationFields
from extensions.openai.common.messages import Messages

# text-generation-webui's default. OpenAI's is 16, at which scripts for local models break off mid-sentence.
DEFAULT_MAX_TOKENS = 512


def _one_prompt_as_list(value: object) -> object:
    """A text or a list of token ids is one prompt; a list of those is several."""
    is_ids = isinstance(value, list) and bool(value) and not isinstance(value[0], str | list | dict)
    return [value] if isinstance(value, str | dict) or is_ids else value


def _in_plain_words(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    try:
        return validate(value)
    except ValidationError:
        raise PydanticCustomError("prompt_type", "it must be a text or a list of token ids, 0 and above") from None


class MultimodalPrompt(RequestModel):
    """As llama.cpp's server takes it: a text with a marker `<__media__>` for each of the pictures and sounds, which are
    base64."""

    prompt_string: str
    multimodal_data: list[str] = Field(default_factory=list, max_length=256)


Prompt = Annotated[str | TokenIds | MultimodalPrompt, WrapValidator(_in_plain_words)]
Prompts = Annotated[
    list[Prompt],
    Field(min_length=1, max_length=2048, fail_fast=True),
    BeforeValidator(_one_prompt_as_list, json_schema_input_type=str | list[str] | list[TokenId] | list[list[TokenId]]),
]


class TextCompletionRequest(GenerationFields):
    """The body of a text completion request."""

    prompt: Prompts | None = Field(None, description="One or several texts or lists of token ids.")
    messages: Messages | None = Field(
        None,
        description="In place of prompt: their texts, one after the other, without a template. A picture stands where a text has <__media__>.",
    )
    max_tokens: Bound = Field(
        None,
        description=f"Maximum number of tokens in the reply; {DEFAULT_MAX_TOKENS} without it. 0 scores only, with echo and logprobs.",
    )
    n: Choices | None = Field(None, description="Number of replies per prompt; 1 without it.")
    best_of: BestOf = Field(
        None, description="Makes this many replies and returns the n most likely per token; not with stream."
    )
    echo: bool | None = Field(None, description="Puts the prompt before the reply, with logprobs those of its tokens.")
    logprobs: Alternatives = Field(None, description="Alternatives per token; 0 is the token itself only.")
    suffix: str | None = Field(None, description="Text after the reply, for models that can fill in the middle.")
    add_bos_token: bool | None = Field(None, description="Begins a text prompt with the model's own begin token.")


class CompletionLogprobs(BaseModel):
    """One entry per token in each list. The first echoed token has no log probability: nothing comes before it.

    `text_offset` counts characters from the beginning of the choice's text.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class TextChoice(BaseModel):
    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: Literal["stop", "length"]


class TextCompletion(BaseModel):
    """The whole answer."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[TextChoice]
    usage: CompletionUsage


class TextChunkChoice(BaseModel):
    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: Literal["stop", "length"] | None


class TextCompletionChunk(BaseModel):
    """One event of a streamed answer."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[TextChunkChoice]
    usage: CompletionUsage | None = None
