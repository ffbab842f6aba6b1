"""Conversation items → messages. Pure; a longer history begins with the messages of the shorter.

Items of tools that this server does not have become readable text.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from extensions.openai.common.items.schema import (
    CallName,
    CustomToolCallItem,
    CustomToolCallOutputItem,
    ForeignItem,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputContent,
    InputFile,
    InputImage,
    InputMessageItem,
    InputRole,
    InputText,
    Item,
    OutputMessageItem,
    OutputText,
    ReasoningItem,
    Refusal,
    thought_of,
)
from extensions.openai.common.items.screenshots import screenshots_of, without_pictures
from modules.messages import AudioPart, FilePart, ImagePart, Message, Part, Role, TextPart, ToolCall, text_message

# What can be called from there on; it says nothing by itself.
TOOL_ITEMS: Final = frozenset({"additional_tools", "tool_search_output"})
# Items that steer the client or the server and say nothing to a model.
_SILENT: Final = frozenset({"additional_tools", "compaction", "compaction_trigger", "configuration_update"})
# Which field says what was to be done.
_CALLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "apply_patch_call": "operation",
        "computer_call": "action",
        "local_shell_call": "action",
        "program": "code",
        "shell_call": "action",
        "tool_search_call": "arguments",
    }
)
# Which fields hold what was to be done, and what came of it, in one item.
_ANSWERED: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = MappingProxyType(
    {
        "code_interpreter_call": (("code",), ("outputs",)),
        "file_search_call": (("queries",), ("results",)),
        "image_generation_call": (("revised_prompt",), ()),
        "mcp_call": (("arguments",), ("output", "error")),
        "web_search_call": (("action",), ("results",)),
    }
)
# Ids, sizes and bytes: a model would read them as text and copy them into its answers.
_WITHOUT_WORDS: Final = frozenset(
    {"call_id", "created_by", "encrypted_content", "fingerprint", "id", "image_url", "max_output_length", "role"}
    | {"object", "phase", "status", "type"}
)
# A data URL that is longer holds a picture or a file, in a base64 that no model reads.
_LONGEST_DATA: Final = 100


def readable(items: Sequence[Item]) -> Iterator[Item]:
    """The same history without foreign items. Nothing stands for what says nothing."""
    called: dict[str, str] = {}
    for item in items:
        if isinstance(item, ForeignItem):
            yield from _read(item, called)
        else:
            yield item


def _read(item: ForeignItem, called: dict[str, str]) -> Iterator[Item]:
    kind, fields = item.type, item.fields
    if kind in _SILENT:
        return
    if kind in _ANSWERED:
        yield from _answered(item, *_ANSWERED[kind])
    elif kind in _CALLS:
        name = kind.removesuffix("_call")
        call_id = _id_of(item)
        called[call_id] = name
        yield _foreign_call(item, call_id, name, fields.get(_CALLS[kind], fields.get("actions")))
    elif kind.endswith("_output"):
        yield from _output(item, called)
    else:
        yield from _unknown(item)


def _id_of(item: ForeignItem) -> str:
    return str(item.fields.get("call_id") or item.id)


def _foreign_call(item: ForeignItem, call_id: str, name: str, asked: object) -> Item:
    return FunctionCallItem(id=item.id, call_id=call_id, name=name, arguments=_arguments(asked))


def _arguments(asked: object) -> str:
    """JSON of an object, as the arguments of every call are."""
    if isinstance(asked, str):
        try:
            return asked if isinstance(json.loads(asked), dict) else json.dumps({"input": asked}, ensure_ascii=False)
        except ValueError:
            return json.dumps({"input": asked}, ensure_ascii=False)
    plain = _plain(asked)
    return json.dumps(plain if isinstance(plain, dict) else {"input": plain} if plain else {}, ensure_ascii=False)


def _answered(item: ForeignItem, asked: Sequence[str], answered: Sequence[str]) -> Iterator[Item]:
    """A call and its output, where the item has both; else what it says, as the assistant's text."""
    question = [value for name in asked if (value := item.fields.get(name))]
    answer = "\n".join(text for name in answered if (text := _words(item.fields.get(name))))
    if not question and not answer:
        return
    name = str(item.fields.get("name") or item.type.removesuffix("_call"))
    if answer:
        yield _foreign_call(item, item.id, name, question[0] if question else {})
        yield FunctionCallOutputItem(id=item.id, call_id=item.id, output=[InputText(text=answer)])
    else:
        yield _note_of_assistant(item, f"[{name}: {_words(question[0])}]")


def _output(item: ForeignItem, called: Mapping[str, str]) -> Iterator[Item]:
    """Of a call that the history holds, its output; of another one, what the user passed on."""
    reader = _OUTPUTS.get(item.type, _any_output)
    text, pictures = reader(item.fields), screenshots_of(item)
    call_id = _id_of(item)
    if call_id in called:
        said = [InputText(text=text)] if text or not pictures else []
        yield FunctionCallOutputItem(id=item.id, call_id=call_id, output=[*said, *pictures])
    elif text or pictures:
        told = ": ".join(filter(None, (item.type.removesuffix("_output"), text)))
        yield _note_of_user(item, "user", f"[{told}]", pictures)


def _shell_output(fields: Mapping[str, Any]) -> str:
    chunks = fields.get("output")
    if not isinstance(chunks, list):
        return _words(chunks)
    return "\n".join(text for chunk in chunks if (text := _shell_chunk(chunk)))


def _shell_chunk(chunk: object) -> str:
    if not isinstance(chunk, dict):
        return _words(chunk)
    outcome = chunk.get("outcome")
    outcome = outcome if isinstance(outcome, dict) else {}
    lines = [_words(chunk.get("stdout")), _words(chunk.get("stderr"))]
    if outcome.get("type") == "timeout":
        lines.append("(timed out)")
    elif outcome.get("exit_code"):
        lines.append(f"(exit code {outcome['exit_code']})")
    return "\n".join(line.rstrip("\n") for line in lines if line)


def _patch_output(fields: Mapping[str, Any]) -> str:
    said, status = _words(fields.get("output")), _words(fields.get("status"))
    return f"{status}: {said}" if said and status == "failed" else said or status


def _search_output(fields: Mapping[str, Any]) -> str:
    tools = fields.get("tools")
    names = [str(tool["name"]) for tool in tools or () if isinstance(tool, dict) and tool.get("name")]
    return f"Tools found: {', '.join(names)}" if names else "No tools were found."


def _any_output(fields: Mapping[str, Any]) -> str:
    return _words(without_pictures(fields["output"]) if "output" in fields else fields.get("result"))


_OUTPUTS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = MappingProxyType(
    {
        "apply_patch_call_output": _patch_output,
        "shell_call_output": _shell_output,
        "tool_search_output": _search_output,
    }
)


def _unknown(item: ForeignItem) -> Iterator[Item]:
    """All its words, as the assistant's where it is something the model did."""
    fields = {name: value for name, value in item.fields.items() if name not in _WITHOUT_WORDS}
    text = _words(fields["content"] if list(fields) == ["content"] else fields)
    if not text:
        return
    role = item.fields.get("role")
    if role == "assistant" or (role is None and item.type.endswith(("_call", "_request"))):
        yield _note_of_assistant(item, text)
    else:
        yield _note_of_user(item, "developer" if role in ("system", "developer") or _is_list(item) else "user", text)


def _is_list(item: ForeignItem) -> bool:
    return item.type == "mcp_list_tools"


def _note_of_assistant(item: ForeignItem, text: str) -> Item:
    return OutputMessageItem(id=item.id, content=[OutputText(text=text)])


def _note_of_user(item: ForeignItem, role: InputRole, text: str, pictures: Sequence[InputImage] = ()) -> Item:
    return InputMessageItem(id=item.id, role=role, content=[InputText(text=text), *pictures])


def _words(value: object) -> str:
    """A text as it is, the texts of parts, and JSON of everything else that says something."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(part, dict) and "text" in part for part in value):
        return "\n".join(str(part["text"]) for part in value)
    plain = _plain(value)
    return json.dumps(plain, ensure_ascii=False) if plain not in (None, {}, [], "") else ""


def _plain(value: object) -> object:
    """Without nulls, bookkeeping and the bytes of pictures."""
    if isinstance(value, dict):
        kept = {name: _plain(each) for name, each in value.items() if name != "image_url" and each is not None}
        return {name: each for name, each in kept.items() if each is not None}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, str) and value.startswith("data:") and len(value) > _LONGEST_DATA:
        return None
    return value


def turns_of(items: Sequence[Item], instructions: str | None) -> tuple[Message, ...]:
    """`instructions` come first. A thought, what was said after it and the calls after that are one turn."""
    first = [text_message(Role.SYSTEM, instructions)] if instructions else []
    return (*first, *_turns(list(readable(items))))


def _turns(items: Sequence[Item]) -> Iterator[Message]:
    calls = [item for item in items if isinstance(item, FunctionCallItem | CustomToolCallItem)]
    names = {item.call_id: _name(item) for item in calls}
    said: Message | None = None
    for item in items:
        spoken = _assistant_message(item)
        if spoken is None or (said is not None and not _follows(said, item)):
            yield from _if_not_empty(said)
            said = None
        if spoken is None:
            yield _input_message(item, names)
        else:
            said = spoken if said is None else _merged(said, spoken)
    yield from _if_not_empty(said)


def _if_not_empty(said: Message | None) -> Iterator[Message]:
    """Not a thought that another server sealed, when nothing came of it."""
    if said is not None and (said.parts or said.tool_calls or said.reasoning):
        yield said


def _assistant_message(item: Item) -> Message | None:
    """What the assistant did, None for what came from outside."""
    match item:
        case ReasoningItem():
            return Message(role=Role.ASSISTANT, reasoning=thought_of(item) or None)
        case OutputMessageItem():
            return Message(role=Role.ASSISTANT, parts=tuple(TextPart(_text(part)) for part in item.content))
        case FunctionCallItem():
            return _assistant_call(item.call_id, _name(item), item.arguments)
        case CustomToolCallItem():
            return _assistant_call(item.call_id, _name(item), json.dumps({"input": item.input}, ensure_ascii=False))
        case _:
            return None


def _name(item: FunctionCallItem | CustomToolCallItem) -> str:
    return CallName(item.name, item.namespace).model_name


def _assistant_call(call_id: str, name: str, arguments: str) -> Message:
    return Message(role=Role.ASSISTANT, tool_calls=(ToolCall(call_id, name, arguments),))


def _follows(said: Message, item: Item) -> bool:
    """Calls go on with any turn, a text with a thought, a thought with nothing but thoughts."""
    if isinstance(item, ReasoningItem):
        return not said.parts and not said.tool_calls
    return isinstance(item, FunctionCallItem | CustomToolCallItem) or not (said.parts or said.tool_calls)


def _merged(said: Message, more: Message) -> Message:
    thoughts = [thought for thought in (said.reasoning, more.reasoning) if thought]
    return replace(
        said,
        parts=said.parts + more.parts,
        tool_calls=said.tool_calls + more.tool_calls,
        reasoning="\n\n".join(thoughts) or None,
    )


def _input_message(item: Item, names: dict[str, str]) -> Message:
    match item:
        case InputMessageItem():
            role = Role.USER if item.role == "user" else Role.SYSTEM
            return Message(role=role, parts=_parts(item.content))
        case FunctionCallOutputItem() | CustomToolCallOutputItem():
            return Message(
                role=Role.TOOL,
                parts=_parts(item.output),
                name=names.get(item.call_id),
                tool_call_id=item.call_id,
            )
        case _:
            raise AssertionError("the assistant's own item")


def _parts(content: Sequence[InputContent]) -> tuple[Part, ...]:
    return tuple(_part(part) for part in content)


def _part(part: InputContent) -> Part:
    match part:
        case InputText():
            return TextPart(part.text)
        case InputImage():
            return ImagePart(part.image_url, part.detail, param=part.place)
        case InputAudio():
            return AudioPart(part.input_audio.data, part.input_audio.format, param=part.place)
        case InputFile():
            return FilePart(part.file_data or part.file_url or "", part.filename, param=part.place)


def _text(part: OutputText | Refusal) -> str:
    return part.text if isinstance(part, OutputText) else part.refusal
