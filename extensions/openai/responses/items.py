"""The items that a conversation is made of, as they are kept and answered: each is exactly one of the API's types."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from extensions.openai.responses.schema import KNOWN_TYPES

InputRole = Literal["user", "system", "developer"]
ItemStatus = Literal["in_progress", "completed", "incomplete"]


class InputText(BaseModel):
    type: Literal["input_text"] = "input_text"
    text: str


class TopTokenLogprob(BaseModel):
    token: str
    logprob: float
    bytes: list[int]


class OutputTokenLogprob(TopTokenLogprob):
    top_logprobs: list[TopTokenLogprob]


class OutputText(BaseModel):
    """`logprobs` is empty unless they were asked for; nothing here ever cites a source."""

    type: Literal["output_text"] = "output_text"
    text: str
    annotations: tuple[()] = ()
    logprobs: list[OutputTokenLogprob] = Field(default_factory=list)


class Refusal(BaseModel):
    type: Literal["refusal"] = "refusal"
    refusal: str


class ReasoningText(BaseModel):
    type: Literal["reasoning_text"] = "reasoning_text"
    text: str


class SummaryText(BaseModel):
    type: Literal["summary_text"] = "summary_text"
    text: str


class InputMessageItem(BaseModel):
    """What anybody but the assistant said."""

    id: str
    type: Literal["message"] = "message"
    status: ItemStatus = "completed"
    role: InputRole
    content: list[InputText]


class OutputMessageItem(BaseModel):
    """What the assistant said."""

    id: str
    type: Literal["message"] = "message"
    status: ItemStatus = "completed"
    role: Literal["assistant"] = "assistant"
    content: list[OutputText | Refusal]


class InNamespace(BaseModel):
    """`namespace` is there for tools that stand in one, and for no others."""

    namespace: str | None = None

    @model_serializer(mode="wrap")
    def _without_no_namespace(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        shown: dict[str, Any] = serialize(self)
        if self.namespace is None:
            del shown["namespace"]
        return shown


class FunctionCallItem(InNamespace):
    """`arguments` is the JSON text as the model wrote it."""

    id: str
    type: Literal["function_call"] = "function_call"
    status: ItemStatus = "completed"
    call_id: str
    name: str
    arguments: str


class FunctionCallOutputItem(BaseModel):
    id: str
    type: Literal["function_call_output"] = "function_call_output"
    status: ItemStatus = "completed"
    call_id: str
    output: list[InputText]


class CustomToolCallItem(InNamespace):
    """A call of a tool that takes free text."""

    id: str
    type: Literal["custom_tool_call"] = "custom_tool_call"
    call_id: str
    name: str
    input: str


class CustomToolCallOutputItem(BaseModel):
    id: str
    type: Literal["custom_tool_call_output"] = "custom_tool_call_output"
    call_id: str
    output: list[InputText]


class ReasoningItem(BaseModel):
    """A thought: in `content`, in `summary` where the request asked for one, in `encrypted_content` for clients that
    keep their history themselves."""

    id: str
    type: Literal["reasoning"] = "reasoning"
    status: ItemStatus = "completed"
    summary: list[SummaryText] = Field(default_factory=list)
    content: list[ReasoningText] = Field(default_factory=list)
    encrypted_content: str | None = None


def _is_foreign(kind: str) -> str:
    if kind in KNOWN_TYPES:
        raise ValueError("an item of a known type")
    return kind


class ForeignItem(BaseModel):
    """An item of a tool that is not run here, as it was sent."""

    model_config = ConfigDict(extra="allow")

    id: str
    type: Annotated[str, AfterValidator(_is_foreign)]

    @property
    def fields(self) -> dict[str, Any]:
        return self.__pydantic_extra__ or {}


OutputItem = OutputMessageItem | FunctionCallItem | CustomToolCallItem | ReasoningItem
OtherItem = Annotated[
    FunctionCallItem | FunctionCallOutputItem | CustomToolCallItem | CustomToolCallOutputItem | ReasoningItem,
    Field(discriminator="type"),
]
Item = Annotated[InputMessageItem | OutputMessageItem, Field(discriminator="role")] | OtherItem | ForeignItem
