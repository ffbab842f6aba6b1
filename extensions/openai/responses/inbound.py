"""The body of a responses request → our ChatRequest, its tools, and the initial response. Pure."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from extensions.openai.common.answers import new_id
from extensions.openai.common.generation import (
    adapters_of,
    explicit_of,
    keep_alive_of,
    limits_of,
    plain_places,
    prefix_repair_of,
    sampling_of,
)
from extensions.openai.common.items.inbound import log_skipped
from extensions.openai.common.items.messages import TOOL_ITEMS, turns_of
from extensions.openai.common.items.schema import CallName, ForeignItem, Item
from extensions.openai.responses.schema import (
    ConversationReference,
    CreateResponseRequest,
    PromptFields,
    ReasoningEcho,
    ResponseObject,
    ResponseReasoning,
    ResponseTool,
    ResponseToolChoice,
    ResponseToolReference,
    TextEcho,
)
from extensions.openai.structured.constraint import text_constraint
from extensions.openai.structured.schemas import plain_schema
from modules.errors import BadRequest
from modules.messages import ToolChoice, ToolSpec, ToolUse
from modules.requests import ChatRequest
from modules.sampling import Sampling
from modules.settings.values import Settings

_MODES: Final = MappingProxyType({"none": ToolUse.NONE, "auto": ToolUse.AUTO, "required": ToolUse.REQUIRED})
_CALLABLE: Final = frozenset({"function", "custom"})


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool that can be called, and where it stands in the request."""

    tool: ResponseTool
    called: CallName
    path: str
    description: str


@dataclass(frozen=True, slots=True)
class ResponseTools:
    """`shown` and `shown_choice` are how the response repeats `specs` and `choice`. `in_namespaces` has the caller's
    names of the tools that stand in one, by the model's; `left_out` are the places of what is not offered."""

    specs: tuple[ToolSpec, ...]
    choice: ToolChoice
    shown: list[dict[str, Any]]
    shown_choice: str | dict[str, Any]
    in_namespaces: Mapping[str, CallName] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def custom_names(self) -> frozenset[str]:
        return frozenset(tool.name for tool in self.specs if tool.is_custom)


def response_tools(
    tools: Sequence[ResponseTool],
    choice: ResponseToolChoice | None,
    *,
    parallel: bool,
    more: Sequence[ResponseTool] = (),
) -> ResponseTools:
    """Tools of types that cannot be run or enforced here are left out. `more` are those that the input brings; of two
    with one name the first counts. Raises BadRequest for a choice of a tool that is not there."""
    unusable = [(f"tools[{number}].{tool.type}", tool) for number, tool in enumerate(tools) if not _is_usable(tool)]
    log_skipped("tools", [tool.type for _, tool in unusable])
    offered: dict[str, OfferedTool] = {}
    for each in (*_all_offered(tools, "tools"), *_all_offered(more, "input")):
        offered.setdefault(each.called.model_name, each)
    specs = tuple(_spec(each) for each in offered.values())
    choice = choice or ResponseToolChoice(type="auto")
    return ResponseTools(
        specs=specs,
        choice=_choice(choice, list(offered.values()), parallel=parallel),
        shown=[_shown(tool) for tool in tools if _is_usable(tool)],
        shown_choice=_shown_choice(choice),
        in_namespaces={name: each.called for name, each in offered.items() if each.called.namespace is not None},
        left_out=plain_places(path for path, _ in unusable),
    )


def added_tools(item: ForeignItem) -> list[ResponseTool]:
    """What an item of the input lets the model call from there on."""
    if item.type not in TOOL_ITEMS:
        return []
    try:
        return TypeAdapter(list[ResponseTool]).validate_python(item.fields.get("tools") or [])
    except ValidationError:
        raise BadRequest(f"The tools of an item of the type {item.type} are not valid.", param="input") from None


def _is_usable(tool: ResponseTool) -> bool:
    """A custom tool whose text has to follow a grammar is not: calls are JSON, in which no such grammar holds."""
    if tool.type == "namespace":
        return any(map(_is_usable, tool.tools or ()))
    return tool.type == "function" or (tool.type == "custom" and (tool.format or {}).get("type", "text") == "text")


def _all_offered(tools: Sequence[ResponseTool], path: str, within: ResponseTool | None = None) -> Iterator[OfferedTool]:
    for number, tool in enumerate(tools):
        place = f"{path}[{number}]"
        if not _is_usable(tool):
            continue
        if not tool.name:
            raise BadRequest(f"'{place}.name' is missing.", param=f"{place}.name", code="missing_required_parameter")
        if tool.type == "namespace":
            yield from _all_offered(tool.tools or (), f"{place}.tools", tool)
        else:
            about = tool.description or (within.description if within is not None else None)
            yield OfferedTool(
                tool, CallName(tool.name, within.name if within is not None else None), place, about or ""
            )


def _spec(offered: OfferedTool) -> ToolSpec:
    tool, path = offered.tool, f"{offered.path}.parameters"
    schema = plain_schema(tool.parameters)
    if not isinstance(schema, dict | None) or (schema or {}).get("type", "object") != "object":
        raise BadRequest("The parameters of a function must be the JSON schema of an object.", param=path)
    if not isinstance((schema or {}).get("properties", {}), dict):
        raise BadRequest("The properties of the parameters must be an object.", param=f"{path}.properties")
    return ToolSpec(
        name=offered.called.model_name,
        description=offered.description,
        parameters=schema if tool.type == "function" else None,
        strict=bool(tool.strict),
        is_custom=tool.type == "custom",
    )


def _choice(choice: ResponseToolChoice, offered: Sequence[OfferedTool], *, parallel: bool) -> ToolChoice:
    if choice.type in _MODES:
        use = _MODES[choice.type]
        if use is ToolUse.REQUIRED and not offered:
            raise BadRequest("tool_choice asks for a call, but no usable tool is offered.", param="tool_choice")
        return ToolChoice(use=use, parallel=parallel)
    if choice.type == "allowed_tools":
        names = tuple(name for tool in choice.tools for name in _allowed_names(tool, offered))
        return _allowed(names, _MODES[choice.mode], parallel=parallel)
    return ToolChoice(use=ToolUse.REQUIRED, names=(_offered_name(choice, offered),), parallel=False)


def _allowed_names(chosen: ResponseToolReference, offered: Sequence[OfferedTool]) -> Iterator[str]:
    """A namespace stands for all that is in it."""
    if chosen.type in _CALLABLE:
        yield _offered_name(chosen, offered)
    elif chosen.type == "namespace":
        yield from (each.called.model_name for each in offered if each.called.namespace == chosen.name)


def _allowed(names: tuple[str, ...], use: ToolUse, *, parallel: bool) -> ToolChoice:
    if names:
        return ToolChoice(use=use, names=names, parallel=parallel)
    if use is ToolUse.REQUIRED:
        raise BadRequest("tool_choice allows no tool that can be called.", param="tool_choice.tools")
    return ToolChoice(use=ToolUse.NONE)


def _offered_name(chosen: ResponseToolReference, offered: Sequence[OfferedTool]) -> str:
    """By its name and namespace, or by the name that joins both."""
    if chosen.type not in _CALLABLE:
        raise BadRequest(
            "tool_choice must be none, auto, required, a function, a custom tool or allowed_tools.", param="tool_choice"
        )
    wanted = CallName(chosen.name or "", chosen.namespace or None).model_name
    of_kind = [each.called for each in offered if each.tool.type == chosen.type]
    names = [called.model_name for called in of_kind if called.model_name == wanted]
    names = names or [called.model_name for called in of_kind if not chosen.namespace and called.name == chosen.name]
    if not names:
        raise BadRequest(
            f"tool_choice names {wanted[:200]!a}, which is not among the tools that are offered.",
            param="tool_choice",
        )
    return names[0]


def _shown(tool: ResponseTool) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": tool.type, "name": tool.name, "description": tool.description}
    if tool.type == "namespace":
        return shown | {"tools": [_shown(each) for each in tool.tools or () if _is_usable(each)]}
    if tool.type == "function":
        return shown | {"parameters": tool.parameters, "strict": bool(tool.strict)}
    return shown | {"format": {"type": "text"}}


def _shown_choice(choice: ResponseToolChoice) -> str | dict[str, Any]:
    if choice.type in _MODES:
        return choice.type
    if choice.type == "allowed_tools":
        tools = [{"type": tool.type, "name": tool.name} for tool in choice.tools]
        return {"type": choice.type, "mode": choice.mode, "tools": tools}
    return {"type": choice.type, "name": choice.name}


# Values of `include`; others ask for what does not exist here, such as search results.
_LOGPROBS: Final = "message.output_text.logprobs"
_ENCRYPTED: Final = "reasoning.encrypted_content"


@dataclass(frozen=True, slots=True)
class ResponsePresentation:
    """How the reply is shown: which tools take free text, which stand in namespaces (by the model's names for them),
    whether thoughts come as summaries, what else is included."""

    custom_names: frozenset[str]
    has_logprobs: bool
    summarizes: bool
    seals_thoughts: bool
    in_namespaces: Mapping[str, CallName] = field(default_factory=dict)


def prompt_request(body: PromptFields, items: Sequence[Item], model: str | None, settings: Settings) -> ChatRequest:
    """What of a request makes up its prompt; `items` are all that the model is to read. Raises BadRequest."""
    toolbox = tools_of(body, items)
    turns = turns_of(items, body.instructions)
    if not turns:
        raise BadRequest("There is no input.", param="input", code="missing_required_parameter")
    return ChatRequest(
        model=model,
        messages=turns,
        tools=toolbox.specs,
        tool_choice=toolbox.choice,
        truncates=body.truncation == "auto",
        template_arguments=_template_arguments(body.reasoning, settings),
    )


def chat_request(
    body: CreateResponseRequest, items: Sequence[Item], settings: Settings, *, defaults: Sampling | None = None
) -> ChatRequest:
    """`defaults` stand in for the settings' sampling. Raises BadRequest."""
    if body.prompt is not None:
        raise BadRequest("Stored prompts are not available. Send the text itself.", param="prompt")
    if body.max_output_tokens == 0:
        raise BadRequest("max_output_tokens must be at least 1.", param="max_output_tokens")
    return replace(
        prompt_request(body, items, body.model, settings),
        explicit=explicit_of(body),
        prefix_repair=prefix_repair_of(body),
        keep_alive=keep_alive_of(body),
        adapters=adapters_of(body),
        sampling=sampling_of(body, defaults or settings.sampling),
        limits=limits_of(body, max_tokens=body.max_output_tokens, n=1),
        constraint=text_constraint(body.text, body),
        logprobs=_alternatives(body),
    )


def presentation_of(body: CreateResponseRequest, items: Sequence[Item] = ()) -> ResponsePresentation:
    """`items` are all that the model is to read."""
    toolbox = tools_of(body, items)
    return ResponsePresentation(
        custom_names=toolbox.custom_names,
        in_namespaces=toolbox.in_namespaces,
        has_logprobs=_alternatives(body) is not None,
        summarizes=_summary(body.reasoning) is not None,
        seals_thoughts=_ENCRYPTED in (body.include or ()),
    )


def draft_of(
    body: CreateResponseRequest, request: ChatRequest, model: str, items: Sequence[Item] = ()
) -> ResponseObject:
    """The response before there is anything in it; `items` are all that the model is to read."""
    toolbox = tools_of(body, items)
    effort = body.reasoning.effort if body.reasoning else None
    return ResponseObject(
        id=new_id("resp"),
        created_at=int(time.time()),
        status="queued" if body.background else "in_progress",
        background=bool(body.background),
        instructions=body.instructions,
        max_output_tokens=body.max_output_tokens,
        max_tool_calls=body.max_tool_calls,
        model=model,
        parallel_tool_calls=body.parallel_tool_calls is not False,
        previous_response_id=body.previous_response_id,
        conversation=ConversationReference(id=body.conversation.id) if body.conversation else None,
        prompt_cache_key=body.prompt_cache_key,
        reasoning=ReasoningEcho(effort=effort, summary=_summary(body.reasoning)),
        safety_identifier=body.safety_identifier,
        temperature=request.sampling.temperature,
        text=_text_echo(body),
        tool_choice=toolbox.shown_choice,
        tools=toolbox.shown,
        top_logprobs=body.top_logprobs or 0,
        top_p=request.sampling.top_p,
        truncation=body.truncation or "disabled",
        user=body.user,
        metadata=body.metadata or {},
    )


def tools_of(body: PromptFields, items: Sequence[Item] = ()) -> ResponseTools:
    """Those of the request, and those that items among `items` add."""
    return response_tools(
        body.tools or (),
        body.tool_choice,
        parallel=body.parallel_tool_calls is not False,
        more=[tool for item in items if isinstance(item, ForeignItem) for tool in added_tools(item)],
    )


def _template_arguments(reasoning: ResponseReasoning | None, settings: Settings) -> dict[str, Any]:
    effort = (reasoning.effort if reasoning else None) or settings.wanted_effort
    arguments: dict[str, Any] = {"preserve_thinking": settings.preserve_thinking}
    if effort == "none":
        return arguments | {"enable_thinking": False}
    arguments["enable_thinking"] = settings.enable_thinking
    return arguments if effort is None else arguments | {"reasoning_effort": effort}


def _summary(reasoning: ResponseReasoning | None) -> str | None:
    return (reasoning.summary or reasoning.generate_summary) if reasoning else None


def _alternatives(body: CreateResponseRequest) -> int | None:
    if body.top_logprobs is None and _LOGPROBS not in (body.include or ()):
        return None
    return body.top_logprobs or 0


def _text_echo(body: CreateResponseRequest) -> TextEcho:
    text_format = body.text.format if body.text else None
    verbosity = (body.text.verbosity if body.text else None) or "medium"
    if text_format is None or text_format.type != "json_schema":
        return TextEcho(format={"type": text_format.type if text_format else "text"}, verbosity=verbosity)
    shown = {"type": "json_schema", "name": text_format.name or "schema", "description": text_format.description}
    return TextEcho(
        format=shown | {"schema": text_format.schema_, "strict": text_format.strict is not False}, verbosity=verbosity
    )
