"""What chat requests say about tools → what the model may call."""

from typing import Any

import pytest

from extensions.openai.chat.inbound import ChatTools, chat_tools
from extensions.openai.typing import ToolFields
from modules.errors import BadRequest
from modules.messages import ToolChoice, ToolSpec, ToolUse

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def function(name: str = "f", **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **fields}}


def custom(name: str = "c", **fields: Any) -> dict[str, Any]:
    return {"type": "custom", "custom": {"name": name, **fields}}


def toolbox(**fields: Any) -> ChatTools:
    return chat_tools(ToolFields.model_validate(fields))


def choice(tool_choice: object, **fields: Any) -> ToolChoice:
    return toolbox(tools=[function("f"), function("g"), custom("c")], tool_choice=tool_choice, **fields).choice


def test_tools_of_both_kinds_arrive_whole() -> None:
    tools = [function("f", description="d", parameters=SCHEMA, strict=True), custom("c", description="free text")]
    assert toolbox(tools=tools) == ChatTools(
        tools=(
            ToolSpec("f", "d", SCHEMA, strict=True),
            ToolSpec("c", "free text", is_custom=True),
        ),
        choice=ToolChoice(),
        is_legacy=False,
    )
    assert toolbox(tools=tools).customs == {"c"}


@pytest.mark.parametrize("absent", [{}, {"tools": None}, {"tools": []}, {"tools": [], "tool_choice": "auto"}])
def test_without_tools_nothing_can_be_called(absent: dict[str, Any]) -> None:
    assert toolbox(**absent).tools == ()


@pytest.mark.parametrize("nothing", [{}, {"description": None, "parameters": None, "strict": None}])
def test_a_function_needs_a_name_only(nothing: dict[str, Any]) -> None:
    assert toolbox(tools=[function("f", **nothing)]).tools == (ToolSpec("f"),)


@pytest.mark.parametrize("name", ["get_weather", "mcp__files-1.read", "functions.f", "a/b:c", "x" * 128])
def test_names_as_agents_write_them(name: str) -> None:
    assert toolbox(tools=[function(name)]).tools[0].name == name


@pytest.mark.parametrize(
    "kind",
    [
        "web_search",
        "web_search_preview_2025_03_11",
        "web_search_20250305",
        "code_interpreter",
        "openrouter:web_search",
        "computer_use_preview",
        "mcp",
        "shell",
        "bash_20250124",
    ],
)
def test_tools_that_only_providers_can_run_are_left_out_and_named(kind: str) -> None:
    box = toolbox(tools=[{"type": kind, "name": "x"}, function("f")])
    assert [tool.name for tool in box.tools] == ["f"]
    assert box.left_out == (f"tools[0].{kind}",)


@pytest.mark.parametrize("kind", ["function", "custom"])
def test_a_flat_tool_is_the_same_as_a_nested_one(kind: str) -> None:
    """Cursor writes them as the Responses API has them."""
    fields = {"name": "f", "description": "d"}
    assert toolbox(tools=[{"type": kind, **fields}]) == toolbox(tools=[{"type": kind, kind: fields}])
    assert toolbox(tools=[{"type": "function", "name": "f", "parameters": SCHEMA}]).tools[0].parameters == SCHEMA
    assert toolbox(tools=[{"name": "f", "type": None}]).tools == (ToolSpec("f"),)


@pytest.mark.parametrize("is_flat", [True, False])
def test_a_grammar_is_told_to_the_model_and_named(is_flat: bool) -> None:
    """Cursor's ApplyPatch."""
    definition = {"syntax": "lark", "definition": "start: /x/"}
    form = {"type": "grammar", **(definition if is_flat else {"grammar": definition})}
    tool = {"type": "custom", "name": "c", "description": "d", "format": form} if is_flat else custom("c", format=form)
    box = toolbox(tools=[function("f"), tool])
    assert box.tools[1].is_custom
    assert "start: /x/" in box.tools[1].description
    assert box.left_out == ("tools[1].custom.format",)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ([], None),
        ({"properties": []}, {"properties": {}}),
        ({"type": "object", "properties": None, "required": None}, {"type": "object"}),
        ({"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}, {"type": "object", "properties": {"a": {"type": "string"}}}),
        ({"properties": {"a": [], "b": {"items": []}}}, {"properties": {"a": {}, "b": {"items": {}}}}),
        ({"properties": {"a": {"default": None, "enum": ["x", None]}}}, {"properties": {"a": {"default": None, "enum": ["x", None]}}}),
    ],
)  # fmt: skip
def test_parameters_as_clients_of_other_languages_write_them(given: object, read: object) -> None:
    assert toolbox(tools=[function("f", parameters=given)]).tools[0].parameters == read


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, ToolChoice()),
        ("auto", ToolChoice()),
        ("required", ToolChoice(use=ToolUse.REQUIRED)),
        ("any", ToolChoice(use=ToolUse.REQUIRED)),
        ({"type": "required"}, ToolChoice(use=ToolUse.REQUIRED)),
        (
            {"type": "function", "function": {"name": "g"}},
            ToolChoice(use=ToolUse.REQUIRED, names=("g",), parallel=False),
        ),
        ({"type": "function", "name": "g"}, ToolChoice(use=ToolUse.REQUIRED, names=("g",), parallel=False)),
        ({"type": "custom", "custom": {"name": "c"}}, ToolChoice(use=ToolUse.REQUIRED, names=("c",), parallel=False)),
        ({"type": "tool", "name": "g"}, ToolChoice(use=ToolUse.REQUIRED, names=("g",), parallel=False)),
        ({"type": "auto", "function": {"name": ""}}, ToolChoice()),
        ({"type": "required", "function": {"name": ""}}, ToolChoice(use=ToolUse.REQUIRED)),
        ({"type": "auto", "function": None, "custom": [], "name": ""}, ToolChoice()),
        ({"type": "", "function": {"name": ""}}, ToolChoice()),
        ({}, ToolChoice()),
        ([], ToolChoice()),
        ("", ToolChoice()),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [function("g"), custom("c")]}},
            ToolChoice(use=ToolUse.AUTO, names=("g", "c")),
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [function("f")]}},
            ToolChoice(use=ToolUse.REQUIRED, names=("f",)),
        ),
    ],
)
def test_the_choice_among_them(asked: object, expected: ToolChoice) -> None:
    assert choice(asked) == expected


def test_calls_one_at_a_time() -> None:
    assert choice("auto", parallel_tool_calls=False).parallel is False
    assert choice("required", parallel_tool_calls=False).parallel is False
    assert choice("auto", parallel_tool_calls=None).parallel is True


def test_with_none_the_model_does_not_hear_of_them() -> None:
    box = toolbox(tools=[function("f")], tool_choice="none")
    assert (box.tools, box.choice.use) == ((), ToolUse.NONE)
    assert toolbox(tools=[function("f")], tool_choice={"type": "none", "function": {"name": ""}}) == box


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, ToolChoice(parallel=False)),
        ("auto", ToolChoice(parallel=False)),
        ({"name": "f"}, ToolChoice(use=ToolUse.REQUIRED, names=("f",), parallel=False)),
    ],
)
def test_the_older_form(asked: object, expected: ToolChoice) -> None:
    box = toolbox(functions=[{"name": "f", "parameters": SCHEMA}], function_call=asked)
    assert box == ChatTools(tools=(ToolSpec("f", "", SCHEMA),), choice=expected, is_legacy=True)
    assert toolbox(functions=[{"name": "f"}], function_call="none").tools == ()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [function("f"), function("f")]}, "tools"),
        ({"tools": [function("f"), custom("f")]}, "tools"),
        ({"tools": [function("a b")]}, "tools[0].function.name"),
        ({"tools": [function("f"), function("ü")]}, "tools[1].function.name"),
        ({"tools": [function("x" * 129)]}, "tools[0].function.name"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "custom"}]}, "tools[0].custom"),
        ({"tools": [{"type": "teleport"}]}, "tools[0].type"),
        ({"tools": [function("f", parameters="{}")]}, "tools[0].function.parameters"),
        ({"tools": [function("f", parameters={"properties": 5})]}, "tools[0].function.parameters.properties"),
        ({"tools": [function("f", parameters={"type": "string"})]}, "tools[0].function.parameters"),
        ({"tools": [custom("c", format={"type": "grammar", "grammar": {}})]}, "tools[0].custom.format"),
        ({"tools": [function()], "tool_choice": "maybe"}, "tool_choice"),
        ({"tools": [function()], "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
        ({"tools": [function()], "tool_choice": {"type": "custom", "custom": {"name": "g"}}}, "tool_choice"),
        ({"tools": [function()], "tool_choice": {"type": "function"}}, "tool_choice"),
        ({"tools": [function()], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        (
            {
                "tools": [function()],
                "tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": [function("g")]}},
            },
            "tool_choice",
        ),
        ({"tools": [], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [{"type": "mcp"}], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [function()], "functions": [{"name": "f"}]}, "functions"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call"),
        ({"function_call": {"name": "f"}}, "function_call"),
        ({"functions": [{"name": "f", "parameters": 5}]}, "functions[0].parameters"),
        ({"functions": [{"name": "f"}, {"name": "f"}]}, "functions"),
    ],
)
def test_what_cannot_be_offered_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        toolbox(**fields)
    assert refusal.value.param == param
