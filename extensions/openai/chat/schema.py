"""The models of POST /v1/chat/completions: OpenAI's, with the further fields of a local server."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from extensions.openai.field_types import Alternatives, Anything, Choices, Count, RequestModel
from extensions.openai.generation_fields import GenerationFields
from extensions.openai.usage import CompletionUsage


def _text_as_part(value: object) -> object:
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


class ContentPart(RequestModel):
    """One piece of a message. Which types can be used depends on the loaded model."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: Anything = None
    input_audio: Anything = None


class FunctionCall(RequestModel):
    name: str = Field(max_length=1024)
    arguments: str | dict[str, Any] | None = None


class MessageToolCall(RequestModel):
    """A call that the assistant made in an earlier turn."""

    id: str | None = None
    type: str | None = None
    function: FunctionCall


class ChatMessage(RequestModel):
    """One turn of the conversation."""

    role: str
    content: (
        Annotated[list[ContentPart], BeforeValidator(_text_as_part, json_schema_input_type=str | list[ContentPart])]
        | None
    ) = None
    name: str | None = None
    tool_calls: list[MessageToolCall] | None = Field(None, max_length=1024)
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


Messages = Annotated[list[ChatMessage], Field(max_length=65536, fail_fast=True)]


class ResponseFormat(RequestModel):
    type: str


class ChatCompletionRequest(GenerationFields):
    """The body of a chat request."""

    messages: Annotated[Messages, Field(min_length=1)] = Field(description="The conversation so far.")
    max_tokens: Count | None = Field(None, description="Most tokens of the reply; without it, what the context holds.")
    max_completion_tokens: Count | None = Field(None, description="Used where max_tokens is not given.")
    n: Choices | None = Field(None, description="Number of replies; 1 without it.")
    logprobs: bool | None = Field(None, description="Reports the log probability of each token.")
    top_logprobs: Alternatives | None = Field(None, description="Alternatives per token; needs logprobs.")
    continue_: bool | None = Field(None, description="Goes on with the last message, which is the assistant's.")
    enable_thinking: bool | None = Field(None, description="Passed to the chat template.")
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = Field(
        None, description="Passed to the chat template; none also means enable_thinking false."
    )
    preserve_thinking: bool | None = Field(None, description="Passed to the chat template.")
    chat_template_kwargs: dict[str, Any] | None = Field(
        None, max_length=64, description="Further variables of the chat template: texts, numbers and switches."
    )
    tools: list[dict[str, Any]] | None = Field(
        None, max_length=1024, description="Functions the model may call. Not available yet: 400, unless empty."
    )
    tool_choice: str | dict[str, Any] | None = Field(None, description="none lets tools be sent; else as tools.")
    parallel_tool_calls: bool | None = Field(None, description="Belongs to tools.")
    functions: list[dict[str, Any]] | None = Field(None, max_length=1024, description="Superseded by tools: 400.")
    function_call: str | dict[str, Any] | None = Field(None, description="Superseded by tool_choice: 400.")
    response_format: ResponseFormat | None = Field(None, description="Type text only; others are not available yet.")
    mode: str | None = Field(None, description="instruct only; chat and chat-instruct are not available yet.")
    instruction_template: str | None = Field(None, description="Not available yet: 400.")
    instruction_template_str: str | None = Field(None, description="Not available yet: 400.")
    chat_template_str: str | None = Field(None, description="Belongs to the modes chat and chat-instruct.")
    chat_instruct_command: str | None = Field(None, description="Belongs to the mode chat-instruct.")
    character: str | None = Field(None, description="Belongs to the modes chat and chat-instruct.")
    name1: str | None = Field(None, description="The user's name; belongs to the modes chat and chat-instruct.")
    user_name: str | None = Field(None, description="The same as name1.")
    name2: str | None = Field(None, description="The character's name; belongs to the modes chat and chat-instruct.")
    bot_name: str | None = Field(None, description="The same as name2.")
    context: str | None = Field(None, description="Belongs to the modes chat and chat-instruct.")
    greeting: str | None = Field(None, description="Belongs to the modes chat and chat-instruct.")
    user_bio: str | None = Field(None, description="Belongs to the modes chat and chat-instruct.")
    modalities: list[str] | None = Field(None, max_length=16, description="text only.")
    audio: dict[str, Any] | None = Field(None, description="Spoken replies are not available: 400.")
    web_search_options: dict[str, Any] | None = Field(None, description="Not available: 400.")
    verbosity: Anything = Field(None, description="Accepted, without effect.")
    prediction: Anything = Field(None, description="Accepted, without effect on the result.")
    store: Anything = Field(None, description="Accepted; nothing is stored.")
    metadata: Anything = Field(None, description="Accepted, without effect.")
    safety_identifier: Anything = Field(None, description="Accepted, without effect.")
    prompt_cache_key: Anything = Field(None, description="Accepted; prompts are cached anyway.")
    prompt_cache_options: Anything = Field(None, description="Accepted; prompts are cached anyway.")
    prompt_cache_retention: Anything = Field(None, description="Accepted; prompts are cached anyway.")
    service_tier: Anything = Field(None, description="Accepted, without effect.")
    moderation: Anything = Field(None, description="Accepted, without effect.")


class TopLogprob(BaseModel):
    token: str
    logprob: float
    bytes: list[int]


class ChatTokenLogprob(TopLogprob):
    top_logprobs: list[TopLogprob]


class ChoiceLogprobs(BaseModel):
    content: list[ChatTokenLogprob]
    refusal: None


class AssistantMessage(BaseModel):
    """The reply. `reasoning_content` is there only when the model reasoned."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    reasoning_content: str | None = None


class ChatChoice(BaseModel):
    index: int
    message: AssistantMessage
    logprobs: ChoiceLogprobs | None
    finish_reason: Literal["stop", "length", "tool_calls"]


class ChatCompletion(BaseModel):
    """The whole answer."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: CompletionUsage


class ChoiceDelta(BaseModel):
    """What a chunk adds; keys that add nothing are left out."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = None


class ChunkChoice(BaseModel):
    index: int
    delta: ChoiceDelta
    logprobs: ChoiceLogprobs | None
    finish_reason: Literal["stop", "length", "tool_calls"] | None


class ChatCompletionChunk(BaseModel):
    """One event of a streamed answer. `usage` is there only when it was asked for, and null but in the last chunk."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChunkChoice]
    usage: CompletionUsage | None = None
