"""Anthropic's turns of blocks → our messages. Pure; what cannot be used is a BadRequest that names the block."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from extensions.openai.messages.block_text import missing, nested_text, text_in
from extensions.openai.messages.pictures import without_earlier_pictures
from extensions.openai.messages.schema import ContentBlock, ConversationFields, MessageTurn
from extensions.openai.messages.signature import carried_thought
from modules.messages import Message, Role, ToolCall, text_message

_BILLING: Final = re.compile(r"\Ax-anthropic-billing-header:[^\n]*\n*")


def messages_of(body: ConversationFields) -> tuple[Message, ...]:
    """Raises BadRequest. Turns of one role in a row are one turn, and results of tools turns of their own."""
    names = _call_names(body.messages)
    system = _system_text(body.system or (), "system")
    turns = [text_message(Role.SYSTEM, system)] if system else []
    for number, turn in enumerate(without_earlier_pictures(body.messages)):
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
    texts = (_BILLING.sub("", text_in(block, f"{path}[{number}]")) for number, block in enumerate(blocks))
    return "\n".join(text for text in texts if text)


def _user_turns(blocks: Sequence[ContentBlock], path: str, names: dict[str, str]) -> Iterator[Message]:
    said: list[str] = []
    for number, block in enumerate(blocks):
        if block.type != "tool_result":
            said.append(text_in(block, f"{path}[{number}]"))
            continue
        if any(said):
            yield _user_turn(said)
        said = []
        yield _tool_turn(block, f"{path}[{number}]", names)
    if said or not blocks:
        yield _user_turn(said)


def _user_turn(texts: Sequence[str]) -> Message:
    return text_message(Role.USER, "\n".join(text for text in texts if text))


def _tool_turn(block: ContentBlock, path: str, names: dict[str, str]) -> Message:
    if block.tool_use_id is None:
        raise missing(f"{path}.tool_use_id")
    text = nested_text(block.content, f"{path}.content")
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
                said.append(text_in(block, f"{path}[{number}]"))
    return Message(
        role=Role.ASSISTANT,
        parts=text_message(Role.ASSISTANT, "".join(said)).parts if any(said) else (),
        tool_calls=tuple(calls),
        reasoning="\n".join(thought for thought in thoughts if thought) or None,
    )


def _call(block: ContentBlock, path: str) -> ToolCall:
    for field in ("id", "name"):
        if getattr(block, field) is None:
            raise missing(f"{path}.{field}")
    return ToolCall(
        id=block.id or "", name=block.name or "", arguments=json.dumps(block.input or {}, ensure_ascii=False)
    )


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
