"""Chat messages, as chat requests and text completions with `messages` send them."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from extensions.openai.common.field_types import Anything, CallId, RequestModel


def _text_as_part(value: object) -> object:
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    if isinstance(value, list):
        return [{"type": "text", "text": part} if isinstance(part, str) else part for part in value]
    return value


class ContentPart(RequestModel):
    """One piece of a message. Which types can be used depends on the loaded model."""

    type: str
    text: str | None = None
    refusal: str | None = None
    thinking: str | None = None
    image_url: Anything = None
    input_audio: Anything = None


class FunctionCall(RequestModel):
    """`arguments` is JSON text; an object is taken as well, and what is no JSON reaches the model as it is."""

    name: str = Field(max_length=1024)
    arguments: str | dict[str, Any] | None = None


class CustomCall(RequestModel):
    name: str = Field(max_length=1024)
    input: str = ""


class MessageToolCall(RequestModel):
    """A call that the assistant made in an earlier turn: of a function, or of a custom tool."""

    id: CallId | None = None
    type: str | None = None
    function: FunctionCall | None = None
    custom: CustomCall | None = None


class ChatMessage(RequestModel):
    """One turn of the conversation."""

    role: str
    content: (
        Annotated[list[ContentPart], BeforeValidator(_text_as_part, json_schema_input_type=str | list[ContentPart])]
        | None
    ) = None
    name: str | None = None
    tool_calls: list[MessageToolCall] | None = Field(None, max_length=1024)
    function_call: FunctionCall | None = None
    tool_call_id: CallId | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: Anything = None


Messages = Annotated[list[ChatMessage], Field(max_length=65536, fail_fast=True)]
