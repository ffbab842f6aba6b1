"""Bodies in Anthropic's shape → what the model is asked."""

from typing import Any

import pytest

from extensions.openai.messages.inbound import counted_request, message_request, omits_thinking
from extensions.openai.messages.schema import CountTokensRequest, MessagesRequest, carrying_signature
from modules.errors import BadRequest
from modules.messages import FilePart, ImagePart, Message, Role, TextPart, ToolCall, ToolChoice, ToolSpec, ToolUse
from modules.requests import ChatRequest
from modules.settings.values import Settings

HI = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
READ = {"name": "Read", "description": "Reads a file.", "input_schema": SCHEMA}
USED = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "é"}}
CACHED = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def asked(**fields: Any) -> ChatRequest:
    body = MessagesRequest.model_validate({"max_tokens": 9, "messages": HI, **fields})
    settings = Settings()
    return message_request(body, settings, settings.sampling)


def turns(*messages: dict[str, Any], **fields: Any) -> tuple[Message, ...]:
    return asked(messages=list(messages), **fields).messages


def said(role: str, *blocks: Any) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


def text(words: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **fields}


def result(**fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "toolu_1", **fields}


def words(role: Role, text: str, **fields: Any) -> Message:
    return Message(role=role, parts=(TextPart(text),), **fields)


def test_texts_and_blocks_of_text_are_the_same() -> None:
    plain = asked(system="Be kind.", messages=HI)
    blocks = asked(system=[text("Be kind.", **CACHED)], messages=[said("user", text("Hi", **CACHED))])
    assert plain.messages == blocks.messages == (words(Role.SYSTEM, "Be kind."), words(Role.USER, "Hi"))


def test_blocks_of_one_turn_stand_on_lines_of_their_own() -> None:
    assert turns(said("user", text("a"), text("b")), system=[text("x"), text(""), text("y")]) == (
        words(Role.SYSTEM, "x\ny"),
        words(Role.USER, "a\nb"),
    )


def test_a_conversation_with_a_tool() -> None:
    conversation = turns(
        said("user", text("Read it.")),
        said("assistant", text("Sure."), USED),
        said("user", result(content=[text("one"), text("two")], **CACHED), text("And?")),
    )
    assert conversation == (
        words(Role.USER, "Read it."),
        words(Role.ASSISTANT, "Sure.", tool_calls=(ToolCall("toolu_1", "Read", '{"path": "é"}'),)),
        words(Role.TOOL, "one\ntwo", tool_call_id="toolu_1", name="Read"),
        words(Role.USER, "And?"),
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"content": "42"}, "42"),
        ({}, ""),
        ({"content": []}, ""),
        ({"content": "no such file", "is_error": True}, "Error: no such file"),
        ({"content": "Error: no such file", "is_error": True}, "Error: no such file"),
        ({"is_error": True}, "Error: the tool failed."),
        ({"content": [{"type": "tool_reference", "tool_name": "Read"}]}, "Read"),
        ({"content": [{"type": "search_result", "source": "s", "title": "t", "content": [text("w")]}]}, "t\ns\nw"),
    ],
)
def test_results_of_tools(fields: dict[str, Any], expected: str) -> None:
    assert turns(said("assistant", USED), said("user", result(**fields)))[1].text == expected


def test_turns_of_one_role_in_a_row_are_one() -> None:
    conversation = turns(said("user", text("a")), said("user", text("b")), said("assistant", text("c")), *HI)
    assert [(turn.role, turn.text) for turn in conversation] == [
        (Role.USER, "a\nb"),
        (Role.ASSISTANT, "c"),
        (Role.USER, "Hi"),
    ]


def test_results_of_two_calls_are_two_turns() -> None:
    second = USED | {"id": "toolu_2", "name": "Write"}
    results = (result(content="1"), {"type": "tool_result", "tool_use_id": "toolu_2", "content": "2"})
    conversation = turns(said("assistant", USED), said("assistant", second), said("user", *results))
    assert [call.id for call in conversation[0].tool_calls] == ["toolu_1", "toolu_2"]
    assert [(turn.name, turn.text) for turn in conversation[1:]] == [("Read", "1"), ("Write", "2")]


def test_system_turns_keep_their_place() -> None:
    conversation = turns(
        *HI, said("assistant", text("Hello")), said("system", text("Be brief.")), *HI, system="Be kind."
    )
    assert [turn.role for turn in conversation] == [Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.SYSTEM, Role.USER]


def test_thoughts_are_replayed() -> None:
    blocks = (
        {"type": "thinking", "thinking": "hm", "signature": "abc"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "thinking", "thinking": "", "signature": carrying_signature("unseen")},
        USED,
    )
    assert turns(said("assistant", *blocks), said("user", result(content="42")))[0] == Message(
        role=Role.ASSISTANT, reasoning="hm\nunseen", tool_calls=(ToolCall("toolu_1", "Read", '{"path": "é"}'),)
    )


def test_texts_of_documents_are_read() -> None:
    sources = (
        {"type": "text", "media_type": "text/plain", "data": "words"},
        {"type": "content", "content": "words"},
        {"type": "content", "content": [text("words")]},
    )
    for source in sources:
        document = {"type": "document", "source": source, "title": "Title", "context": "Context"}
        assert turns(said("user", document, text("Sum up.")))[0].text == "Title\nContext\nwords\nSum up."


def test_blocks_of_tools_that_ran_elsewhere_are_left_out() -> None:
    blocks = (
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u", "title": 1}]},
        text("Found."),
    )
    assert turns(*HI, said("assistant", *blocks), *HI)[1] == words(Role.ASSISTANT, "Found.")


def test_a_last_turn_of_the_assistant_is_continued() -> None:
    assert asked(messages=[*HI, said("assistant", text("The answer is ("))]).continue_last
    assert not asked().continue_last


def test_tools() -> None:
    request = asked(tools=[READ | CACHED, READ | {"type": "custom", "name": "Other", "strict": True}])
    assert request.tools == (
        ToolSpec("Read", "Reads a file.", SCHEMA),
        ToolSpec("Other", "Reads a file.", SCHEMA, strict=True),
    )
    assert request.tool_choice == ToolChoice()


def test_tools_that_run_elsewhere_are_skipped(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        request = asked(
            tools=[
                {"type": "web_search_20250305", "name": "web_search", "max_uses": 5},
                {"type": "bash_20250124", "name": "bash"},
                {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
                READ,
            ]
        )
    assert [tool.name for tool in request.tools] == ["Read"]
    assert all(name in caplog.text for name in ("web_search_20250305", "bash_20250124", "text_editor_20250728"))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, ToolChoice()),
        ({"type": "none"}, ToolChoice(use=ToolUse.NONE)),
        ({"type": "any"}, ToolChoice(use=ToolUse.REQUIRED)),
        ({"type": "tool", "name": "Read"}, ToolChoice(use=ToolUse.REQUIRED, names=("Read",))),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice(parallel=False)),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice(use=ToolUse.REQUIRED, parallel=False)),
    ],
)
def test_tool_choice(choice: dict[str, Any], expected: ToolChoice) -> None:
    assert asked(tools=[READ], tool_choice=choice).tool_choice == expected


@pytest.mark.parametrize(
    ("thinking", "switch", "budget"),
    [
        ({"type": "enabled", "budget_tokens": 2000}, True, 2000),
        ({"type": "adaptive"}, True, None),
        ({"type": "between_tools"}, True, None),
        ({"type": "disabled"}, False, 0),
    ],
)
def test_thinking(thinking: dict[str, Any], switch: bool, budget: int | None) -> None:
    request = asked(thinking=thinking)
    assert request.template_arguments["enable_thinking"] is switch
    assert request.reasoning_budget == budget
    assert asked().reasoning_budget is None


def test_what_is_shown_of_thoughts() -> None:
    for display, omits in (("omitted", True), ("summarized", False), (None, False)):
        body = {"max_tokens": 9, "messages": HI, "thinking": {"type": "adaptive", "display": display}}
        assert omits_thinking(MessagesRequest.model_validate(body)) is omits


def test_effort() -> None:
    assert asked(output_config={"effort": "high"}).template_arguments["reasoning_effort"] == "high"
    arguments = asked(output_config={"effort": "none"}).template_arguments
    assert arguments["enable_thinking"] is False
    assert "reasoning_effort" not in arguments


def test_nobody_asked_for_an_effort() -> None:
    assert "reasoning_effort" not in asked().template_arguments


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}, "output_config.format"),
        ({"output_format": {"type": "json_schema", "schema": SCHEMA}}, "output_format"),
    ],
)
def test_the_reply_can_be_held_to_a_schema(fields: dict[str, Any], param: str) -> None:
    constraint = asked(**fields).constraint
    assert constraint is not None
    assert (constraint.kind, constraint.param) == ("json_schema", param)
    assert "path" in constraint.text


def test_sampling_and_limits() -> None:
    request = asked(temperature=0.5, top_p=0.9, top_k=40, min_p=0.1, seed=3, stop_sequences=["A", ""], stop=["B"])
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.min_p, sampling.seed) == (
        0.5,
        0.9,
        40,
        0.1,
        3,
    )
    assert (request.limits.stop, request.limits.max_tokens) == (("A", "B"), 9)


def test_what_has_no_meaning_here_changes_nothing() -> None:
    inert = {
        "metadata": {"user_id": "u"},
        "cache_control": {"type": "ephemeral"},
        "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
        "service_tier": "auto",
        "container": {"id": "c", "skills": []},
        "mcp_servers": [{"type": "url", "url": "https://example.com", "name": "m"}],
        "inference_geo": "us",
        "speed": "fast",
        "diagnostics": {},
        "betas": ["x"],
        "something_new": 1,
    }
    assert asked(**inert) == asked()


def test_a_count_is_of_the_same_prompt() -> None:
    fields: dict[str, Any] = {"system": "Be kind.", "messages": HI, "tools": [READ], "thinking": {"type": "adaptive"}}
    counted = counted_request(CountTokensRequest.model_validate(fields), Settings())
    request = asked(**fields)
    assert (counted.messages, counted.tools, counted.template_arguments) == (
        request.messages,
        request.tools,
        request.template_arguments,
    )


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}


def test_pictures_and_documents_stand_where_they_were_sent() -> None:
    far = IMAGE | {"source": {"type": "url", "url": "http://x"}}
    paper = {"type": "document", "title": "a.pdf", "source": {"type": "base64", "data": "AAAA"}}
    sent = [
        said("user", text("See:"), text("this"), IMAGE, far),
        said("assistant", USED),
        said("user", result(content=[text("a"), IMAGE], is_error=True), text("and"), paper),
    ]
    first, _, shown, more = turns(*sent)
    picture = ImagePart("data:image/png;base64,AAAA")
    assert first.parts == (TextPart("See:\nthis"), picture, ImagePart("http://x"))
    assert shown.parts == (TextPart("Error: a"), picture)
    assert more.parts == (TextPart("and\na.pdf"), FilePart("data:;base64,AAAA", "a.pdf"))
    places = [part.param for part in (*first.parts, *shown.parts) if isinstance(part, ImagePart)]
    assert places == [
        "messages[0].content[2].source.data",
        "messages[0].content[3].source.url",
        "messages[2].content[0].content[1].source.data",
    ]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (
            {"messages": [said("user", IMAGE | {"source": {"type": "file", "file_id": "f"}})]},
            "messages[0].content[0].source.file_id",
        ),
        ({"messages": [said("user", IMAGE | {"source": {"type": "odd"}})]}, "messages[0].content[0].source.type"),
        ({"messages": [said("user", IMAGE | {"source": None})]}, "messages[0].content[0].source"),
        ({"messages": [said("user", IMAGE | {"source": {"type": "url"}})]}, "messages[0].content[0].source.url"),
        ({"messages": [said("user", {"type": "document"})]}, "messages[0].content[0].source"),
        ({"messages": [said("user", {"type": "text"})]}, "messages[0].content[0].text"),
        ({"messages": [said("user", {"type": "hologram"})]}, "messages[0].content[0].type"),
        ({"messages": [said("user", {"type": "tool_result", "content": "x"})]}, "messages[0].content[0].tool_use_id"),
        ({"messages": [said("user", result(content=5))]}, "messages[0].content[0].content"),
        ({"messages": [said("user", result(content=[{"no": "type"}]))]}, "messages[0].content[0].content[0]"),
        ({"messages": [said("assistant", USED | {"id": None}), *HI]}, "messages[0].content[0].id"),
        ({"messages": [said("assistant", USED | {"name": None}), *HI]}, "messages[0].content[0].name"),
        ({"messages": [*HI, said("assistant", USED)]}, "messages"),
        ({"system": [IMAGE]}, "system[0]"),
        ({"tools": [{"name": "Read"}]}, "tools[0].input_schema"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}], "tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [READ], "tool_choice": {"type": "tool", "name": "Write"}}, "tool_choice.name"),
        ({"tools": [READ], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
        (
            {"output_format": {"type": "json_schema", "schema": SCHEMA}, "guided_regex": "a+"},
            "output_format",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        asked(**fields)
    assert refused.value.param == param
    assert param.partition(".")[0].partition("[")[0] in refused.value.message.lower() or "turn" in refused.value.message
