"""Chat messages as requests send them, and → our messages. Pure; BadRequest names the place."""

import json
from collections.abc import Iterable, Iterator
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from extensions.openai.common.field_types import Anything, CallId, RequestModel
from extensions.openai.common.media_parts import MEDIA_TYPES, media_part, picture_part, with_marked_places
from modules.errors import BadRequest
from modules.messages import Message, Part, Role, TextPart, ToolCall


def _text_as_part(value: object) -> object:
    if isinstance(value, str):
        return [{"type": "text", "text": value}]
    if isinstance(value, list):
        return [{"type": "text", "text": part} if isinstance(part, str) else part for part in value]
    return value


class ContentPart(RequestModel):
    """One piece of a message. Which types can be used depends on the loaded model. A picture is
    `{"type": "image_url", "image_url": {"url": …, "detail": …}}`, its url a data URL or an address."""

    type: str
    text: str | None = None
    refusal: str | None = None
    thinking: str | None = None
    image_url: Anything = None
    image: Anything = None
    detail: Anything = None
    source: Anything = None
    input_audio: Anything = None
    audio_url: Anything = None
    audio: Anything = None
    file: Anything = None
    file_id: Anything = None
    file_data: Anything = None
    file_url: Anything = None
    filename: Anything = None


MessageParts = Annotated[
    list[ContentPart], BeforeValidator(_text_as_part, json_schema_input_type=str | list[ContentPart])
]


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
    content: MessageParts | None = None
    name: str | None = None
    tool_calls: list[MessageToolCall] | None = Field(None, max_length=1024)
    function_call: FunctionCall | None = None
    tool_call_id: CallId | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: Anything = None
    image_url: Anything = Field(None, description="A picture beside the content, as SillyTavern sends it.")


Messages = Annotated[list[ChatMessage], Field(max_length=65536, fail_fast=True)]


_ROLES: Final = MappingProxyType(
    {
        "system": Role.SYSTEM,
        "developer": Role.SYSTEM,
        "user": Role.USER,
        "assistant": Role.ASSISTANT,
        "tool": Role.TOOL,
        "function": Role.TOOL,
    }
)
# With one of these OpenAI's API lets a reply be without content.
_INSTEAD_OF_CONTENT: Final = ("tool_calls", "function_call", "refusal", "reasoning_content", "reasoning")


def message_of(message: ChatMessage, path: str) -> Message:
    """`path` is where the message stands in the request, such as `messages[0]`. Raises BadRequest."""
    role = _ROLES.get(message.role)
    if role is None:
        raise BadRequest("The role must be system, developer, user, assistant or tool.", param=f"{path}.role")
    if not _says_something(message, role):
        raise BadRequest(f"{path}.content is missing.", param=f"{path}.content")
    is_reply = role is Role.ASSISTANT
    return Message(
        role=role,
        parts=with_marked_places(parts_of(message, path)),
        name=message.name,
        tool_calls=tuple(_tool_calls(message, path)) if is_reply else (),
        tool_call_id=message.tool_call_id,
        reasoning=_reasoning(message) if is_reply else None,
    )


def _says_something(message: ChatMessage, role: Role) -> bool:
    """A content of null is an empty one; replies may have none at all when there is something in its place."""
    if "content" in message.model_fields_set or message.image_url is not None:
        return True
    return role is Role.ASSISTANT and any(getattr(message, name) for name in _INSTEAD_OF_CONTENT)


def parts_of(message: ChatMessage, path: str) -> tuple[Part, ...]:
    """What the message is made of, in order. Raises BadRequest."""
    return tuple(_parts(message, path))


def _parts(message: ChatMessage, path: str) -> Iterator[Part]:
    if message.content is None and message.refusal:
        yield TextPart(message.refusal)
    yield from content_parts(message.content or (), path)
    if message.image_url is not None:
        yield picture_part(message.image_url, None, f"{path}.image_url")


def content_parts(content: Iterable[ContentPart], path: str) -> Iterator[Part]:
    """Of the content of what stands at `path`, in order. Raises BadRequest."""
    for number, part in enumerate(content):
        if part.type in MEDIA_TYPES:
            yield media_part(part.type, part.model_dump(exclude_none=True), f"{path}.content[{number}]")
        elif part.type != "thinking":
            yield TextPart(_text(part, f"{path}.content[{number}]"))


def _text(part: ContentPart, path: str) -> str:
    match part.type:
        case "text" | "input_text" | "output_text" if part.text is not None:
            return part.text
        case "refusal" if part.refusal is not None:
            return part.refusal
        case "text" | "input_text" | "output_text" | "refusal":
            name = "refusal" if part.type == "refusal" else "text"
            raise BadRequest(f"{path}.{name} is missing.", param=f"{path}.{name}")
        case _:
            raise BadRequest(
                "The type of a content part must be text, image_url, input_audio or file.", param=f"{path}.type"
            )


def _reasoning(message: ChatMessage) -> str | None:
    thoughts = "".join(part.thinking or "" for part in message.content or () if part.type == "thinking")
    other_name = message.reasoning if isinstance(message.reasoning, str) else None
    return message.reasoning_content or other_name or thoughts or None


def _tool_calls(message: ChatMessage, path: str) -> Iterator[ToolCall]:
    for number, call in enumerate(message.tool_calls or ()):
        yield _tool_call(call, f"{path}.tool_calls[{number}]")
    if message.function_call is not None:
        yield _function_call("", message.function_call)


def _tool_call(call: MessageToolCall, path: str) -> ToolCall:
    if call.function is not None:
        return _function_call(call.id or "", call.function)
    if call.custom is not None:
        arguments = json.dumps({"input": call.custom.input}, ensure_ascii=False)
        return ToolCall(id=call.id or "", name=call.custom.name, arguments=arguments)
    raise BadRequest(f"{path}.function is missing.", param=f"{path}.function")


def _function_call(call_id: str, call: FunctionCall) -> ToolCall:
    arguments = call.arguments or {}
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(id=call_id, name=call.name, arguments=text)
