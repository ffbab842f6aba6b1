"""The bodies that this API answers with. Every key is always there, null where there is nothing to say."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from extensions.openai.responses.items import Item, OutputItem
from modules.engine.types import Usage

ResponseStatus = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


class InputTokensDetails(BaseModel):
    cached_tokens: int
    cache_write_tokens: int = 0


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


class Conversation(BaseModel):
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
    conversation: Conversation
    items: list[Item] = Field(default_factory=list)


def response_usage(usage: Usage) -> ResponseUsage:
    return ResponseUsage(
        input_tokens=usage.prompt_tokens,
        input_tokens_details=InputTokensDetails(cached_tokens=usage.cached_tokens),
        output_tokens=usage.completion_tokens,
        output_tokens_details=OutputTokensDetails(reasoning_tokens=usage.reasoning_tokens),
        total_tokens=usage.total_tokens,
    )
