"""The tools of a request: those that can be called, which of them may be, and what the response says of both. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from extensions.openai.common.places import plain_places
from extensions.openai.responses.foreign_items import TOOL_ITEMS
from extensions.openai.responses.input_items import log_skipped
from extensions.openai.responses.items import ForeignItem
from extensions.openai.responses.namespaces import CallName
from extensions.openai.responses.schema import ChosenTool, ResponseTool, ResponseToolChoice
from extensions.openai.structured.schemas import plain_schema
from modules.errors import BadRequest
from modules.messages import ToolChoice, ToolSpec, ToolUse

_MODES: Final = MappingProxyType({"none": ToolUse.NONE, "auto": ToolUse.AUTO, "required": ToolUse.REQUIRED})
_CALLABLE: Final = frozenset({"function", "custom"})


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool that can be called, and where it stands in the request."""

    tool: ResponseTool
    called: CallName
    path: str
    description: str


@dataclass(frozen=True, slots=True)
class Toolbox:
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


def toolbox_of(
    tools: Sequence[ResponseTool],
    choice: ResponseToolChoice | None,
    *,
    parallel: bool,
    more: Sequence[ResponseTool] = (),
) -> Toolbox:
    """Tools of types that nobody here can run or enforce are left out. `more` are those that the input brings; of two
    with one name the first counts. Raises BadRequest for a choice of a tool that is not there."""
    unusable = [(f"tools[{number}].{tool.type}", tool) for number, tool in enumerate(tools) if not _is_usable(tool)]
    log_skipped("tools", [tool.type for _, tool in unusable])
    offered: dict[str, Offered] = {}
    for each in (*_all_offered(tools, "tools"), *_all_offered(more, "input")):
        offered.setdefault(each.called.model_name, each)
    specs = tuple(_spec(each) for each in offered.values())
    choice = choice or ResponseToolChoice(type="auto")
    return Toolbox(
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
        raise BadRequest(f"The tools of an item of the type {item.type} are none.", param="input") from None


def _is_usable(tool: ResponseTool) -> bool:
    """A custom tool whose text has to follow a grammar is not: calls are JSON, in which no such grammar holds."""
    if tool.type == "namespace":
        return any(map(_is_usable, tool.tools or ()))
    return tool.type == "function" or (tool.type == "custom" and (tool.format or {}).get("type", "text") == "text")


def _all_offered(tools: Sequence[ResponseTool], path: str, within: ResponseTool | None = None) -> Iterator[Offered]:
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
            yield Offered(tool, CallName(tool.name, within.name if within is not None else None), place, about or "")


def _spec(offered: Offered) -> ToolSpec:
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


def _choice(choice: ResponseToolChoice, offered: Sequence[Offered], *, parallel: bool) -> ToolChoice:
    if choice.type in _MODES:
        use = _MODES[choice.type]
        if use is ToolUse.REQUIRED and not offered:
            raise BadRequest("tool_choice asks for a call, but no usable tool is offered.", param="tool_choice")
        return ToolChoice(use=use, parallel=parallel)
    if choice.type == "allowed_tools":
        names = tuple(name for tool in choice.tools for name in _allowed_names(tool, offered))
        return _allowed(names, _MODES[choice.mode], parallel=parallel)
    return ToolChoice(use=ToolUse.REQUIRED, names=(_offered_name(choice, offered),), parallel=False)


def _allowed_names(chosen: ChosenTool, offered: Sequence[Offered]) -> Iterator[str]:
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


def _offered_name(chosen: ChosenTool, offered: Sequence[Offered]) -> str:
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
