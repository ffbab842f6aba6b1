"""Conversations as Markdown that people read, and that can be read back. Pure.

Each message has a comment before it that says whose it is; a line of a message that looks like one has a backslash
before it. What stands in no text, such as other versions and the content of attachments, is not in it.
"""

import html
import json
import re
from collections.abc import Iterator
from typing import Final

from modules.errors import BadRequest
from modules.library.chats.history import ChatTurn, History, Row, Side

_MARK: Final = re.compile(r"^<!-- message: (user|assistant) (\{.*\}) -->\n(?:## .*\n)?", re.MULTILINE)
_LOOKS_LIKE_ONE: Final = re.compile(r"^(\\*<!-- message: )", re.MULTILINE)
_ESCAPED: Final = re.compile(r"^\\(\\*<!-- message: )", re.MULTILINE)
_TITLE: Final = re.compile(r"\A# (.+)\n")
_NAMES: Final = {Side.USER: "You", Side.ASSISTANT: "Assistant"}


def markdown(title: str, history: History) -> str:
    return "\n".join((f"# {' '.join(title.split())}\n", *_messages(history)))


def history_of(text: str) -> tuple[str, History]:
    """The title and the conversation that `markdown` wrote. Raises BadRequest for other text."""
    text = text.replace("\r\n", "\n")
    before, *parts = _MARK.split(text)
    if not parts:
        raise BadRequest("The file holds no chat. Chats in Markdown are those that were exported from here.")
    rows: list[Row] = []
    for side, about, body in zip(*(parts[start::3] for start in range(3)), strict=True):
        turn = _turn(body, about)
        if side == Side.USER.value:
            rows.append(Row(user=turn))
        elif rows and not rows[-1].is_greeting and not rows[-1].assistant.text:
            rows[-1] = Row(user=rows[-1].user, assistant=turn)
        else:
            rows.append(Row(assistant=turn, is_greeting=True))
    found = _TITLE.match(before)
    return (found[1].strip() if found else ""), History(rows=tuple(rows))


def _messages(history: History) -> Iterator[str]:
    for row in history.rows:
        for side in Side:
            turn = row.side(side)
            if turn.text or turn.attachments:
                yield _message(side, turn)


def _message(side: Side, turn: ChatTurn) -> str:
    about = {name: value for name, value in (("time", turn.timestamp), ("model", turn.model)) if value}
    said = json.dumps(about, ensure_ascii=False).replace("-->", "--\\u003e")
    files = f" (attached: {', '.join(each.name for each in turn.attachments)})" if turn.attachments else ""
    heading = f"## {_NAMES[side]}{' '.join(files.splitlines())}"
    body = _LOOKS_LIKE_ONE.sub(r"\\\1", turn.text)
    return f"<!-- message: {side.value} {said} -->\n{heading}\n\n{body}\n"


def _turn(body: str, about: str) -> ChatTurn:
    # One line ends the heading, one follows it, one ends the text.
    text = _ESCAPED.sub(r"\1", body.removeprefix("\n").removesuffix("\n").removesuffix("\n"))
    try:
        told = json.loads(about)
    except ValueError:
        told = {}
    return ChatTurn(
        text=text,
        visible=html.escape(text),
        timestamp=str(told.get("time") or ""),
        model=str(told.get("model") or ""),
    )
