"""The request bodies of /v1/responses and /v1/conversations: OpenAI's, with the sampling fields of a local server."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from extensions.openai.common.field_types import Alternatives, Anything, Bound, CallId, Effort, Name, RequestModel
from extensions.openai.common.generation_fields import GenerationFields
from extensions.openai.structured.constraint import none_without_type

KNOWN_TYPES: Final = frozenset(
    {
        "message",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "reasoning",
        "item_reference",
    }
)


def _as_text_part(value: object) -> object:
    return [{"type": "input_text", "text": value}] if isinstance(value, str) else value


def _as_message(value: object) -> object:
    return [{"type": "message", "role": "user", "content": value}] if isinstance(value, str) else value


def _as_choice(value: object) -> object:
    """A choice without a type is none."""
    given = {"type": value} if isinstance(value, str) else value
    return None if isinstance(given, dict) and not given.get("type") else given


def _as_conversation(value: object) -> object:
    return {"id": value} if isinstance(value, str) and value else value or None


class InputPart(RequestModel):
    """One piece of a message, a tool's output or a thought. Which types can be used depends on the model."""

    type: str
    text: str | None = None
    refusal: str | None = None


InputParts = Annotated[
    list[InputPart],
    Field(max_length=65536, fail_fast=True),
    BeforeValidator(_as_text_part, json_schema_input_type=str | list[InputPart]),
]


class InputItem(RequestModel):
    """One item of the input, of any type; without a type it is a message. `content` and `output` may be plain texts.
    What items of other types hold is in `foreign`, as it was sent."""

    type: str = "message"
    id: str | None = Field(None, max_length=256)
    role: str | None = None
    content: InputParts | None = None
    call_id: CallId | None = None
    name: str | None = Field(None, max_length=1024)
    arguments: str | None = None
    input: str | None = None
    output: InputParts | None = None
    summary: list[InputPart] | None = Field(None, max_length=65536)
    encrypted_content: str | None = None
    namespace: str | None = Field(None, max_length=1024)
    foreign: SkipJsonSchema[dict[str, Any] | None] = None

    @model_validator(mode="before")
    @classmethod
    def _by_type(cls, given: Any) -> Any:  # noqa: ANN401 - any JSON
        if not isinstance(given, dict):
            return given
        kind = given.get("type") or ("message" if "role" in given or "id" not in given else "item_reference")
        if kind in KNOWN_TYPES or not isinstance(kind, str):
            return {**given, "type": kind, "foreign": None}
        return {"type": kind, "id": given.get("id"), "foreign": given}


InputItems = Annotated[
    list[InputItem],
    Field(max_length=65536, fail_fast=True),
    BeforeValidator(_as_message, json_schema_input_type=str | list[InputItem]),
]
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


class ChosenTool(RequestModel):
    type: str
    name: str | None = None
    namespace: str | None = None


class ResponseToolChoice(ChosenTool):
    """A mode (`none`, `auto`, `required`), one tool by its name, or, with type allowed_tools, some of them."""

    mode: Literal["auto", "required"] = "auto"
    tools: list[ChosenTool] = Field(default_factory=list, max_length=1024)


def _known(*words: str) -> BeforeValidator:
    """Any other word is none."""
    return BeforeValidator(lambda value: value if value in words else None)


Verbosity = Annotated[Literal["low", "medium", "high"] | None, _known("low", "medium", "high")]
Summary = Annotated[Literal["auto", "concise", "detailed"] | None, _known("auto", "concise", "detailed")]


class TextFormat(RequestModel):
    """What the reply has to be: `type` is text, json_object or json_schema."""

    type: str
    name: str | None = None
    description: str | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None


class ResponseText(RequestModel):
    format: Annotated[TextFormat | None, BeforeValidator(none_without_type, json_schema_input_type=TextFormat)] = None
    verbosity: Verbosity = Field(None, description="Accepted, without effect.")


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
    previous_response_id: Name = Field(None, max_length=256, description="Goes on from that stored response.")
    conversation: ConversationField = Field(None, description="Goes on from that conversation, and adds to it.")
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


class CreateResponseRequest(PromptFields, GenerationFields):
    """The body of POST /v1/responses."""

    max_output_tokens: Bound = Field(None, description="Most tokens of the reply; else what the context holds.")
    max_tool_calls: Bound = Field(None, description="Bounds calls of built-in tools, of which there are none.")
    include: list[str] | None = Field(
        None,
        max_length=64,
        description="message.output_text.logprobs and reasoning.encrypted_content; others have nothing to add.",
    )
    top_logprobs: Alternatives = Field(None, description="Alternatives per token in the logprobs.")
    store: bool | None = Field(None, description="False keeps nothing; else the response can be fetched for a while.")
    background: bool | None = Field(None, description="Answers at once, and goes on when the caller has hung up.")
    metadata: Metadata | None = Field(None, description="Comes back with the response.")
    prompt: Anything = Field(None, description="Stored prompts are not available: 400.")
    user: str | None = Field(None, description="Comes back with the response.")
    safety_identifier: str | None = Field(None, description="Comes back with the response.")
    prompt_cache_key: str | None = Field(None, description="Comes back; prompts are cached anyway.")
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
    metadata: Metadata | None = Field(None, description="Comes back with the conversation.")


class UpdateConversationRequest(RequestModel):
    metadata: Metadata = Field(description="In place of what was there.")


class CreateItemsRequest(RequestModel):
    items: NewItems = Field(min_length=1, description="What to add at the end.")
