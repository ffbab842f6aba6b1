"""Anthropic's turns of blocks → our messages. Pure; what cannot be used is a BadRequest that names the block."""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from extensions.openai.messages.schema import BlockSource, ContentBlock, ConversationFields, MessageTurn
from extensions.openai.messages.signature import carried_thought
from modules.errors import BadRequest
from modules.messages import Message, Role, ToolCall, text_message

_log = logging.getLogger(__name__)

_BILLING: Final = re.compile(r"\Ax-anthropic-billing-header:[^\n]*\n*")
_SERVER_CALLS: Final = frozenset({"server_tool_use", "mcp_tool_use", "container_upload"})
_READS_TEXT_ONLY: Final = "The loaded model reads text only."


def messages_of(body: ConversationFields) -> tuple[Message, ...]:
    """Raises BadRequest. Turns of one role in a row are one turn, and results of tools turns of their own."""
    names = _call_names(body.messages)
    system = _system_text(body.system or (), "system")
    turns = [text_message(Role.SYSTEM, system)] if system else []
    for number, turn in enumerate(body.messages):
        turns += _turn(turn, f"messages[{number}]", names)
    return tuple(message for role, run in groupby(turns, lambda turn: turn.role) for message in _joined(role, [*run]))


def _turn(turn: MessageTurn, path: str, names: dict[str, str]) -> Iterator[Message]:
    match turn.role:
        case "user":
            yield from _user_turns(turn.content, f"{path}.content", names)
        case "assistant":
            yield _assistant_turn(turn.content, f"{path}.content")
        case "system":
            yield text_message(Role.SYSTEM, _system_text(turn.content, f"{path}.content"))


def _system_text(blocks: Sequence[ContentBlock], path: str) -> str:
    """Without the line that Claude Code puts first. It says who pays, with a value that is another one each time: as
    the prompt's beginning it would keep everything after it from being found in the prefix cache."""
    texts = (_BILLING.sub("", _text(block, f"{path}[{number}]")) for number, block in enumerate(blocks))
    return "\n".join(text for text in texts if text)


def _user_turns(blocks: Sequence[ContentBlock], path: str, names: dict[str, str]) -> Iterator[Message]:
    said: list[str] = []
    for number, block in enumerate(blocks):
        if block.type != "tool_result":
            said.append(_text(block, f"{path}[{number}]"))
            continue
        if said:
            yield text_message(Role.USER, "\n".join(said))
            said = []
        yield _tool_turn(block, f"{path}[{number}]", names)
    if said or not blocks:
        yield text_message(Role.USER, "\n".join(said))


def _tool_turn(block: ContentBlock, path: str, names: dict[str, str]) -> Message:
    if block.tool_use_id is None:
        raise _missing(f"{path}.tool_use_id")
    text = _nested_text(block.content, f"{path}.content")
    text = _as_error(text) if block.is_error else text
    name = names.get(block.tool_use_id)
    return Message(role=Role.TOOL, parts=text_message(Role.TOOL, text).parts, tool_call_id=block.tool_use_id, name=name)


def _as_error(text: str) -> str:
    if not text:
        return "Error: the tool failed."
    return text if text.lower().startswith(("error", "<tool_use_error>")) else f"Error: {text}"


def _assistant_turn(blocks: Sequence[ContentBlock], path: str) -> Message:
    said: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    for number, block in enumerate(blocks):
        match block.type:
            case "thinking":
                thoughts.append(block.thinking or carried_thought(block.signature or ""))
            case "redacted_thinking":
                continue
            case "tool_use":
                calls.append(_call(block, f"{path}[{number}]"))
            case _:
                said.append(_text(block, f"{path}[{number}]"))
    return Message(
        role=Role.ASSISTANT,
        parts=text_message(Role.ASSISTANT, "".join(said)).parts if any(said) else (),
        tool_calls=tuple(calls),
        reasoning="\n".join(thought for thought in thoughts if thought) or None,
    )


def _call(block: ContentBlock, path: str) -> ToolCall:
    for field in ("id", "name"):
        if getattr(block, field) is None:
            raise _missing(f"{path}.{field}")
    return ToolCall(
        id=block.id or "", name=block.name or "", arguments=json.dumps(block.input or {}, ensure_ascii=False)
    )


def _text(block: ContentBlock, path: str) -> str:
    """The words of a block that a model of text can read."""
    match block.type:
        case "text":
            if block.text is None:
                raise _missing(f"{path}.text")
            return block.text
        case "document":
            return _titled(block, _document(block, path))
        case "search_result":
            return _titled(block, _nested_text(block.content, f"{path}.content"))
        case "compaction":
            return _nested_text(block.content, f"{path}.content")
        case "tool_reference":
            return block.tool_name or ""
        case "image":
            raise BadRequest(f"{_READS_TEXT_ONLY} {path} is an image.", param=path, code="not_supported")
    if block.type in _SERVER_CALLS or block.type.endswith("_tool_result"):
        _log.info("a block of the type %s belongs to a tool that is not run here; it is left out", block.type[:60])
        return ""
    raise BadRequest(f"{path}.type {block.type[:60]!r} is unknown here.", param=f"{path}.type")


def _document(block: ContentBlock, path: str) -> str:
    source = block.source
    if not isinstance(source, BlockSource):
        raise _missing(f"{path}.source")
    if source.type == "text":
        return source.data or ""
    if source.type == "content":
        return _nested_text(source.content, f"{path}.source.content")
    raise BadRequest(
        f"{_READS_TEXT_ONLY} {path} is a document whose source is {source.type[:60]!r}; send its words, with a source "
        "of the type text.",
        param=f"{path}.source",
        code="not_supported",
    )


def _titled(block: ContentBlock, text: str) -> str:
    source = block.source if isinstance(block.source, str) else None
    return "\n".join(part for part in (block.title, source, block.context, text) if part)


def _nested_text(blocks: object, path: str) -> str:
    if not isinstance(blocks, list | None):
        raise _no_blocks(path)
    return "\n".join(_nested_block(block, f"{path}[{number}]") for number, block in enumerate(blocks or ()))


def _nested_block(block: object, path: str) -> str:
    if not isinstance(block, ContentBlock):
        raise _no_blocks(path)
    return _text(block, path)


def _call_names(turns: Sequence[MessageTurn]) -> dict[str, str]:
    """Tool call id → the function's name, which a result does not say."""
    blocks = (block for turn in turns for block in turn.content if block.type == "tool_use")
    return {block.id: block.name for block in blocks if block.id and block.name}


def _joined(role: Role, run: list[Message]) -> list[Message]:
    if len(run) == 1 or role not in {Role.USER, Role.ASSISTANT}:
        return run
    text = "\n".join(message.text for message in run if message.text)
    joined = Message(
        role=role,
        parts=text_message(role, text).parts if text else (),
        tool_calls=tuple(call for message in run for call in message.tool_calls),
        reasoning="\n".join(message.reasoning for message in run if message.reasoning) or None,
    )
    return [joined]


def _no_blocks(path: str) -> BadRequest:
    return BadRequest(f"{path} must be a text or blocks with a type.", param=path)


def _missing(path: str) -> BadRequest:
    return BadRequest(f"{path} is missing.", param=path)
