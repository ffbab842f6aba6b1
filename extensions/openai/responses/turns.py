"""Items → the turns of a conversation. Pure; the turns of a history that grew begin with those it had before."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from extensions.openai.responses.foreign_items import readable
from extensions.openai.responses.items import (
    CustomToolCallItem,
    CustomToolCallOutputItem,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputMessageItem,
    Item,
    OutputMessageItem,
    OutputText,
    ReasoningItem,
    Refusal,
)
from extensions.openai.responses.namespaces import CallName
from extensions.openai.responses.thoughts import thought_of
from modules.messages import Message, Role, TextPart, ToolCall, text_message


def turns_of(items: Sequence[Item], instructions: str | None) -> tuple[Message, ...]:
    """`instructions` come first. A thought, what was said after it and the calls after that are one turn."""
    first = [text_message(Role.SYSTEM, instructions)] if instructions else []
    return (*first, *_turns(list(readable(items))))


def _turns(items: Sequence[Item]) -> Iterator[Message]:
    calls = [item for item in items if isinstance(item, FunctionCallItem | CustomToolCallItem)]
    names = {item.call_id: _name(item) for item in calls}
    said: Message | None = None
    for item in items:
        spoken = _spoken(item)
        if spoken is None or (said is not None and not _follows(said, item)):
            yield from _worth_saying(said)
            said = None
        if spoken is None:
            yield _heard(item, names)
        else:
            said = spoken if said is None else _joined(said, spoken)
    yield from _worth_saying(said)


def _worth_saying(said: Message | None) -> Iterator[Message]:
    """Not a thought that another server sealed, when nothing came of it."""
    if said is not None and (said.parts or said.tool_calls or said.reasoning):
        yield said


def _spoken(item: Item) -> Message | None:
    """What the assistant did, None for what came from outside."""
    match item:
        case ReasoningItem():
            return Message(role=Role.ASSISTANT, reasoning=thought_of(item) or None)
        case OutputMessageItem():
            return Message(role=Role.ASSISTANT, parts=tuple(TextPart(_text(part)) for part in item.content))
        case FunctionCallItem():
            return _call(item.call_id, _name(item), item.arguments)
        case CustomToolCallItem():
            return _call(item.call_id, _name(item), json.dumps({"input": item.input}, ensure_ascii=False))
        case _:
            return None


def _name(item: FunctionCallItem | CustomToolCallItem) -> str:
    return CallName(item.name, item.namespace).model_name


def _call(call_id: str, name: str, arguments: str) -> Message:
    return Message(role=Role.ASSISTANT, tool_calls=(ToolCall(call_id, name, arguments),))


def _follows(said: Message, item: Item) -> bool:
    """Calls go on with any turn, a text with a thought, a thought with nothing but thoughts."""
    if isinstance(item, ReasoningItem):
        return not said.parts and not said.tool_calls
    return isinstance(item, FunctionCallItem | CustomToolCallItem) or not (said.parts or said.tool_calls)


def _joined(said: Message, more: Message) -> Message:
    thoughts = [thought for thought in (said.reasoning, more.reasoning) if thought]
    return replace(
        said,
        parts=said.parts + more.parts,
        tool_calls=said.tool_calls + more.tool_calls,
        reasoning="\n\n".join(thoughts) or None,
    )


def _heard(item: Item, names: dict[str, str]) -> Message:
    match item:
        case InputMessageItem():
            role = Role.USER if item.role == "user" else Role.SYSTEM
            return Message(role=role, parts=tuple(TextPart(part.text) for part in item.content))
        case FunctionCallOutputItem() | CustomToolCallOutputItem():
            return Message(
                role=Role.TOOL,
                parts=tuple(TextPart(part.text) for part in item.output),
                name=names.get(item.call_id),
                tool_call_id=item.call_id,
            )
        case _:
            raise AssertionError("the assistant's own item")


def _text(part: OutputText | Refusal) -> str:
    return part.text if isinstance(part, OutputText) else part.refusal
