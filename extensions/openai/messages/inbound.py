"""The body of a Messages request → our ChatRequest. Pure; raises BadRequest."""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final

from extensions.openai.common.generation import (
    adapters_of,
    explicit_of,
    keep_alive_of,
    limits_of,
    plain_places,
    prefix_repair_of,
    sampling_of,
)
from extensions.openai.common.media_parts import joined_parts, source_part
from extensions.openai.messages.schema import (
    BlockSource,
    ContentBlock,
    ConversationFields,
    CountTokensRequest,
    MessagesRequest,
    MessagesTool,
    MessageTurn,
    OutputFormat,
    carried_thought,
)
from extensions.openai.structured.constraint import constraint_of, json_schema_constraint, unenforced_keywords
from modules.engine.types import Constraint
from modules.errors import BadRequest
from modules.messages import (
    FilePart,
    Message,
    Part,
    Role,
    TextPart,
    ToolCall,
    ToolChoice,
    ToolSpec,
    ToolUse,
    text_message,
)
from modules.requests import ChatRequest
from modules.sampling import Sampling
from modules.settings.values import Settings

_log = logging.getLogger(__name__)

# Calls that Anthropic's own servers ran in an earlier turn. Their results are in the text that followed.
_SERVER_CALLS: Final = frozenset({"server_tool_use", "mcp_tool_use", "container_upload"})


def text_in(block: ContentBlock, path: str) -> str:
    """The words of a block of a turn that has words only."""
    parts = parts_in(block, path)
    for part in parts:
        if not isinstance(part, TextPart):
            raise BadRequest(f"{path} is no text; pictures and files belong to the user's turns.", param=path)
    return "\n".join(part.text for part in parts if isinstance(part, TextPart))


def parts_in(block: ContentBlock, path: str) -> tuple[Part, ...]:
    """What a model gets of a block."""
    match block.type:
        case "text":
            if block.text is None:
                raise missing(f"{path}.text")
            return (TextPart(block.text),)
        case "document" | "search_result":
            is_document = block.type == "document"
            inner = _document(block, path) if is_document else nested_parts(block.content, f"{path}.content")
            return joined_parts((*_titles(block), *inner))
        case "compaction":
            return nested_parts(block.content, f"{path}.content")
        case "tool_reference":
            return (TextPart(block.tool_name or ""),)
        case "image":
            return (source_part(_source(block, path), f"{path}.source"),)
    if block.type in _SERVER_CALLS or block.type.endswith("_tool_result"):
        _log.info("content block of type %s left out: it belongs to a tool that does not run here", block.type[:60])
        return ()
    raise BadRequest(f"{path}.type {block.type[:60]!r} is unknown here.", param=f"{path}.type")


def _source(block: ContentBlock, path: str) -> dict[str, Any]:
    if not isinstance(block.source, BlockSource):
        raise missing(f"{path}.source")
    return block.source.model_dump(exclude_none=True)


def _document(block: ContentBlock, path: str) -> tuple[Part, ...]:
    source = block.source
    if not isinstance(source, BlockSource):
        raise missing(f"{path}.source")
    match source.type:
        case "text":
            return (TextPart(source.data or ""),)
        case "content":
            return nested_parts(source.content, f"{path}.source.content")
    # A document is given like a picture; the title is its name.
    given = source_part(_source(block, path), f"{path}.source")
    name = block.title or ("document.pdf" if source.media_type == "application/pdf" else "document")
    return (FilePart(given.source, name, param=given.param),)


def _titles(block: ContentBlock) -> tuple[Part, ...]:
    source = block.source if isinstance(block.source, str) else None
    return tuple(TextPart(text) for text in (block.title, source, block.context) if text)


def nested_parts(blocks: object, path: str) -> tuple[Part, ...]:
    """What is in the blocks that another block's `content` holds; nothing where there is none."""
    if not isinstance(blocks, list | None):
        raise _no_blocks(path)
    return joined_parts(
        [part for number, block in enumerate(blocks or ()) for part in _in_block(block, f"{path}[{number}]")]
    )


def _in_block(block: object, path: str) -> tuple[Part, ...]:
    if not isinstance(block, ContentBlock):
        raise _no_blocks(path)
    return parts_in(block, path)


def _no_blocks(path: str) -> BadRequest:
    return BadRequest(f"{path} must be a text or blocks with a type.", param=path)


def missing(path: str) -> BadRequest:
    return BadRequest(f"{path} is missing.", param=path)


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
    texts = (text_in(block, f"{path}[{number}]") for number, block in enumerate(blocks))
    return "\n".join(text for text in texts if text)


def _user_turns(blocks: Sequence[ContentBlock], path: str, names: dict[str, str]) -> Iterator[Message]:
    said: list[Part] = []
    for number, block in enumerate(blocks):
        if block.type != "tool_result":
            said += parts_in(block, f"{path}[{number}]")
            continue
        # Order matters to the model: what the user said before a result is a message before it.
        if any(part != TextPart("") for part in said):
            yield _user_turn(said)
        said = []
        yield _tool_turn(block, f"{path}[{number}]", names)
    if said or not blocks:
        yield _user_turn(said)


def _user_turn(parts: Sequence[Part]) -> Message:
    return Message(role=Role.USER, parts=joined_parts(parts) or (TextPart(""),))


def _tool_turn(block: ContentBlock, path: str, names: dict[str, str]) -> Message:
    if block.tool_use_id is None:
        raise missing(f"{path}.tool_use_id")
    parts = nested_parts(block.content, f"{path}.content") or (TextPart(""),)
    parts = _as_error(parts) if block.is_error else parts
    return Message(role=Role.TOOL, parts=parts, tool_call_id=block.tool_use_id, name=names.get(block.tool_use_id))


def _as_error(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Chat templates have no place for is_error, so the text has to say it."""
    first, *rest = parts
    text = first.text if isinstance(first, TextPart) else ""
    if text.lower().startswith(("error", "<tool_use_error>")):
        return tuple(parts)
    if not text and not rest and isinstance(first, TextPart):
        return (TextPart("Error: the tool failed."),)
    return (TextPart(f"Error: {text}"), *(rest if isinstance(first, TextPart) else parts))


def _assistant_turn(blocks: Sequence[ContentBlock], path: str) -> Message:
    said: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    for number, block in enumerate(blocks):
        match block.type:
            case "thinking":
                thoughts.append(block.thinking or carried_thought(block.signature or ""))
            # Encrypted for Anthropic's own servers; nothing in it can be read here.
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
    parts = joined_parts([part for message in run for part in message.parts])
    joined = Message(
        role=role,
        parts=tuple(part for part in parts if part != TextPart("")),
        tool_calls=tuple(call for message in run for call in message.tool_calls),
        reasoning="\n".join(message.reasoning for message in run if message.reasoning) or None,
    )
    return [joined]


_USES: Final = MappingProxyType(
    {"auto": ToolUse.AUTO, "any": ToolUse.REQUIRED, "tool": ToolUse.REQUIRED, "none": ToolUse.NONE}
)
_TEMPLATE_SWITCHES: Final = ("enable_thinking", "preserve_thinking")


def message_request(body: MessagesRequest, settings: Settings, defaults: Sampling) -> ChatRequest:
    """`defaults` are the sampling parameters of what the body does not say. Raises BadRequest."""
    limits = limits_of(body, max_tokens=body.max_tokens, n=1)
    return replace(
        _conversation(body, body.model, settings),
        explicit=explicit_of(body),
        prefix_repair=prefix_repair_of(body),
        keep_alive=keep_alive_of(body),
        adapters=adapters_of(body),
        sampling=sampling_of(body, defaults),
        limits=replace(limits, stop=(*stop_sequences_of(body), *limits.stop)),
        constraint=_constraint(body),
    )


def counted_request(body: CountTokensRequest, settings: Settings) -> ChatRequest:
    """The same prompt as `message_request` makes of the same conversation. Raises BadRequest."""
    return _conversation(body, body.model, settings)


def stop_sequences_of(body: MessagesRequest) -> tuple[str, ...]:
    return tuple(text for text in body.stop_sequences or () if text)


def omits_thinking(body: MessagesRequest) -> bool:
    return body.thinking is not None and body.thinking.display == "omitted"


def _conversation(body: ConversationFields, model: str | None, settings: Settings) -> ChatRequest:
    messages = messages_of(body)
    last = messages[-1]
    if last.role is Role.ASSISTANT and last.tool_calls:
        raise BadRequest("The last turn calls tools. Send their results, as tool_result blocks.", param="messages")
    tools = tuple(_tools(body.tools or []))
    return ChatRequest(
        model=model,
        messages=messages,
        tools=tools,
        tool_choice=_tool_choice(body, tools),
        reasoning_budget=_reasoning_budget(body),
        continue_last=last.role is Role.ASSISTANT,
        template_arguments=_template_arguments(body, settings),
    )


def _tools(tools: list[MessagesTool]) -> Iterator[ToolSpec]:
    for number, tool in enumerate(tools):
        if tool.input_schema is not None:
            yield ToolSpec(tool.name, tool.description or "", tool.input_schema, strict=bool(tool.strict))
        # Only a tool of the caller's own needs a schema; others are Anthropic's.
        elif tool.type in (None, "custom"):
            path = f"tools[{number}].input_schema"
            raise BadRequest(f"{path} is missing.", param=path)
        else:
            _log.info("tool of type %s left out: it runs on its provider's servers only", tool.type[:60])


def _tool_choice(body: ConversationFields, tools: tuple[ToolSpec, ...]) -> ToolChoice:
    asked = body.tool_choice
    if asked is None:
        return ToolChoice()
    use = _USES[asked.type]
    if use is ToolUse.REQUIRED and not tools:
        raise BadRequest(f"tool_choice {asked.type} needs tools that can be called here.", param="tool_choice")
    if asked.type == "tool" and asked.name not in {tool.name for tool in tools}:
        raise BadRequest(
            f"tool_choice.name {(asked.name or '')[:200]!a} is not the name of a tool that is offered.",
            param="tool_choice.name",
        )
    names = (asked.name,) if asked.type == "tool" and asked.name is not None else ()
    return ToolChoice(use=use, names=names, parallel=not asked.disable_parallel_tool_use)


def _reasoning_budget(body: ConversationFields) -> int | None:
    """Templates without a switch cannot be told not to think: a budget of 0 tells the model."""
    if body.thinking is None:
        return None
    return 0 if body.thinking.type == "disabled" else body.thinking.budget_tokens


def _template_arguments(body: ConversationFields, settings: Settings) -> dict[str, Any]:
    arguments: dict[str, Any] = {name: getattr(settings, name) for name in _TEMPLATE_SWITCHES}
    effort = (body.output_config.effort if body.output_config else None) or settings.wanted_effort
    if body.thinking is not None:
        arguments["enable_thinking"] = body.thinking.type != "disabled"
    if effort == "none":
        arguments["enable_thinking"] = False
    elif effort is not None:
        arguments["reasoning_effort"] = effort
    return arguments


def _constraint(body: MessagesRequest) -> Constraint | None:
    """Raises BadRequest for two forms at once."""
    schema, param = _format(body)
    other = constraint_of(body)
    if schema is None:
        return other
    if other is not None:
        raise BadRequest(f"{param} and {other.param} both constrain the reply's format. Send one of them.", param=param)
    return json_schema_constraint(schema.schema_, param=param)


def _format(body: ConversationFields) -> tuple[OutputFormat | None, str]:
    configured = body.output_config.format if body.output_config is not None else None
    return (configured, "output_config.format") if configured else (body.output_format, "output_format")


def left_out_of(body: ConversationFields) -> tuple[str, ...]:
    """The places of tools that are not offered, and of what the reply's form does not hold it to."""
    hosted = (
        f"tools[{number}].{tool.type}" for number, tool in enumerate(body.tools or ()) if tool.input_schema is None
    )
    schema, param = _format(body)
    return (
        *plain_places(hosted),
        *(unenforced_keywords(schema.schema_, f"{param}.schema") if schema is not None else ()),
    )
