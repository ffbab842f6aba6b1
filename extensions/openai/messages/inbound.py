"""The body of a request for a message → our ChatRequest. Pure; what cannot be honoured is a BadRequest that names it."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from extensions.openai.common.generation_inbound import keep_alive_of, limits_of, sampling_of
from extensions.openai.common.places import plain_places
from extensions.openai.messages.conversation import messages_of
from extensions.openai.messages.schema import (
    ConversationFields,
    CountTokensRequest,
    MessagesRequest,
    MessagesTool,
    OutputFormat,
)
from extensions.openai.structured.constraint import constraint_of, json_schema_constraint, unenforced_keywords
from modules.engine.types import Constraint
from modules.errors import BadRequest
from modules.messages import Role, ToolChoice, ToolSpec, ToolUse
from modules.requests import ChatRequest
from modules.sampling import Sampling
from modules.settings.values import Settings

_log = logging.getLogger(__name__)

_USES: Final = MappingProxyType(
    {"auto": ToolUse.AUTO, "any": ToolUse.REQUIRED, "tool": ToolUse.REQUIRED, "none": ToolUse.NONE}
)
_TEMPLATE_SWITCHES: Final = ("enable_thinking", "preserve_thinking")


def message_request(body: MessagesRequest, settings: Settings, defaults: Sampling) -> ChatRequest:
    """`defaults` are the sampling parameters of what the body does not say. Raises BadRequest."""
    limits = limits_of(body, max_tokens=body.max_tokens, n=1)
    return replace(
        _conversation(body, body.model, settings),
        keep_alive=keep_alive_of(body),
        sampling=sampling_of(body, defaults),
        limits=replace(limits, stop=(*stop_sequences_of(body), *limits.stop)),
        constraint=_constraint(body),
    )


def counted_request(body: CountTokensRequest, settings: Settings) -> ChatRequest:
    """The same prompt as `message_request` makes of the same conversation. Raises BadRequest."""
    return _conversation(body, body.model, settings)


def stop_sequences_of(body: MessagesRequest) -> tuple[str, ...]:
    return tuple(text for text in body.stop_sequences or () if text)


def omits_thinking(body: MessagesRequest) -> bool:
    return body.thinking is not None and body.thinking.display == "omitted"


def _conversation(body: ConversationFields, model: str | None, settings: Settings) -> ChatRequest:
    messages = messages_of(body)
    last = messages[-1]
    if last.role is Role.ASSISTANT and last.tool_calls:
        raise BadRequest("The last turn calls tools. Send their results, as tool_result blocks.", param="messages")
    tools = tuple(_tools(body.tools or []))
    return ChatRequest(
        model=model,
        messages=messages,
        tools=tools,
        tool_choice=_tool_choice(body, tools),
        reasoning_budget=_reasoning_budget(body),
        continue_last=last.role is Role.ASSISTANT,
        template_arguments=_template_arguments(body, settings),
    )


def _tools(tools: list[MessagesTool]) -> Iterator[ToolSpec]:
    for number, tool in enumerate(tools):
        if tool.input_schema is not None:
            yield ToolSpec(tool.name, tool.description or "", tool.input_schema, strict=bool(tool.strict))
        elif tool.type in (None, "custom"):
            path = f"tools[{number}].input_schema"
            raise BadRequest(f"{path} is missing.", param=path)
        else:
            _log.info("a tool of the type %s runs on its provider's servers only; it is left out", tool.type[:60])


def _tool_choice(body: ConversationFields, tools: tuple[ToolSpec, ...]) -> ToolChoice:
    asked = body.tool_choice
    if asked is None:
        return ToolChoice()
    use = _USES[asked.type]
    if use is ToolUse.REQUIRED and not tools:
        raise BadRequest(f"tool_choice {asked.type} needs tools that can be called here.", param="tool_choice")
    if asked.type == "tool" and asked.name not in {tool.name for tool in tools}:
        raise BadRequest(
            f"tool_choice.name {(asked.name or '')[:200]!a} is not the name of a tool that is offered.",
            param="tool_choice.name",
        )
    names = (asked.name,) if asked.type == "tool" and asked.name is not None else ()
    return ToolChoice(use=use, names=names, parallel=not asked.disable_parallel_tool_use)


def _reasoning_budget(body: ConversationFields) -> int | None:
    """Templates without a switch cannot be told not to think: a budget of 0 tells the model."""
    if body.thinking is None:
        return None
    return 0 if body.thinking.type == "disabled" else body.thinking.budget_tokens


def _template_arguments(body: ConversationFields, settings: Settings) -> dict[str, Any]:
    arguments: dict[str, Any] = {name: getattr(settings, name) for name in _TEMPLATE_SWITCHES}
    effort = (body.output_config.effort if body.output_config else None) or settings.wanted_effort
    if body.thinking is not None:
        arguments["enable_thinking"] = body.thinking.type != "disabled"
    if effort == "none":
        arguments["enable_thinking"] = False
    elif effort is not None:
        arguments["reasoning_effort"] = effort
    return arguments


def _constraint(body: MessagesRequest) -> Constraint | None:
    """Raises BadRequest for two forms at once."""
    schema, param = _format(body)
    other = constraint_of(body)
    if schema is None:
        return other
    if other is not None:
        raise BadRequest(f"{param} and {other.param} both say what form the reply has. Send one of them.", param=param)
    return json_schema_constraint(schema.schema_, param=param)


def _format(body: ConversationFields) -> tuple[OutputFormat | None, str]:
    configured = body.output_config.format if body.output_config is not None else None
    return (configured, "output_config.format") if configured else (body.output_format, "output_format")


def left_out_of(body: ConversationFields) -> tuple[str, ...]:
    """The places of tools that are not offered, and of what the reply's form does not hold it to."""
    hosted = (
        f"tools[{number}].{tool.type}" for number, tool in enumerate(body.tools or ()) if tool.input_schema is None
    )
    schema, param = _format(body)
    return (
        *plain_places(hosted),
        *(unenforced_keywords(schema.schema_, f"{param}.schema") if schema is not None else ()),
    )
