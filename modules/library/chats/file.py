"""The file format of conversations: JSON with rows of raw and of visible text, and metadata by row."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson

from modules.errors import BadRequest
from modules.library.chats.history import ChatTurn, History, Row, Side
from modules.library.chats.turns import list_at, mapping_at, stored_turn, turn_from
from modules.library.text_files import decoded, parse_json, read_bytes

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
