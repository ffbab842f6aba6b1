"""Stream events as bytes, numbered from 0 in the order in which they are made."""

import orjson
from pydantic import BaseModel


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError


class Wire:
    """Numbers one stream's events."""

    def __init__(self, first: int = 0) -> None:
        self._next = first

    def event(self, kind: str, **fields: object) -> bytes:
        """`kind` stands both in the event's name and in its data."""
        body = {"type": kind, "sequence_number": self._next, **fields}
        self._next += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps(body, default=_plain))
