"""The models of /v1/responses and /v1/conversations, with the sampling fields of a local server.

Answers have every key, null where there is nothing to say.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from extensions.openai.common.field_types import Alternatives, Anything, Bound, Effort, Name, RequestModel, known_words
from extensions.openai.common.generation import GenerationFields, PrefixFields
from extensions.openai.common.items.schema import InputItem, InputItems, Item, OutputItem
from extensions.openai.structured.constraint import ResponseText
from modules.engine.types import Usage


def _as_choice(value: object) -> object:
    """A choice without a type is none."""
    given = {"type": value} if isinstance(value, str) else value
    return None if isinstance(given, dict) and not given.get("type") else given


def _as_conversation(value: object) -> object:
    return {"id": value} if isinstance(value, str) and value else value or None


NewItems = Annotated[list[InputItem], Field(max_length=20, fail_fast=True)]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]


class ResponseTool(RequestModel):
    """A function (`parameters` is its JSON schema), a custom tool, which takes free text, or a namespace of such `tools`.
    Tools of other types are left out."""

    type: str
    name: str | None = Field(None, max_length=256)
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    format: dict[str, Any] | None = None
    tools: "list[ResponseTool] | None" = Field(None, max_length=1024)

    @model_validator(mode="before")
    @classmethod
    def _without_what_others_mean(cls, given: Any) -> Any:  # noqa: ANN401 - any JSON
        is_other = isinstance(given, dict) and given.get("type") not in {"function", "custom", "namespace", None}
        return {"type": given["type"]} if is_other else given


class ResponseToolReference(RequestModel):
    type: str
    name: str | None = None
    namespace: str | None = None


class ResponseToolChoice(ResponseToolReference):
    """A mode (`none`, `auto`, `required`), one tool by its name, or, with type allowed_tools, some of them."""

    mode: Literal["auto", "required"] = "auto"
    tools: list[ResponseToolReference] = Field(default_factory=list, max_length=1024)


Summary = Annotated[Literal["auto", "concise", "detailed"] | None, known_words("auto", "concise", "detailed")]


class ResponseReasoning(RequestModel):
    effort: Effort = None
    summary: Summary = None
    generate_summary: Summary = None


class ConversationId(RequestModel):
    id: str = Field(max_length=256)


ConversationField = Annotated[
    ConversationId | None, BeforeValidator(_as_conversation, json_schema_input_type=str | ConversationId)
]
ToolChoiceField = Annotated[
    ResponseToolChoice | None, BeforeValidator(_as_choice, json_schema_input_type=str | ResponseToolChoice)
]


class PromptFields(RequestModel):
    """What the model is to read."""

    input: InputItems | None = Field(None, description="A text, or items: messages, calls, their outputs, thoughts.")
    instructions: str | None = Field(None, description="A system message before everything else; not carried over.")
    previous_response_id: Name = Field(None, max_length=256, description="Continues from that stored response.")
    conversation: ConversationField = Field(None, description="Continues from that conversation, and adds to it.")
    tools: list[ResponseTool] | None = Field(
        None, max_length=1024, description="Functions, custom tools, namespaces of those."
    )
    tool_choice: ToolChoiceField = Field(
        None, description="none, auto, required, {type, name} of a tool, or {type: allowed_tools, mode, tools}."
    )
    parallel_tool_calls: bool | None = Field(None, description="False lets a reply hold one call at most.")
    reasoning: ResponseReasoning | None = Field(
        None, description="`effort` goes to the chat template; with `summary` the thought is sent as its summary."
    )
    text: ResponseText | None = Field(None, description="`format`: text, json_object, or json_schema with schema.")
    truncation: Literal["auto", "disabled"] | None = Field(
        None, description="auto leaves out the oldest turns of an input that is too long; otherwise it is refused."
    )


class CreateResponseRequest(PromptFields, PrefixFields, GenerationFields):
    """The body of POST /v1/responses."""

    max_output_tokens: Bound = Field(
        None, description="Maximum number of tokens in the reply; otherwise what the context holds."
    )
    max_tool_calls: Bound = Field(None, description="Bounds calls of built-in tools, of which there are none.")
    include: list[str] | None = Field(
        None,
        max_length=64,
        description="message.output_text.logprobs and reasoning.encrypted_content; others have nothing to add.",
    )
    top_logprobs: Alternatives = Field(None, description="Alternatives per token in the logprobs.")
    store: bool | None = Field(None, description="False keeps nothing; else the response can be fetched for a while.")
    background: bool | None = Field(
        None, description="Answers at once; the response continues when the caller disconnects."
    )
    metadata: Metadata | None = Field(None, description="Returned with the response.")
    prompt: Anything = Field(None, description="Stored prompts are not available: 400.")
    user: str | None = Field(None, description="Returned with the response.")
    safety_identifier: str | None = Field(None, description="Returned with the response.")
    prompt_cache_key: str | None = Field(None, description="Returned; prompts are cached anyway.")
    prompt_cache_retention: Anything = Field(None, description="Accepted; prompts are cached anyway.")
    prompt_cache_options: Anything = Field(None, description="Accepted; prompts are cached anyway.")
    service_tier: Anything = Field(None, description="Accepted, without effect.")
    context_management: Anything = Field(None, description="Accepted, without effect.")
    moderation: Anything = Field(None, description="Accepted, without effect.")


class InputTokensRequest(PromptFields):
    """The body of POST /v1/responses/input_tokens: the fields that the prompt is made of."""

    model: str | None = Field(None, description="As in a response.")


class CreateConversationRequest(RequestModel):
    items: NewItems | None = Field(None, description="The first items.")
    metadata: Metadata | None = Field(None, description="Returned with the conversation.")


class UpdateConversationRequest(RequestModel):
    metadata: Metadata = Field(description="In place of what was there.")


class CreateItemsRequest(RequestModel):
    items: NewItems = Field(min_length=1, description="What to add at the end.")


ResponseStatus = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


_MEDIA_COUNTS: Final = frozenset({"image_tokens", "audio_tokens"})


class InputTokensDetails(BaseModel):
    """`image_tokens` and `audio_tokens` stand for pictures and sounds, and are there where the input has some: OpenAI's own
    types do not know them."""

    cached_tokens: int
    cache_write_tokens: int = 0
    image_tokens: int = 0
    audio_tokens: int = 0

    @model_serializer(mode="wrap")
    def _without_no_media(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        shown: dict[str, Any] = serialize(self)
        return {name: value for name, value in shown.items() if value or name not in _MEDIA_COUNTS}


class OutputTokensDetails(BaseModel):
    reasoning_tokens: int


class ResponseUsage(BaseModel):
    """Tokens counted where they were processed. `cached_tokens` of the input had not to be computed again."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class ResponseError(BaseModel):
    code: str
    message: str


class IncompleteDetails(BaseModel):
    reason: Literal["max_output_tokens"]


class ReasoningEcho(BaseModel):
    effort: str | None = None
    summary: str | None = None


class TextEcho(BaseModel):
    format: dict[str, Any]
    verbosity: Literal["low", "medium", "high"] = "medium"


class ConversationReference(BaseModel):
    id: str


class ResponseObject(BaseModel):
    """A response: what was asked for, what came of it so far, and what it cost. Times are unix seconds."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    completed_at: int | None = None
    status: ResponseStatus
    background: bool = False
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    model: str
    output: list[OutputItem] = Field(default_factory=list)
    parallel_tool_calls: bool = True
    previous_response_id: str | None = None
    conversation: ConversationReference | None = None
    prompt_cache_key: str | None = None
    reasoning: ReasoningEcho = Field(default_factory=ReasoningEcho)
    safety_identifier: str | None = None
    service_tier: Literal["default"] = "default"
    temperature: float | None = None
    text: TextEcho
    tool_choice: str | dict[str, Any] = "auto"
    tools: list[dict[str, Any]] = Field(default_factory=list)
    top_logprobs: int = 0
    top_p: float | None = None
    truncation: Literal["auto", "disabled"] = "disabled"
    usage: ResponseUsage | None = None
    user: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)


class DeletedResponse(BaseModel):
    id: str
    object: Literal["response"] = "response"
    deleted: Literal[True] = True


class InputTokenCount(BaseModel):
    object: Literal["response.input_tokens"] = "response.input_tokens"
    input_tokens: int


class ItemList(BaseModel):
    """A page of items; the ids are empty when it is."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    first_id: str
    last_id: str
    has_more: bool


class ConversationObject(BaseModel):
    """Items that responses read and add to. `created_at` is in unix seconds."""

    id: str
    object: Literal["conversation"] = "conversation"
    created_at: int
    metadata: dict[str, str] = Field(default_factory=dict)


class DeletedConversation(BaseModel):
    id: str
    object: Literal["conversation.deleted"] = "conversation.deleted"
    deleted: Literal[True] = True


class StoredResponse(BaseModel):
    """A response with everything that the model read for it: what `previous_response_id` goes on from."""

    response: ResponseObject
    input: list[Item]

    @property
    def items(self) -> list[Item]:
        return [*self.input, *self.response.output]


class StoredConversation(BaseModel):
    conversation: ConversationObject
    items: list[Item] = Field(default_factory=list)


def response_usage(usage: Usage) -> ResponseUsage:
    return ResponseUsage(
        input_tokens=usage.prompt_tokens,
        input_tokens_details=InputTokensDetails(
            cached_tokens=usage.cached_tokens, image_tokens=usage.image_tokens, audio_tokens=usage.audio_tokens
        ),
        output_tokens=usage.completion_tokens,
        output_tokens_details=OutputTokensDetails(reasoning_tokens=usage.reasoning_tokens),
        total_tokens=usage.total_tokens,
    )
