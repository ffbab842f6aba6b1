"""The tools of a request: those that can be called, which of them may be, and what the response says of both. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from extensions.openai.responses.input_items import log_skipped
from extensions.openai.responses.schema import ChosenTool, ResponseTool, ResponseToolChoice
from modules.errors import BadRequest
from modules.messages import ToolChoice, ToolSpec, ToolUse

_MODES: Final = MappingProxyType({"none": ToolUse.NONE, "auto": ToolUse.AUTO, "required": ToolUse.REQUIRED})
_CALLABLE: Final = frozenset({"function", "custom"})


@dataclass(frozen=True, slots=True)
class Toolbox:
    """`shown` and `shown_choice` are how the response repeats `specs` and `choice`."""

    specs: tuple[ToolSpec, ...]
    choice: ToolChoice
    shown: list[dict[str, Any]]
    shown_choice: str | dict[str, Any]

    @property
    def custom_names(self) -> frozenset[str]:
        return frozenset(tool.name for tool in self.specs if tool.is_custom)


def toolbox_of(tools: Sequence[ResponseTool], choice: ResponseToolChoice | None, *, parallel: bool) -> Toolbox:
    """Tools of types that nobody here can run or enforce are left out. Raises BadRequest for a choice of such a one."""
    usable = [(number, tool) for number, tool in enumerate(tools) if _is_usable(tool)]
    log_skipped("tools", [tool.type for tool in tools if not _is_usable(tool)])
    specs = tuple(_spec(tool, f"tools[{number}]") for number, tool in usable)
    choice = choice or ResponseToolChoice(type="auto")
    return Toolbox(
        specs=specs,
        choice=_choice(choice, specs, parallel=parallel),
        shown=[_shown(tool) for _, tool in usable],
        shown_choice=_shown_choice(choice),
    )


def _is_usable(tool: ResponseTool) -> bool:
    """A custom tool whose text has to follow a grammar is not: calls are JSON, in which no such grammar holds."""
    return tool.type == "function" or (tool.type == "custom" and (tool.format or {}).get("type", "text") == "text")


def _spec(tool: ResponseTool, path: str) -> ToolSpec:
    if not tool.name:
        raise BadRequest(f"'{path}.name' is missing.", param=f"{path}.name", code="missing_required_parameter")
    if (tool.parameters or {}).get("type", "object") != "object":
        raise BadRequest(
            "The parameters of a function must be the JSON schema of an object.", param=f"{path}.parameters"
        )
    return ToolSpec(
        name=tool.name,
        description=tool.description or "",
        parameters=tool.parameters if tool.type == "function" else None,
        strict=bool(tool.strict),
        is_custom=tool.type == "custom",
    )


def _choice(choice: ResponseToolChoice, specs: Sequence[ToolSpec], *, parallel: bool) -> ToolChoice:
    if choice.type in _MODES:
        use = _MODES[choice.type]
        if use is ToolUse.REQUIRED and not specs:
            raise BadRequest("tool_choice asks for a call, but no usable tool is offered.", param="tool_choice")
        return ToolChoice(use=use, parallel=parallel)
    if choice.type == "allowed_tools":
        names = tuple(_offered_name(tool, specs) for tool in choice.tools if tool.type in _CALLABLE)
        return _allowed(names, _MODES[choice.mode], parallel=parallel)
    return ToolChoice(use=ToolUse.REQUIRED, names=(_offered_name(choice, specs),), parallel=False)


def _allowed(names: tuple[str, ...], use: ToolUse, *, parallel: bool) -> ToolChoice:
    if names:
        return ToolChoice(use=use, names=names, parallel=parallel)
    if use is ToolUse.REQUIRED:
        raise BadRequest("tool_choice allows no tool that can be called.", param="tool_choice.tools")
    return ToolChoice(use=ToolUse.NONE)


def _offered_name(chosen: ChosenTool, specs: Sequence[ToolSpec]) -> str:
    if chosen.type not in _CALLABLE:
        raise BadRequest(
            "tool_choice must be none, auto, required, a function, a custom tool or allowed_tools.", param="tool_choice"
        )
    if any(spec.name == chosen.name and spec.is_custom == (chosen.type == "custom") for spec in specs):
        return chosen.name or ""
    raise BadRequest("tool_choice names a tool that is not among tools.", param="tool_choice")


def _shown(tool: ResponseTool) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": tool.type, "name": tool.name, "description": tool.description}
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
