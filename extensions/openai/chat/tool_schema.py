"""What a chat request says about tools: which there are, and which of them the model may or must call."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from extensions.openai.field_types import Anything, RequestModel

ToolName = Annotated[str, Field(min_length=1, max_length=256)]


def _mode_as_choice(value: object) -> object:
    return {"type": value} if isinstance(value, str) else value


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
    """`type` says which of the other two it has."""

    type: str = "function"
    function: FunctionTool | None = None
    custom: CustomTool | None = None


class NamedTool(RequestModel):
    name: ToolName


class AllowedTool(RequestModel):
    """A tool by its name; `name` is where the Responses API has it."""

    type: str = "function"
    name: ToolName | None = None
    function: NamedTool | None = None
    custom: NamedTool | None = None


class AllowedTools(RequestModel):
    mode: Literal["auto", "required"] = "auto"
    tools: list[AllowedTool] = Field(min_length=1, max_length=1024)


class ToolChoiceObject(AllowedTool):
    """A mode (`none`, `auto`, `required`), one tool by its name, or several of which the model may call."""

    allowed_tools: AllowedTools | None = None


Tools = Annotated[list[Tool], Field(max_length=1024, fail_fast=True)]
Functions = Annotated[list[FunctionTool], Field(max_length=1024, fail_fast=True)]
ToolChoiceField = Annotated[
    ToolChoiceObject, BeforeValidator(_mode_as_choice, json_schema_input_type=str | ToolChoiceObject)
]
FunctionChoice = Literal["none", "auto"] | NamedTool
