"""The models of POST /v1/chat/completions: OpenAI's, with the further fields of a local server."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from extensions.openai.common.answers import CompletionUsage
from extensions.openai.common.field_types import (
    Alternatives,
    Anything,
    Bound,
    Budget,
    Choices,
    Effort,
    Name,
    RequestModel,
    Switch,
)
from extensions.openai.common.generation import GenerationFields, PrefixFields
from extensions.openai.common.items.schema import InputItems
from extensions.openai.common.messages import MessageParts, Messages
from extensions.openai.structured.constraint import ResponseText

ToolName = Annotated[str, Field(min_length=1, max_length=256)]
ChosenName = Annotated[str, Field(max_length=256)]


def _mode_as_choice(value: object) -> object:
    """An empty choice, in any of its forms, is none."""
    if isinstance(value, dict):
        return value if value.get("type") or _names_a_tool(value) else None
    return {"type": value} if isinstance(value, str) and value else value or None


def _names_a_tool(value: dict[str, Any]) -> bool:
    named = value.get("function")
    return bool(value.get("name") or (isinstance(named, dict) and named.get("name")))


def _function_choice(value: object) -> object:
    return None if value in ("", {}) or (isinstance(value, dict) and value.get("name") in ("", None)) else value


class FunctionTool(RequestModel):
    """A function. `parameters` is the JSON schema of an object; without it the function takes nothing."""

    name: ToolName
    description: str | None = None
    parameters: Anything = None
    strict: bool | None = None


class CustomTool(RequestModel):
    """A tool that takes free text."""

    name: ToolName
    description: str | None = None
    format: dict[str, Any] | None = None


class Tool(RequestModel):
    """`type` says which of the other two it has. Its fields may also stand in the tool itself, where the Responses API
    has them."""

    type: str = "function"
    function: FunctionTool | None = None
    custom: CustomTool | None = None

    @model_validator(mode="before")
    @classmethod
    def _nested(cls, given: Any) -> Any:  # noqa: ANN401 - any JSON
        if not isinstance(given, dict):
            return given
        kind = given.get("type") or ("custom" if "custom" in given and "function" not in given else "function")
        if kind in ("function", "custom") and given.get(kind) is None and given.get("name") is not None:
            return {"type": kind, kind: {name: value for name, value in given.items() if name != "type"}}
        return {**given, "type": kind}


class NamedTool(RequestModel):
    name: ToolName


class ChosenTool(RequestModel):
    name: ChosenName | None = None


class AllowedTool(RequestModel):
    """A tool by its name; `name` is where the Responses API has it."""

    type: str = "function"
    name: ChosenName | None = None
    function: ChosenTool | None = None
    custom: ChosenTool | None = None


class AllowedTools(RequestModel):
    mode: Literal["auto", "required"] = "auto"
    tools: list[AllowedTool] = Field(min_length=1, max_length=1024)


class ToolChoiceObject(AllowedTool):
    """A mode (`none`, `auto`, `required`), one tool by its name, or several of which the model may call."""

    allowed_tools: AllowedTools | None = None


Tools = Annotated[list[Tool], Field(max_length=1024, fail_fast=True)]
Functions = Annotated[list[FunctionTool], Field(max_length=1024, fail_fast=True)]
ToolChoiceField = Annotated[
    ToolChoiceObject | None, BeforeValidator(_mode_as_choice, json_schema_input_type=str | ToolChoiceObject)
]
FunctionChoice = Annotated[Literal["none", "auto"] | NamedTool | None, BeforeValidator(_function_choice)]


FinishWord = Literal["stop", "length", "tool_calls", "function_call"]


class ReasoningOptions(RequestModel):
    """The same as reasoning_effort and reasoning_budget, which win over it."""

    effort: Effort = None
    max_tokens: Budget | None = None
    enabled: bool | None = None


class TemplateFields(RequestModel):
    """How a conversation is written down for the model, and by whom it is spoken."""

    mode: Literal["instruct", "chat", "chat-instruct"] | None = Field(
        None, description="By the model's template (instruct), as a dialogue, or as an instruction to go on with one."
    )
    character: str | None = Field(None, description="Name of a character; for the modes chat and chat-instruct.")
    name1: str | None = Field(None, description="The user's name, in place of the character's file's.")
    user_name: str | None = Field(None, description="The same as name1.")
    name2: str | None = Field(None, description="The character's name, in place of its file's.")
    bot_name: str | None = Field(None, description="The same as name2.")
    context: str | None = Field(None, description="The character's context, in place of its file's.")
    greeting: str | None = Field(None, description="The character's greeting, in place of its file's.")
    greeting_index: int | None = Field(
        None, ge=0, description="Which of the character's greetings: 0 its first message, 1 the first alternate one."
    )
    lorebooks: list[str] | None = Field(
        None, description="Names of lorebooks besides the character's own, in place of those in the settings."
    )
    use_lorebooks: bool | None = Field(None, description="False leaves all lorebooks out, the character's own too.")
    user_bio: str | None = Field(None, description="Description of the user; for the modes chat and chat-instruct.")
    chat_instruct_command: str | None = Field(None, description="The instruction of the mode chat-instruct.")
    chat_template_str: str | None = Field(None, description="Jinja template of the dialogue.")
    instruction_template: str | None = Field(None, description="Name of a template, in place of the model's own.")
    instruction_template_str: str | None = Field(None, description="Jinja source of a template; wins over a name.")
    continue_: bool | None = Field(None, description="Continues the assistant's last message, and repeats it.")
    continue_final_message: bool | None = Field(None, description="Continues it without repeating it.")
    add_generation_prompt: bool | None = Field(
        None, description="False ends the prompt where the conversation ends; true without it."
    )
    chat_template_kwargs: dict[str, Any] | None = Field(
        None, max_length=64, description="Further variables of the chat template: texts, numbers and switches."
    )
    truncation: Literal["auto", "disabled"] | None = Field(
        None, description="auto leaves out the oldest turns of a conversation that does not fit; else it is refused."
    )


class ReasoningFields(RequestModel):
    """Whether, how hard and how long the model thinks before it answers."""

    enable_thinking: bool | None = Field(None, description="Passed to the chat template.")
    reasoning_effort: Effort = Field(
        None,
        description="Passed to the chat template; none also means enable_thinking false. Other words count as the "
        "nearest of these, or as none given.",
    )
    preserve_thinking: bool | None = Field(None, description="Passed to the chat template.")
    reasoning: ReasoningOptions | None = Field(None, description="effort, max_tokens and enabled in one object.")
    reasoning_budget: Budget | None = Field(
        None, description="Maximum number of reasoning tokens; -1 is unlimited, 0 disables reasoning."
    )
    thinking_budget: Budget | None = Field(None, description="The same as reasoning_budget.")
    thinking_token_budget: Budget | None = Field(None, description="The same as reasoning_budget.")


class ToolFields(RequestModel):
    """What the model may call."""

    tools: Tools | None = Field(None, description="Functions and custom tools that the model may call.")
    tool_choice: ToolChoiceField = Field(
        None, description="none, auto, required, a tool by name, or allowed_tools; auto without it."
    )
    parallel_tool_calls: bool | None = Field(None, description="False allows one call per reply; true without it.")
    functions: Functions | None = Field(None, description="The older form of tools.")
    function_call: FunctionChoice = Field(None, description="The older form of tool_choice.")


class ResponsesFields(RequestModel):
    """What stands in the place of messages in a body of the Responses API, which Cursor sends here too."""

    input: InputItems | None = Field(None, description="In place of messages: a text, or items of the Responses API.")
    instructions: str | None = Field(None, description="With input: a system message before everything else.")
    max_output_tokens: Bound = Field(None, description="Used where no other bound is given.")
    text: ResponseText | None = Field(None, description="`format`, as in the Responses API.")
    previous_response_id: Name = Field(None, description="With input a 400: POST /v1/responses continues from one.")


class PredictedContent(RequestModel):
    """OpenAI's predicted output: a text, or parts of type text."""

    type: Literal["content"]
    content: MessageParts


class ChatCompletionRequest(
    TemplateFields, ReasoningFields, ToolFields, ResponsesFields, PrefixFields, GenerationFields
):
    """The body of a chat request."""

    messages: Annotated[Messages, Field(min_length=1)] | None = Field(None, description="The conversation so far.")
    max_tokens: Bound = Field(
        None, description="Maximum number of tokens in the reply; without it, or with -1, what the context holds."
    )
    max_completion_tokens: Bound = Field(None, description="Used where max_tokens is not given.")
    n: Choices | None = Field(None, description="Number of replies; 1 without it.")
    logprobs: Switch = Field(None, description="Reports the log probability of each token.")
    top_logprobs: Alternatives = Field(None, description="Alternatives per token; needs logprobs.")
    knowledge: Annotated[list[Annotated[str, Field(max_length=255)]], Field(max_length=100)] | None = Field(
        None,
        description="Names of knowledge collections that the user's last message is answered with; none without it.",
    )
    modalities: list[str] | None = Field(None, max_length=16, description="text only.")
    audio: dict[str, Any] | None = Field(None, description="Spoken replies are not available: 400.")
    web_search_options: dict[str, Any] | None = Field(None, description="Not available: 400.")
    verbosity: Anything = Field(None, description="Accepted, without effect.")
    prediction: PredictedContent | None = Field(
        None, description="What much of the reply will be like, such as a file that is edited: makes it faster."
    )
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
    """Of all tokens of the reply, thoughts included, in the order in which they came."""

    content: list[ChatTokenLogprob]
    refusal: None


class CalledFunction(BaseModel):
    """`arguments` is the JSON text of one object."""

    name: str
    arguments: str


class CalledCustom(BaseModel):
    name: str
    input: str


class FunctionToolCall(BaseModel):
    id: str
    type: Literal["function"]
    function: CalledFunction


class CustomToolCall(BaseModel):
    id: str
    type: Literal["custom"]
    custom: CalledCustom


class FileCitation(BaseModel):
    """A passage of a document, which a reply cites by its `number` in brackets. `file_id` is its collection and path;
    `page` and `heading` are there only where it has them."""

    type: Literal["file_citation"]
    number: int
    file_id: str
    filename: str
    quote: str
    page: int | None = None
    heading: str | None = None


class AssistantMessage(BaseModel):
    """The reply. `content` is null when there are only calls; the others are there only when the model reasoned, or
    called something, and `citations` when `knowledge` was asked for: all passages that it was given. `function_call`
    answers requests with `functions`."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    reasoning_content: str | None = None
    tool_calls: list[FunctionToolCall | CustomToolCall] | None = None
    function_call: CalledFunction | None = None
    citations: list[FileCitation] | None = None


class ChatChoice(BaseModel):
    """`tool_calls` repeats those of the message, for plain scripts only."""

    index: int
    message: AssistantMessage
    logprobs: ChoiceLogprobs | None
    finish_reason: FinishWord
    tool_calls: list[FunctionToolCall | CustomToolCall] | None = None


class ChatCompletion(BaseModel):
    """The whole answer."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: CompletionUsage


class FunctionDelta(BaseModel):
    """`name` comes once, with empty `arguments`; then pieces of the arguments alone."""

    name: str | None = None
    arguments: str


class CustomDelta(BaseModel):
    name: str | None = None
    input: str


class ChoiceDeltaToolCall(BaseModel):
    """`index` says which call it belongs to; `id` and `type` come once."""

    index: int
    id: str | None = None
    type: Literal["function", "custom"] | None = None
    function: FunctionDelta | None = None
    custom: CustomDelta | None = None


class ChoiceDelta(BaseModel):
    """What a chunk adds; keys that add nothing are left out."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ChoiceDeltaToolCall] | None = None
    function_call: FunctionDelta | None = None
    citations: list[FileCitation] | None = None


class ChunkChoice(BaseModel):
    index: int
    delta: ChoiceDelta
    logprobs: ChoiceLogprobs | None
    finish_reason: FinishWord | None


class ChatCompletionChunk(BaseModel):
    """One event of a streamed answer. `usage` is there only when it was asked for, and null but in the last chunk."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChunkChoice]
    usage: CompletionUsage | None = None
