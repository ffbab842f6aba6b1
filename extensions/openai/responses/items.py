"""The items that a conversation is made of, as they are kept and answered: each is exactly one of the API's types."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

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


class FunctionCallItem(BaseModel):
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


class CustomToolCallItem(BaseModel):
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


OutputItem = OutputMessageItem | FunctionCallItem | CustomToolCallItem | ReasoningItem
OtherItem = Annotated[
    FunctionCallItem | FunctionCallOutputItem | CustomToolCallItem | CustomToolCallOutputItem | ReasoningItem,
    Field(discriminator="type"),
]
Item = Annotated[InputMessageItem | OutputMessageItem, Field(discriminator="role")] | OtherItem
