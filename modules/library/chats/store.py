"""Conversations as the bytes of their files."""

import json
from pathlib import Path
from typing import Final

import orjson

from modules.library.chats.file import parse, stored
from modules.library.chats.history import History
from modules.library.text_files import decoded, parse_json, read_bytes

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
