"""The body of a chat request → our ChatRequest. Pure; what cannot be honoured is a BadRequest that names it."""

import json
from types import MappingProxyType
from typing import Any, Final

from extensions.openai.chat.schema import ChatCompletionRequest, ChatMessage, ContentPart, MessageToolCall
from extensions.openai.generation_inbound import limits_of, refuse_unavailable, sampling_of, unavailable
from modules.errors import BadRequest
from modules.messages import Message, Role, TextPart, ToolCall
from modules.requests import ChatRequest
from modules.settings import Settings

_ROLES: Final = MappingProxyType(
    {
        "system": Role.SYSTEM,
        "developer": Role.SYSTEM,
        "user": Role.USER,
        "assistant": Role.ASSISTANT,
        "tool": Role.TOOL,
    }
)
_UNAVAILABLE: Final = (
    "preset",
    "grammar_string",
    "functions",
    "instruction_template",
    "instruction_template_str",
    "audio",
    "web_search_options",
)
_TEMPLATE_SWITCHES: Final = ("enable_thinking", "reasoning_effort", "preserve_thinking")


def chat_request(body: ChatCompletionRequest, settings: Settings) -> ChatRequest:
    """Raises BadRequest."""
    refuse_unavailable(body, _UNAVAILABLE)
    _refuse_unavailable_kinds(body)
    max_tokens = body.max_tokens if body.max_tokens is not None else body.max_completion_tokens
    if max_tokens == 0:
        raise BadRequest("max_tokens must be at least 1.", param="max_tokens")
    return ChatRequest(
        model=body.model,
        messages=tuple(message_of(message, f"messages[{number}]") for number, message in enumerate(body.messages)),
        sampling=sampling_of(body, settings.sampling),
        limits=limits_of(body, max_tokens=max_tokens, n=body.n or 1),
        logprobs=_alternatives(body),
        continue_last=bool(body.continue_),
        template_arguments=_template_arguments(body, settings),
    )


def _refuse_unavailable_kinds(body: ChatCompletionRequest) -> None:
    if body.tools and body.tool_choice != "none":
        raise unavailable("tools")
    if body.function_call not in (None, "none", "auto"):
        raise unavailable("function_call")
    if body.response_format is not None and body.response_format.type != "text":
        raise unavailable("response_format")
    if body.mode not in (None, "instruct"):
        raise unavailable("mode")
    if set(body.modalities or ()) - {"text"}:
        raise unavailable("modalities")


def _alternatives(body: ChatCompletionRequest) -> int | None:
    if body.logprobs:
        return body.top_logprobs or 0
    if body.top_logprobs:
        raise BadRequest("top_logprobs needs logprobs to be true.", param="top_logprobs")
    return None


def _template_arguments(body: ChatCompletionRequest, settings: Settings) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        name: getattr(settings, name) if getattr(body, name) is None else getattr(body, name)
        for name in _TEMPLATE_SWITCHES
    }
    if arguments["reasoning_effort"] == "none":
        del arguments["reasoning_effort"]
        arguments["enable_thinking"] = bool(body.enable_thinking)
    return arguments | _plain_values(body.chat_template_kwargs or {})


def _plain_values(arguments: dict[str, Any]) -> dict[str, Any]:
    """Refuses containers: a template's own lists of messages or tools are not the caller's to set."""
    for name, value in arguments.items():
        if not isinstance(value, str | int | float | bool | None):
            raise BadRequest(
                f"chat_template_kwargs.{name} must be text, a number, true or false.", param="chat_template_kwargs"
            )
    return arguments


def message_of(message: ChatMessage, path: str) -> Message:
    role = _ROLES.get(message.role)
    if role is None:
        raise BadRequest(_role_problem(message.role), param=f"{path}.role")
    if message.content is None and not (role is Role.ASSISTANT and message.tool_calls):
        raise BadRequest(f"{path}.content is missing.", param=f"{path}.content")
    parts = enumerate(message.content or ())
    return Message(
        role=role,
        parts=tuple(_part(part, f"{path}.content[{number}]") for number, part in parts),
        name=message.name,
        tool_calls=tuple(_tool_call(call) for call in message.tool_calls or ()) if role is Role.ASSISTANT else (),
        tool_call_id=message.tool_call_id,
        reasoning=message.reasoning_content or message.reasoning,
    )


def _role_problem(role: str) -> str:
    if role == "function":
        return "The role 'function' is superseded. Send the result as a message of the role 'tool'."
    return "The role must be system, developer, user, assistant or tool."


def _part(part: ContentPart, path: str) -> TextPart:
    match part.type:
        case "text" if part.text is not None:
            return TextPart(part.text)
        case "refusal" if part.refusal is not None:
            return TextPart(part.refusal)
        case "text" | "refusal":
            raise BadRequest(f"{path}.{part.type} is missing.", param=f"{path}.{part.type}")
        case "image_url" | "input_audio" | "file":
            raise BadRequest("The loaded model reads text only.", param=f"{path}.{part.type}", code="not_supported")
        case _:
            raise BadRequest("The type of a content part must be text.", param=f"{path}.type")


def _tool_call(call: MessageToolCall) -> ToolCall:
    arguments = call.function.arguments
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    return ToolCall(id=call.id or "", name=call.function.name, arguments=text)
