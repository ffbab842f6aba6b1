"""What a conversation looked like before is what its prompt begins with; whatever is new stays as it was sent."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.chat.prefix.forms import canonical_json
from modules.chat.prefix.repair import PrefixRepair, Repaired
from modules.engine.types import Usage
from modules.events import Content, Done, Event, FinishReason, Started, ToolCallDelta, ToolCallEnd, ToolCallStart
from modules.messages import ImagePart, Message, Role, TextPart, ToolCall, ToolSpec, text_message
from modules.requests import PREFIX_REPAIRS, ChatRequest

OWNER = "one"
READ = ToolSpec("read", "Reads.", {"type": "object", "properties": {"path": {"type": "string", "minLength": 1}}})
READ_TURNED = replace(READ, parameters={"properties": {"path": {"minLength": 1, "type": "string"}}, "type": "object"})
WRITE = ToolSpec("write", "Writes.", {"type": "object", "properties": {}})


def repairing(*names: str) -> PrefixRepair:
    return PrefixRepair(names or PREFIX_REPAIRS)


def user(text: str) -> Message:
    return text_message(Role.USER, text)


def said(text: str = "", *arguments: str) -> Message:
    calls = tuple(ToolCall(f"call_{number}", "read", each) for number, each in enumerate(arguments))
    return Message(role=Role.ASSISTANT, parts=(TextPart(text),) if text else (), tool_calls=calls)


def result(text: str) -> Message:
    return Message(role=Role.TOOL, parts=(TextPart(text),), tool_call_id="call_0")


def asking(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest(model=None, messages=messages, **fields)


async def turns_of(repair: PrefixRepair, *messages: Message, owner: str = OWNER) -> tuple[Message, ...]:
    return (await repair.repaired(asking(*messages), owner)).request.messages


async def tools_of(repair: PrefixRepair, *tools: ToolSpec, owner: str = OWNER) -> Repaired:
    return await repair.repaired(asking(user("Hi"), tools=tools), owner)


async def events_of(text: str, *arguments: str) -> AsyncGenerator[Event, None]:
    yield Started(model="m", prompt_tokens=1)
    yield Content(index=0, text=text)
    for number, each in enumerate(arguments):
        yield ToolCallStart(index=0, call=number, id=f"call_{number}", name="read")
        for piece in (each[:3], each[3:]):
            yield ToolCallDelta(index=0, call=number, arguments=piece)
        yield ToolCallEnd(index=0, call=number)
    yield Done(index=0, reason=FinishReason.STOP, usage=Usage())


async def replied(
    repair: PrefixRepair, request: ChatRequest, text: str, *arguments: str, disk_limit: int = 0
) -> list[Event]:
    repaired = await repair.repaired(request, OWNER)
    async with aclosing(repair.noting(events_of(text, *arguments), repaired, lambda _: disk_limit)) as events:
        return [event async for event in events]


async def test_tools_keep_their_first_order_and_spelling() -> None:
    repair = repairing()
    first = await tools_of(repair, READ, WRITE)
    assert first.request.tools == (READ, WRITE)
    assert first.names == ()
    again = await tools_of(repair, WRITE, READ_TURNED)
    assert json.dumps([tool.parameters for tool in again.request.tools]) == json.dumps(
        [READ.parameters, WRITE.parameters]
    )
    assert again.names == ("json-keys-reordered", "tools-reordered")


async def test_each_class_can_be_off() -> None:
    only_tools, only_json, none = repairing("tools"), repairing("json"), repairing("billing")
    for repair in (only_tools, only_json, none):
        await tools_of(repair, READ, WRITE)
    assert [tool.name for tool in (await tools_of(only_tools, WRITE, READ)).request.tools] == ["read", "write"]
    assert (await tools_of(only_tools, WRITE, READ_TURNED)).names == ()
    turned = await tools_of(only_json, WRITE, READ_TURNED)
    assert [tool.name for tool in turned.request.tools] == ["write", "read"]
    assert turned.names == ("json-keys-reordered",)
    assert (await tools_of(none, WRITE, READ)).request.tools == (WRITE, READ)


async def test_other_tools_are_other_tools() -> None:
    repair = repairing()
    await tools_of(repair, READ, WRITE)
    for tools in (
        (WRITE, READ, ToolSpec("more")),
        (replace(WRITE, description="Deletes."), READ),
        (WRITE, replace(READ, parameters={"type": "object", "properties": {"path": {"type": "string"}}})),
        (WRITE,),
        (WRITE, READ, READ),
    ):
        assert (await tools_of(repair, *tools)).request.tools == tools
    assert (await tools_of(repair, WRITE, READ, owner="another")).request.tools == (WRITE, READ)


async def test_a_reply_is_spelled_as_it_was_generated() -> None:
    repair = repairing()
    begun = asking(user("Read it."))
    await replied(repair, begun, "\nSure. ", '{"path":"a.py",  "lines": [1, 2.0]}')
    sent = said("Sure.", '{"lines": [1, 2], "path": "a.py"}')
    told = await turns_of(repair, user("Read it."), sent, result("done"))
    assert told[1] == said("\nSure. ", '{"path":"a.py",  "lines": [1, 2.0]}')
    assert told[::2] == (user("Read it."), result("done"))
    assert told[1].tool_calls[0].is_own


async def test_a_call_that_was_generated_elsewhere_is_not_the_models_own() -> None:
    repair = repairing()
    turns = (user("Go."), said("", '{"b":1,"a":2}'), result("done"))
    await turns_of(repair, *turns)
    told = await turns_of(repair, user("Go."), said("", '{"a": 2, "b": 1}'), result("done"))
    assert told == turns
    assert not told[1].tool_calls[0].is_own


async def test_earlier_turns_are_spelled_as_they_were_when_new() -> None:
    repair = repairing()
    first = (text_message(Role.SYSTEM, "Rules.\n"), user("Read it. "))
    assert await turns_of(repair, *first) == first
    called = said("", '{"path": "a.py"}')
    with_result = (*first, called, result('{"b": 1, "a": [true]}\n'))
    assert await turns_of(repair, *with_result) == with_result
    respelled = (
        text_message(Role.SYSTEM, "Rules."),
        user("Read it."),
        said("", '{"path":"a.py"}'),
        result('{"a":[true],"b":1}'),
        said("Done."),
        user(" And now? "),
    )
    repaired = await repair.repaired(asking(*respelled), OWNER)
    assert repaired.request.messages == (*with_result, said("Done."), user(" And now? "))
    assert repaired.names == ("spelling-restored",)


async def test_what_is_new_stays_as_it_was_sent() -> None:
    """Who compares prompts, or a file before and after it was formatted, must get what he sent."""
    repair = repairing()
    for text in ("Hello", "Hello ", "\nHello"):
        assert await turns_of(repair, text_message(Role.SYSTEM, f" {text}"), user(text)) == (
            text_message(Role.SYSTEM, f" {text}"),
            user(text),
        )
    pretty, compact = '{\n  "a": 1\n}', '{"a": 1}'
    history = (user("Go."), said("", "{}"), result(pretty), said("", "{}"), result(compact))
    for end in (3, 5):
        assert await turns_of(repair, *history[:end]) == history[:end]
    assert await turns_of(repair, *history, said("x"), user("y")) == (*history, said("x"), user("y"))


async def test_another_conversation_is_another_one() -> None:
    repair = repairing()
    turns = (user("Go."), said("", "{}"), result('{"b": 1, "a": 2}'))
    await turns_of(repair, *turns)
    turned = (said("", "{}"), result('{"a": 2, "b": 1}'), said("x"), user("y"))
    for first in (user("Go!"), Message(role=Role.USER, parts=(TextPart("Go."), ImagePart("data:,")))):
        assert await turns_of(repair, first, *turned) == (first, *turned)
    assert await turns_of(repair, user("Go."), *turned, owner="another") == (user("Go."), *turned)
    assert (await turns_of(repair, user("Go."), *turned))[2] == turns[2]


async def test_a_reply_that_is_gone_on_with_keeps_its_end() -> None:
    repair = repairing()
    await replied(repair, asking(user("Go.")), "Well, ")
    begun = (user("Go."), said("Well,"))
    repaired = await repair.repaired(asking(*begun, continue_last=True), OWNER)
    assert repaired.request.messages == begun
    assert (await turns_of(repair, *begun, user("?")))[1] == said("Well, ")


async def test_a_count_remembers_nothing() -> None:
    repair = repairing()
    await repair.repaired(asking(user("Go. "), said("a"), user("b"), tools=(READ, WRITE)), OWNER, notes=False)
    assert await turns_of(repair, user("Go."), said("a"), user("b")) == (user("Go."), said("a"), user("b"))
    assert (await tools_of(repair, WRITE, READ)).request.tools == (WRITE, READ)


async def test_a_request_says_itself_what_may_be_repaired() -> None:
    repair = repairing("tools")
    told = text_message(Role.SYSTEM, "It is 14:05.")
    assert (await repair.repaired(asking(told), OWNER)).request.messages == (told,)
    rounded = await repair.repaired(asking(told, prefix_repair=("times",)), OWNER)
    assert rounded.request.messages == (text_message(Role.SYSTEM, "It is 14:00."),)
    assert rounded.names == ("times-rounded",)


async def test_started_names_the_repairs() -> None:
    repair = repairing()
    counter = text_message(Role.SYSTEM, "<total_tokens>5 tokens left</total_tokens>")
    events = await replied(repair, asking(user("Go."), counter), "Yes.")
    assert events[0] == Started(model="m", prompt_tokens=1, repairs=("counters-removed",))
    assert events[1:] == [Content(index=0, text="Yes."), Done(index=0, reason=FinishReason.STOP, usage=Usage())]


async def test_memory_is_bounded() -> None:
    repair = PrefixRepair(PREFIX_REPAIRS, most=100_000)
    for number in range(300):
        await turns_of(repair, user(f"{number} "), said("a"), result(json.dumps({"a": "x" * 2000})))
        await tools_of(repair, ToolSpec(f"t{number}", "x" * 500), WRITE)
    assert repair.size <= 100_000


async def test_a_long_conversation_is_read_off_the_event_loop() -> None:
    repair = repairing()
    turns = (user("x" * 100_000 + " "), said("a"), user("b"))
    await turns_of(repair, turns[0])
    assert await turns_of(repair, user("x" * 100_000), *turns[1:]) == turns


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _turned(each) for key, each in reversed(value.items())}
    return [_turned(each) for each in value] if isinstance(value, list) else value


@given(JSON)
def test_an_order_of_keys_is_a_spelling(value: Any) -> None:
    spelled = [json.dumps(value), json.dumps(_turned(value), indent=2, ensure_ascii=False)]
    found = {canonical_json(text) for text in spelled}
    assert len(found) == 1
    assert (found == {None}) is not isinstance(value, dict | list)


@pytest.mark.parametrize(
    "texts",
    [('{"a": 1, "a": 2}', '{"a": 2}'), ("[1]", "[1.5]"), ("{1}", "{1}"), ("[1, 2]", "[2, 1]"), ('["1"]', "[1]")],
)
def test_what_differs_in_meaning_is_something_else(texts: Sequence[str]) -> None:
    found = [canonical_json(text) for text in texts]
    assert found[0] is None or found[0] != found[1]
