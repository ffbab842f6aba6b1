"""What is listed and searched of a conversation: its title, and all that was said in it."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from modules.library.chats.history import History

ID_FORMAT: Final = "%Y%m%d-%H-%M-%S"

_TITLE_LENGTH: Final = 28
_LONGEST_TEXT: Final = 2**21
_TIME: Final = re.compile(r"\d{8}-\d\d-\d\d-\d\d")


def id_at(moment: datetime) -> str:
    return moment.strftime(ID_FORMAT)


def is_named(chat_id: str) -> bool:
    """Whether the user chose that id, which the program would not have."""
    return _TIME.fullmatch(chat_id) is None


def title(chat_id: str, history: History) -> str:
    """The user's name for it, or the beginning of the first message; the id of one without any."""
    if is_named(chat_id):
        return chat_id
    first = next((text for row in history.rows if (text := row.user.text.strip())), chat_id)
    return " ".join(first[: 4 * _TITLE_LENGTH].split())[:_TITLE_LENGTH].rstrip()


def searched_text(history: History) -> str:
    """What both sides said and what was attached as text; of a very long conversation, the beginning."""
    return "\n".join(_texts(history))[:_LONGEST_TEXT]


def _texts(history: History) -> Iterator[str]:
    for row in history.rows:
        yield row.user.text
        for attachment in row.user.attachments:
            yield attachment.name
            yield attachment.content
        yield row.assistant.text
