"""The file format of conversations: JSON with rows of raw and of visible text, and metadata by row."""

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import orjson

from modules.errors import BadRequest
from modules.library.chats.history import (
    NO_OUTCOME,
    Attachment,
    ChatTurn,
    History,
    Outcome,
    Row,
    Side,
    Version,
    appended,
    version_of,
    with_current,
)
from modules.library.text_files import decoded, parse_json, read_bytes, text_at
from modules.messages import Message, Role, TextPart, ToolCall

# Beyond it JSON readers in other languages lose digits.
_LARGEST: Final = 2**53


def mapping_at(content: Mapping[str, object], key: str, place: str) -> Mapping[str, object]:
    """Raises BadRequest, as all of these do."""
    value = content.get(key)
    if value is None:
        return {}
    return as_object(value, f"{place}: `{key}`")


def list_at(content: Mapping[str, object], key: str, place: str) -> list[object]:
    value = content.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest(f"{place}: `{key}` must be a list.")
    return value


def objects_at(content: Mapping[str, object], key: str, place: str) -> list[Mapping[str, object]]:
    return [as_object(each, f"{place}: an entry of `{key}`") for each in list_at(content, key, place)]


def number_at(content: Mapping[str, object], key: str, place: str) -> float:
    """0 where there is none."""
    value = content.get(key)
    if value is None:
        return 0
    if not isinstance(value, int | float) or not -_LARGEST < value < _LARGEST:
        raise BadRequest(f"{place}: `{key}` must be a number.")
    return value


def as_object(value: object, place: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise BadRequest(f"{place} must be a JSON object.")
    return value


def without(content: Mapping[str, object], *known: str) -> dict[str, object]:
    return {key: value for key, value in content.items() if key not in known}


def filled(content: Mapping[str, object]) -> dict[str, object]:
    """Without what is empty or 0."""
    return {key: value for key, value in content.items() if value}


def tools_from(sequence: Sequence[object], place: str) -> tuple[Message, ...]:
    """Raises BadRequest that names `place`."""
    entry = f"{place}: an entry of `tool_sequence`"
    return tuple(_message(as_object(each, entry), entry) for each in sequence)


def stored_tools(messages: Iterable[Message]) -> list[dict[str, object]]:
    """Of results, their text alone is kept."""
    return [_stored(message) for message in messages]


def _message(content: Mapping[str, object], place: str) -> Message:
    text = text_at(content, "content", place)
    parts = (TextPart(text),) if text else ()
    if content.get("role") == Role.TOOL:
        name = text_at(content, "name", place) or None
        return Message(role=Role.TOOL, parts=parts, name=name, tool_call_id=text_at(content, "tool_call_id", place))
    return Message(
        role=Role.ASSISTANT,
        parts=parts,
        tool_calls=tuple(_call(each, place) for each in objects_at(content, "tool_calls", place)),
        reasoning=text_at(content, "reasoning_content", place) or None,
    )


def _call(content: Mapping[str, object], place: str) -> ToolCall:
    function = mapping_at(content, "function", place)
    name = text_at(function, "name", place)
    if not name:
        raise BadRequest(f"{place}: a call of a tool has no name.")
    arguments = function.get("arguments")
    written = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    return ToolCall(text_at(content, "id", place), name, written)


def _stored(message: Message) -> dict[str, object]:
    if message.role is Role.TOOL:
        result = {"role": "tool", "content": message.text, "tool_call_id": message.tool_call_id or ""}
        return {**result, **filled({"name": message.name})}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in message.tool_calls
    ]
    return {"tool_calls": calls, **filled({"content": message.text, "reasoning_content": message.reasoning})}


_ATTACHMENT: Final = ("name", "type", "content", "image_data", "url", "image_id")
_PROBABILITIES: Final = "token_probabilities"
_LORE: Final = "lorebook_entries"
_OUTCOME: Final = ("seconds_to_first_token", "seconds_writing", "finish_reason", "prompt_tokens", "failure", "receipt")
_SHARED: Final = ("timestamp", "model_name", "tokens", "seconds", *_OUTCOME, "tool_sequence", _PROBABILITIES, _LORE)
_CONTINUATION: Final = "continuation"
_VERSION: Final = ("content", "visible_content", _CONTINUATION, *_SHARED)
_TURN: Final = ("attachments", "versions", "current_version_index", *_SHARED)


def turn_from(text: str, visible: str, content: Mapping[str, object], place: str) -> ChatTurn:
    """`content` is the turn's metadata; `place` names it in what BadRequest says."""
    current = _version({**content, "content": text, "visible_content": visible}, place)
    turn = ChatTurn(
        attachments=tuple(_attachment(each, place) for each in objects_at(content, "attachments", place)),
        versions=tuple(_version(each, place) for each in objects_at(content, "versions", place)),
        extra=without(content, *_TURN),
    )
    return _settled(turn, int(number_at(content, "current_version_index", place)), replace(current, extra={}))


def stored_turn(turn: ChatTurn) -> dict[str, object]:
    shared = _stored_shared(version_of(turn))
    if turn.versions:
        # They are long, and stand among the versions.
        shared.pop(_PROBABILITIES, None)
    if not turn.versions:
        versions: dict[str, object] = {}
    else:
        stored = [_stored_version(version) for version in turn.versions]
        versions = {"versions": stored, "current_version_index": turn.version}
    attachments = [_stored_attachment(attachment) for attachment in turn.attachments]
    return {**turn.extra, **shared, **filled({"attachments": attachments}), **versions}


def _settled(turn: ChatTurn, index: int, current: Version) -> ChatTurn:
    """The text of the row counts: a file may have been written while a version grew or was about to be added."""
    if not turn.versions:
        return with_current(turn, current)
    turn = replace(turn, version=min(max(index, 0), len(turn.versions) - 1))
    listed = turn.versions[turn.version]
    if current.text.startswith(listed.text):
        return with_current(turn, _completed(current, listed))
    return appended(turn, current) if current.text else with_current(turn, listed)


def _completed(current: Version, listed: Version) -> Version:
    """What the turn says of itself, and for the rest what its entry among the versions says."""
    return replace(
        current,
        timestamp=current.timestamp or listed.timestamp,
        tool_messages=current.tool_messages or listed.tool_messages,
        model=current.model or listed.model,
        outcome=listed.outcome if current.outcome == NO_OUTCOME else current.outcome,
        probabilities=current.probabilities or listed.probabilities,
        lore=current.lore or listed.lore,
        extra=listed.extra,
    )


def _version(content: Mapping[str, object], place: str) -> Version:
    text = text_at(content, "content", place)
    return Version(
        text=text,
        visible=html.escape(text)
        if content.get("visible_content") is None
        else text_at(content, "visible_content", place),
        timestamp=text_at(content, "timestamp", place),
        tool_messages=tools_from(list_at(content, "tool_sequence", place), place),
        model=text_at(content, "model_name", place),
        tokens=int(number_at(content, "tokens", place)),
        seconds=float(number_at(content, "seconds", place)),
        outcome=_outcome(content, place),
        probabilities=text_at(content, _PROBABILITIES, place),
        lore=text_at(content, _LORE, place),
        continuation=_continuation(content, place),
        extra=without(content, *_VERSION),
    )


def _stored_version(version: Version) -> dict[str, object]:
    texts = {"content": version.text, "visible_content": version.visible}
    rows = {} if version.continuation is None else {_CONTINUATION: stored(History(rows=version.continuation))}
    return {**version.extra, **texts, **_stored_shared(version), **rows}


def _outcome(content: Mapping[str, object], place: str) -> Outcome:
    waited, writing, finish, prompt_tokens, failure, receipt = _OUTCOME
    return Outcome(
        waited=float(number_at(content, waited, place)),
        writing=float(number_at(content, writing, place)),
        finish=text_at(content, finish, place),
        prompt_tokens=int(number_at(content, prompt_tokens, place)),
        failure=text_at(content, failure, place),
        receipt=mapping_at(content, receipt, place),
    )


def _stored_outcome(outcome: Outcome) -> dict[str, object]:
    timing = (outcome.waited, outcome.writing)
    values = (*timing, outcome.finish, outcome.prompt_tokens, outcome.failure, outcome.receipt)
    return dict(zip(_OUTCOME, values, strict=True))


def _continuation(content: Mapping[str, object], place: str) -> tuple[Row, ...] | None:
    if content.get(_CONTINUATION) is None:
        return None
    return parse(dict(mapping_at(content, _CONTINUATION, place)), place).rows


def _stored_shared(version: Version) -> dict[str, object]:
    return {
        "timestamp": version.timestamp,
        **filled(
            {
                "model_name": version.model,
                "tokens": version.tokens,
                "seconds": version.seconds,
                **_stored_outcome(version.outcome),
                "tool_sequence": stored_tools(version.tool_messages),
                _PROBABILITIES: version.probabilities,
                _LORE: version.lore,
            }
        ),
    }


def _attachment(content: Mapping[str, object], place: str) -> Attachment:
    texts = {key: text_at(content, key, f"{place}: an attachment") for key in _ATTACHMENT}
    return Attachment(**texts, extra=without(content, *_ATTACHMENT))


def _stored_attachment(attachment: Attachment) -> dict[str, object]:
    texts = {key: getattr(attachment, key) for key in _ATTACHMENT}
    return {**attachment.extra, "name": attachment.name, "type": attachment.type, **filled(texts)}


# What stands for the user's text in the row of a greeting.
GREETING: Final = "<|BEGIN-VISIBLE-CHAT|>"

_METADATA: Final = "metadata"
_NAMES: Final = ("internal", "visible")
# text-generation-webui's oldest files.
_OLD_NAMES: Final = ("data", "data_visible")
_OF_A_TURN: Final = re.compile(r"(user|assistant)_\d+")


def parse(content: object, file_name: str) -> History:
    """The conversation in a file's JSON, of today's format or of older ones: `data` and `data_visible`, no metadata.

    Keys that mean nothing here are kept in the `extra` of what they belong to. Raises BadRequest.
    """
    if not isinstance(content, dict) or not {_NAMES[0], _OLD_NAMES[0]} & content.keys():
        raise BadRequest(f"{file_name} holds no chat. A chat is a JSON object with the lists `internal` and `visible`.")
    raw, shown = _NAMES if _NAMES[0] in content else _OLD_NAMES
    texts, visible = (_pairs(content, key, file_name) for key in (raw, shown))
    metadata = mapping_at(content, _METADATA, file_name)
    # Some programs write only the raw rows.
    visible += [(None, None)] * (len(texts) - len(visible))
    rows = (_row(index, texts[index], visible[index], metadata, file_name) for index in range(len(texts)))
    return History(rows=tuple(rows), extra=_left_over(content, metadata))


def stored(history: History) -> dict[str, object]:
    """The conversation as its file holds it, in today's format."""
    extra = dict(history.extra)
    metadata = dict(mapping_at(extra, _METADATA, "The chat"))
    for index, row in enumerate(history.rows):
        for side in Side:
            metadata[f"{side.value}_{index}"] = stored_turn(row.side(side))
    internal = [[GREETING if row.is_greeting else row.user.text, row.assistant.text] for row in history.rows]
    visible = [[row.user.visible, row.assistant.visible] for row in history.rows]
    return {**extra, _NAMES[0]: internal, _NAMES[1]: visible, _METADATA: metadata}


def _pairs(content: Mapping[str, object], key: str, file_name: str) -> list[tuple[str | None, str | None]]:
    return [_pair(row, f"{file_name}: `{key}[{index}]`") for index, row in enumerate(list_at(content, key, file_name))]


def _pair(row: object, place: str) -> tuple[str | None, str | None]:
    if isinstance(row, list) and len(row) >= len(Side) and all(isinstance(text, str | None) for text in row[:2]):
        return row[0], row[1]
    raise BadRequest(f"{place} must be a list of two texts, the user's and the reply.")


def _row(
    index: int,
    texts: Sequence[str | None],
    visible: Sequence[str | None],
    metadata: Mapping[str, object],
    file_name: str,
) -> Row:
    is_greeting = texts[0] == GREETING
    user, assistant = (
        _turn("" if text == GREETING else text or "", shown, metadata, f"{side.value}_{index}", file_name)
        for side, text, shown in zip(Side, texts, visible, strict=True)
    )
    return Row(user=user, assistant=assistant, is_greeting=is_greeting)


def _turn(text: str, visible: str | None, metadata: Mapping[str, object], key: str, file_name: str) -> ChatTurn:
    shown = html.escape(text) if visible is None else visible
    return turn_from(text, shown, mapping_at(metadata, key, file_name), f"{file_name}: `{key}`")


def _left_over(content: Mapping[str, object], metadata: Mapping[str, object]) -> dict[str, object]:
    known = {*_NAMES, *_OLD_NAMES, _METADATA}
    extra = {key: value for key, value in content.items() if key not in known}
    unknown = {key: value for key, value in metadata.items() if not _OF_A_TURN.fullmatch(key)}
    return {**extra, _METADATA: unknown} if unknown else extra


# A conversation with many attached pictures has some hundred megabytes.
MAX_CHAT_BYTES: Final = 2**28


def read_history(path: Path) -> History:
    """Raises BadRequest, FileNotFoundError."""
    return history_in(read_bytes(path, limit=MAX_CHAT_BYTES), path.name)


def history_in(content: bytes, file_name: str) -> History:
    """Raises BadRequest."""
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError:
        # The slower reader takes more than orjson does, such as half characters, and says what is wrong.
        parsed = parse_json(decoded(content, file_name), file_name)
    return parse(parsed, file_name)


def history_bytes(history: History) -> bytes:
    content = stored(history)
    try:
        return orjson.dumps(content, option=orjson.OPT_INDENT_2)
    except orjson.JSONEncodeError:
        # Half characters, which only escapes can hold.
        return json.dumps(content, indent=2).encode()
