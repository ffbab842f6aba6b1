"""The models of POST /v1/messages: Anthropic's, with the further fields of a local server."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from extensions.openai.common.field_types import Anything, Bound, CallId, Count, Effort, RequestModel, Stops
from extensions.openai.common.generation import GenerationFields, PrefixFields
from extensions.openai.structured.schemas import plain_schema


def _text_as_block(value: object) -> object:
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


def _refuse_zero(value: int | None) -> int | None:
    if value == 0:
        raise ValueError("it must be at least 1")
    return value


class BlockSource(RequestModel):
    """Where the bytes or the text of an image or a document come from."""

    type: str
    data: str | None = None
    media_type: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: "Blocks | None" = None


class ContentBlock(RequestModel):
    """One piece of a turn; which fields belong to it depends on its type."""

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    id: CallId | None = None
    name: Annotated[str, Field(max_length=1024)] | None = None
    input: dict[str, Any] | None = None
    tool_use_id: CallId | None = None
    is_error: bool | None = None
    tool_name: str | None = None
    source: BlockSource | str | None = None
    title: str | None = None
    context: str | None = None
    content: Annotated["Blocks | Anything", Field(union_mode="left_to_right")] = None
    cache_control: Anything = None


Blocks = Annotated[
    list[ContentBlock],
    Field(max_length=65536, fail_fast=True),
    BeforeValidator(_text_as_block, json_schema_input_type=str | list[ContentBlock]),
]


class MessageTurn(RequestModel):
    """One turn of the conversation; a text stands for one block of text."""

    role: Literal["user", "assistant", "system"]
    content: Blocks


def _input_schema(value: object) -> object:
    if not isinstance(value, dict | None):
        raise ValueError("it must be a JSON schema: an object")
    return plain_schema(value)


InputSchema = Annotated[Any, AfterValidator(_input_schema), WithJsonSchema({"type": "object"})]


class MessagesTool(RequestModel):
    """A function the model may call. Types that only Anthropic's own servers run have no `input_schema`."""

    type: str | None = None
    name: Annotated[str, Field(min_length=1, max_length=256)]
    description: str | None = None
    input_schema: InputSchema = None
    strict: bool | None = None


class MessagesToolChoice(RequestModel):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingConfig(RequestModel):
    """`display` omitted sends each thought's signature without its text."""

    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: Count | None = None
    display: Literal["summarized", "omitted"] | None = None


class OutputFormat(RequestModel):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class OutputConfig(RequestModel):
    format: OutputFormat | None = None
    effort: Effort = None


class ConversationFields(RequestModel):
    """What a prompt is made of."""

    messages: Annotated[list[MessageTurn], Field(min_length=1, max_length=65536, fail_fast=True)] = Field(
        description="The conversation so far; a last turn of the assistant is continued."
    )
    system: Blocks | None = Field(None, description="Instructions: a text, or blocks of text.")
    tools: list[MessagesTool] | None = Field(None, max_length=1024, description="Functions the model may call.")
    tool_choice: MessagesToolChoice | None = Field(None, description="Whether and which tools are called.")
    thinking: ThinkingConfig | None = Field(None, description="Switches thinking, and bounds it.")
    output_config: OutputConfig | None = Field(None, description="The reply's format, and the effort spent on it.")
    output_format: OutputFormat | None = Field(None, description="An older place of output_config.format.")
    metadata: Anything = Field(None, description="Accepted, without effect.")
    cache_control: Anything = Field(None, description="Accepted; prompts are cached anyway.")
    context_management: Anything = Field(None, description="Accepted, without effect.")
    service_tier: Anything = Field(None, description="Accepted, without effect.")
    container: Anything = Field(None, description="Accepted, without effect.")
    mcp_servers: Anything = Field(None, description="Accepted, without effect: tools are called by the client.")
    inference_geo: Anything = Field(None, description="Accepted, without effect.")
    speed: Anything = Field(None, description="Accepted, without effect.")


class CountTokensRequest(ConversationFields):
    model: str | None = Field(None, description="Any name; an unknown one is answered by the loaded model.")


class MessagesRequest(ConversationFields, PrefixFields, GenerationFields):
    """The body of a request for a message."""

    max_tokens: Annotated[Bound, AfterValidator(_refuse_zero)] = Field(
        description="Maximum number of tokens in the reply, thinking included; with -1, what the context holds."
    )
    stop_sequences: Stops | None = Field(None, description="Stop sequences: they end the reply and are not part of it.")


class TextBlock(BaseModel):
    """Without `citations`, as Anthropic's own where there are none: clients that check it take a list, but no null."""

    type: Literal["text"]
    text: str


class ThinkingBlock(BaseModel):
    """The signature is to be sent back with the thought, as everywhere."""

    type: Literal["thinking"]
    thinking: str
    signature: str


class DirectCaller(BaseModel):
    type: Literal["direct"]


class ToolUseBlock(BaseModel):
    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]
    caller: DirectCaller


ReplyBlock = TextBlock | ThinkingBlock | ToolUseBlock
StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use"]


class MessageOutputTokensDetails(BaseModel):
    thinking_tokens: int


class MessageUsage(BaseModel):
    """`input_tokens` of the prompt were computed, `cache_read_input_tokens` were found in the cache. Storing them costs
    nothing and is not counted: `cache_creation_input_tokens` is 0. What is None has no meaning here."""

    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    cache_creation: None
    output_tokens: int
    output_tokens_details: MessageOutputTokensDetails
    server_tool_use: None
    service_tier: Literal["standard"]
    speed: None
    inference_geo: None


class MessageReply(BaseModel):
    """The whole answer; of one that begins to stream, `stop_reason` is null. What is None has no meaning here."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[ReplyBlock]
    stop_reason: StopReason | None
    stop_sequence: str | None
    stop_details: None
    container: None
    diagnostics: None
    usage: MessageUsage


class TokenCount(BaseModel):
    input_tokens: int


# Some clients refuse a thought whose signature is empty. This is base64 of `unsigned`.
SIGNATURE: Final = "dW5zaWduZWQ="
_CARRIER: Final = "thought-"


def carrying_signature(thought: str) -> str:
    return _CARRIER + urlsafe_b64encode(thought.encode()).decode()


def carried_thought(signature: str) -> str:
    """Empty for a signature that carries none, such as another server's."""
    if not signature.startswith(_CARRIER):
        return ""
    try:
        return urlsafe_b64decode(signature.removeprefix(_CARRIER)).decode()
    except ValueError:
        return ""
