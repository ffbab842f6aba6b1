"""Replayed calls, well formed or not, in every way in which templates read them."""

import json
from typing import Any

import pytest

from modules.messages import Role, ToolCall, text_message
from modules.prompt.templates.render import TemplateRenderer
from modules.prompt.templates.shape import OWN, replayed_arguments
from modules.prompt.tokens import without_reserved
from tests.golden.template_cases import TEMPLATES
from tests.prompt.prompting import bot, built, chat, prompt_of, user

BROKEN = ['{"city": "Rom', "city=Rome", "[1, 2]", "7", '"x"', "[" * 5000, "{" * 5000, '{"a": 1}{"b": 2}']
FAMILIES = sorted(path.stem for path in TEMPLATES.glob("*.jinja"))


def rendered(source: str, text: str) -> str:
    calls = [{"function": {"name": "f", "arguments": text}}]
    variables: dict[str, Any] = {"messages": [{"role": "assistant", "tool_calls": calls}]}
    return TemplateRenderer().render("{% set a = messages[0].tool_calls[0].function.arguments %}" + source, variables)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ a }}", '{"x":[1],"y":"é"}'),
        ("{{ 'f' ~ a }}", 'f{"x":[1],"y":"é"}'),
        ("{{ 'f' + a + '!' }}", 'f{"x":[1],"y":"é"}!'),
        ("{{ a | string }}", '{"x":[1],"y":"é"}'),
        ("{{ a | tojson }}", '{"x": [1], "y": "é"}'),
        ("{{ {'arguments': a} | tojson }}", '{"arguments": {"x": [1], "y": "é"}}'),
        ("{% for k, v in a.items() %}{{ k }}={{ v }};{% endfor %}", "x=[1];y=é;"),
        ("{% for k, v in a | items %}{{ k }}={{ v }};{% endfor %}", "x=[1];y=é;"),
        ("{% for k in a %}{{ k }}{% endfor %}{{ a.x[0] }}{{ a['y'] }}", "xy1é"),
        ("{{ a is mapping }} {{ a is string }}", "True False"),
    ],
)
def test_arguments_are_object_and_text(source: str, expected: str) -> None:
    assert rendered(source, '{"x":[1],"y":"é"}') == expected


@pytest.mark.parametrize("text", ["", " ", "null", "{}"])
def test_no_arguments_are_an_empty_object(text: str) -> None:
    assert rendered("{{ a | tojson }}{{ a }}", text).startswith("{}")


def test_arguments_that_were_encoded_twice_are_an_object() -> None:
    assert rendered("{{ a | tojson }}{{ a }}", json.dumps('{"x": 1}')) == '{"x": 1}{"x": 1}'


@pytest.mark.parametrize("text", BROKEN)
def test_broken_arguments_are_what_was_written(text: str) -> None:
    assert rendered("{{ a | tojson }}|{{ a }}|{{ a ~ '' }}|{{ a + '' }}", text) == "|".join([text] * 4)
    assert rendered("{% for k, v in a | items %}{{ k ~ v }}{% endfor %}", text) == f"arguments{text}"
    assert rendered("{% for k, v in a.items() %}{{ k ~ v }}{% endfor %}", text) == f"arguments{text}"
    assert str(replayed_arguments(text)) == text


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "gemma-3"])
async def test_no_family_stumbles_over_broken_arguments(name: str, text: str) -> None:
    source = (TEMPLATES / f"{name}.jinja").read_text("utf-8")
    call = ToolCall("call_of_any_client", "f", text)
    turns = (user("a"), bot("", tool_calls=(call,)), text_message(Role.TOOL, "b"))
    async with built() as builder:
        assert "b" in await prompt_of(builder, chat(*turns), chat_template=source)


OWN_TEXT = '{"b":1,  "a":"\\u00e9"}'


@pytest.mark.parametrize("source", ["{{ a | tojson }}", "{{ a }}", "{{ '' + a }}"])
def test_what_the_model_wrote_itself_is_written_the_same(source: str) -> None:
    assert rendered(source, OWN + OWN_TEXT) == OWN_TEXT


def test_it_is_an_object_all_the_same() -> None:
    assert rendered("{% for key, value in a.items() %}{{ key ~ value }}{% endfor %}", OWN + OWN_TEXT) == "b1aé"
    assert rendered("{{ a | tojson(indent=2) }}", OWN + '{"b":1}') == '{\n  "b": 1\n}'
    assert rendered("{{ a | tojson }}", '{"b":1}') == '{"b": 1}'


def test_a_client_cannot_say_that_it_was_the_model() -> None:
    assert without_reserved(OWN + "{}") == "{}"
