"""What a chat request says about tools: which there are, and which of them the model may or must call."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from extensions.openai.common.field_types import Anything, RequestModel

ToolName = Annotated[str, Field(min_length=1, max_length=256)]
ChosenName = Annotated[str, Field(max_length=256)]


def _mode_as_choice(value: object) -> object:
    """An empty choice, in any of its forms, is none."""
    if isinstance(value, dict):
        return value if value.get("type") or _names_a_tool(value) else None
    return {"type": value} if isinstance(value, str) and value else value or None


def _names_a_tool(value: dict[str, Any]) -> bool:
    named = value.get("function")
    return bool(value.get("name") or (isinstance(named, dict) and named.get("name")))


def _function_choice(value: object) -> object:
    return None if value in ("", {}) or (isinstance(value, dict) and value.get("name") in ("", None)) else value


class FunctionTool(RequestModel):
    """A function. `parameters` is the JSON schema of an object; without it the function takes nothing."""

    name: ToolName
    description: str | None = None
    parameters: Anything = None
    strict: bool | None = None


class CustomTool(RequestModel):
    """A tool that takes free text."""

    name: ToolName
    description: str | None = None
    format: dict[str, Any] | None = None


class Tool(RequestModel):
    """`type` says which of the other two it has. Its fields may also stand in the tool itself, where the Responses API
    has them."""

    type: str = "function"
    function: FunctionTool | None = None
    custom: CustomTool | None = None

    @model_validator(mode="before")
    @classmethod
    def _nested(cls, given: Any) -> Any:  # noqa: ANN401 - any JSON
        if not isinstance(given, dict):
            return given
        kind = given.get("type") or ("custom" if "custom" in given and "function" not in given else "function")
        if kind in ("function", "custom") and given.get(kind) is None and given.get("name") is not None:
            return {"type": kind, kind: {name: value for name, value in given.items() if name != "type"}}
        return {**given, "type": kind}


class NamedTool(RequestModel):
    name: ToolName


class ChosenTool(RequestModel):
    name: ChosenName | None = None


class AllowedTool(RequestModel):
    """A tool by its name; `name` is where the Responses API has it."""

    type: str = "function"
    name: ChosenName | None = None
    function: ChosenTool | None = None
    custom: ChosenTool | None = None


class AllowedTools(RequestModel):
    mode: Literal["auto", "required"] = "auto"
    tools: list[AllowedTool] = Field(min_length=1, max_length=1024)


class ToolChoiceObject(AllowedTool):
    """A mode (`none`, `auto`, `required`), one tool by its name, or several of which the model may call."""

    allowed_tools: AllowedTools | None = None


Tools = Annotated[list[Tool], Field(max_length=1024, fail_fast=True)]
Functions = Annotated[list[FunctionTool], Field(max_length=1024, fail_fast=True)]
ToolChoiceField = Annotated[
    ToolChoiceObject | None, BeforeValidator(_mode_as_choice, json_schema_input_type=str | ToolChoiceObject)
]
FunctionChoice = Annotated[Literal["none", "auto"] | NamedTool | None, BeforeValidator(_function_choice)]
