"""Offered tools as chat templates read them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from modules.messages import ToolSpec

_MAX_DEPTH: Final = 12
_TYPES: Final = ("string", "integer", "number", "boolean", "array", "object")


def template_tools(tools: Sequence[ToolSpec], *, is_fitted: bool = False) -> list[dict[str, Any]] | None:
    """`is_fitted`: with schemas for templates that know plain types only, and ask each argument for a description."""
    return [_template_tool(tool, is_fitted) for tool in tools] or None


def fitted_tools(tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Tools as `template_tools` gives them, fitted."""
    return [{**tool, "function": _fitted_function(tool["function"])} for tool in tools]


def _template_tool(tool: ToolSpec, is_fitted: bool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": _parameters(tool)}
    return {"type": "function", "function": _fitted_function(function) if is_fitted else function}


def _parameters(tool: ToolSpec) -> dict[str, Any]:
    """Templates walk through the properties without asking whether there are any."""
    if tool.is_custom:
        return {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    parameters = tool.parameters or {"type": "object"}
    return parameters if "properties" in parameters else {**parameters, "properties": {}}


def _fitted_function(function: Mapping[str, Any]) -> dict[str, Any]:
    parameters = function["parameters"]
    properties = {name: _fitted(value, 0) for name, value in parameters["properties"].items()}
    return {**function, "parameters": {**parameters, "properties": properties}}


def _fitted(schema: object, depth: int) -> dict[str, Any]:
    """One type for each value: of several the first that is not null."""
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return {"type": "string", "description": ""}
    fitted = {**_one_of(schema), "description": schema.get("description") or ""}
    types = fitted.get("type")
    if isinstance(types, list):
        types = next((each for each in types if each != "null"), "string")
    fitted["type"] = types if types in _TYPES else "object" if "properties" in fitted else "string"
    if isinstance(fitted.get("properties"), Mapping):
        fitted["properties"] = {name: _fitted(value, depth + 1) for name, value in fitted["properties"].items()}
    if fitted["type"] == "object":
        fitted["additionalProperties"] = _fitted(fitted.get("additionalProperties"), depth + 1)
    if fitted["type"] == "array":
        fitted["items"] = _fitted(fitted.get("items"), depth + 1)
    return fitted


def _one_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The first of alternatives that is not null, with what stands beside them."""
    for key in ("anyOf", "oneOf", "allOf"):
        ways = schema.get(key)
        if isinstance(ways, list):
            rest = {name: value for name, value in schema.items() if name != key}
            way = next((way for way in ways if isinstance(way, Mapping) and way.get("type") != "null"), {})
            return {**way, **rest}
    return dict(schema)
