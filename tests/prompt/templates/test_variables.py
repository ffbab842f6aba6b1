"""What a template is told beside the messages, and what of it a request may set."""

from typing import Any

import pytest

from modules.errors import BadRequest
from modules.messages import Message, Role, TextPart, ToolCall, ToolChoice, ToolSpec, ToolUse
from modules.prompt.conversation.messages import template_messages, with_pairs
from modules.prompt.templates.shape import IdStyle, Shape, may_fold_results, shape_of
from tests.golden.template_cases import TEMPLATES
from tests.prompt.prompting import bot, built, chat, prompt_of, user


async def shown(source: str, **options: Any) -> str:
    async with built() as builder:
        return await prompt_of(builder, chat(**options), chat_template=source)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "unset unset unset"),
        ({"enable_thinking": True}, "True True -1"),
        ({"enable_thinking": False}, "False False 0"),
        ({"enable_thinking": True, "thinking": False}, "True False -1"),
        ({"enable_thinking": True, "thinking_budget": 7}, "True True 7"),
    ],
)
async def test_thinking_has_several_names(arguments: dict[str, Any], expected: str) -> None:
    names = ("enable_thinking", "thinking", "thinking_budget")
    source = " ".join(f"{{{{ {name} | default('unset') }}}}" for name in names)
    assert await shown(source, template_arguments=arguments) == expected


async def test_budget_of_the_request_is_told() -> None:
    arguments = {"enable_thinking": True}
    assert await shown("{{ thinking_budget }}", template_arguments=arguments, reasoning_budget=99) == "99"


@pytest.mark.parametrize(
    "name",
    [
        *("messages", "tools", "documents", "add_generation_prompt", "continue_final_message", "chat_template"),
        *("tokenize", "return_dict", "return_tensors", "bos_token", "raise_exception", "range", "name1", "loop"),
        *("__class__", "a-b", "", "a b", "x" * 65, "(?i)"),
    ],
)
async def test_what_is_the_programs_own_cannot_be_set(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await shown("x", template_arguments={name: "x"})
    assert caught.value.param == "chat_template_kwargs"


@pytest.mark.parametrize("value", [{"a": 1}, [[1]], [1], ["x"] * 65, object()])
async def test_values_are_plain(value: object) -> None:
    with pytest.raises(BadRequest, match="model_identity") as caught:
        await shown("{{ model_identity }}", template_arguments={"model_identity": value})
    assert caught.value.param == "chat_template_kwargs"


async def test_what_the_template_does_not_mention_is_ignored() -> None:
    arguments = {"mode": "a", "other": "b", "builtin_tools": ["c", "d"]}
    source = "{{ mode }} {{ builtin_tools | join('+') }} {{ self_other | default('-') }}"
    assert await shown(source, template_arguments=arguments) == "a c+d -"


async def test_tools_are_hidden_when_none_may_be_called() -> None:
    source = "{{ tools | map(attribute='function') | map(attribute='name') | join(',') if tools else 'none' }}"
    tools = (ToolSpec("f"), ToolSpec("g"))
    assert await shown(source, tools=tools) == "f,g"
    assert await shown(source, tools=tools, tool_choice=ToolChoice(use=ToolUse.NONE)) == "none"
    # The prompt stays the same whichever may be called, so that the model finds it in its cache.
    assert await shown(source, tools=tools, tool_choice=ToolChoice(names=("g",))) == "f,g"


async def test_date_is_given_where_a_template_cannot_find_it() -> None:
    assert len(await shown("{{ date_string }}")) == len("01 Jan 2025")
    assert await shown("{{ date_string if date_string is defined else 'own' }}") == "own"


async def test_time_does_not_change_from_request_to_request() -> None:
    assert (await shown("{{ strftime_now('%M:%S.%f') }}")) == "00:00.000000"


def test_shapes_are_read_off_templates() -> None:
    def shape(name: str) -> Shape:
        return shape_of((TEMPLATES / f"{name}.jinja").read_text("utf-8"))

    assert shape("mistral") == Shape(ids=IdStyle.SHORT)
    assert shape("gpt-oss") == Shape(thought_or_text=True)
    assert shape("qwen3") == shape("hermes") == Shape()
    assert may_fold_results("{{ message['tool_responses'] }}{{ message.get('tool_responses') }}")
    assert may_fold_results("{{ m.tool_responses }}")
    assert not may_fold_results("{{ '<tool_responses>' }}")


def test_results_can_stand_with_their_calls() -> None:
    calls = (ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"))
    results = [
        Message(role=Role.TOOL, parts=(TextPart("1"),), tool_call_id="b"),
        Message(role=Role.TOOL, parts=(TextPart("2"),)),
    ]
    turns = [user("?"), bot("", tool_calls=calls), *results, user("!")]
    folded = template_messages(with_pairs(turns), shape=Shape(folds_results=True))
    assert [turn["role"] for turn in folded] == ["user", "assistant", "user"]
    assert folded[1]["tool_responses"] == [{"name": "g", "response": "1"}, {"name": "f", "response": "2"}]


def test_ids_are_made_short_and_stay_pairs() -> None:
    call = ToolCall("call_0123456789abcdef", "f", "{}")
    result = Message(role=Role.TOOL, parts=(TextPart("1"),), tool_call_id=call.id)
    turns = template_messages(with_pairs([bot("", tool_calls=(call,)), result], IdStyle.SHORT), shape=Shape())
    short = turns[0]["tool_calls"][0]["id"]
    assert short == turns[1]["tool_call_id"]
    assert len(short) == 9
    assert short.isalnum()


def test_missing_ids_are_paired_by_order() -> None:
    calls = (ToolCall("", "f", "{}"), ToolCall("", "g", "{}"))
    results = [Message(role=Role.TOOL, parts=(TextPart(text),)) for text in "12"]
    turns = template_messages(with_pairs([bot("", tool_calls=calls), *results]), shape=Shape())
    ids = [call["id"] for call in turns[0]["tool_calls"]]
    assert len(set(ids)) == 2
    assert [(turn["tool_call_id"], turn["name"]) for turn in turns[1:]] == [(ids[0], "f"), (ids[1], "g")]


def test_thought_and_text_before_a_call_become_one_where_only_one_is_allowed() -> None:
    reply = bot("b", reasoning="a", tool_calls=(ToolCall("c", "f", "{}"),))
    [turn] = template_messages([reply], shape=Shape(thought_or_text=True))
    assert (turn["thinking"], turn["content"]) == ("a\n\nb", "")


async def test_same_request_makes_the_same_prompt() -> None:
    call = ToolCall("", "f", '{"b": 1, "a": {"d": 2, "c": 3}}')
    result = Message(role=Role.TOOL, parts=(TextPart("1"),))
    request = chat(user("?"), bot("", tool_calls=(call,)), result, tools=(ToolSpec("f"),))
    for path in TEMPLATES.glob("*.jinja"):
        if path.stem == "gemma-3":
            continue
        async with built() as one, built() as other:
            texts = {await prompt_of(each, request, chat_template=path.read_text("utf-8")) for each in (one, other)}
        assert len(texts) == 1
