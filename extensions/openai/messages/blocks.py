"""Events → the content blocks of one reply, in the order in which they happen. Whole and streamed answers share it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from modules.events import Content, Done, Event, Reasoning, ToolCallDelta, ToolCallEnd, ToolCallStart


class Kind(StrEnum):
    TEXT = "text"
    THINKING = "thinking"
    TOOL_USE = "tool_use"


@dataclass(frozen=True, slots=True)
class Opened:
    """Block `index` begins. `id` and `name` are a tool call's."""

    index: int
    kind: Kind
    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Grown:
    """More text of block `index`: visible, thought, or the JSON of a call's arguments."""

    index: int
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Closed:
    """Block `index` is complete."""

    index: int
    kind: Kind


Step = Opened | Grown | Closed


class BlockBuilder:
    """The blocks of one choice. There is one open at a time, and none of nothing but white space: clients may not send
    such a block back."""

    def __init__(self) -> None:
        self._index = -1
        self._open: Kind | None = None
        self._blank: list[str] = []
        self._blank_kind: Kind | None = None

    def steps(self, event: Event) -> Iterator[Step]:
        match event:
            case Content(text=text) if text:
                yield from self._say(Kind.TEXT, text)
            case Reasoning(text=text) if text:
                yield from self._say(Kind.THINKING, text)
            case ToolCallStart():
                yield from self._begin(Kind.TOOL_USE, _tool_use_id(event.id), event.name)
            case ToolCallDelta(arguments=text) if text:
                yield Grown(self._index, Kind.TOOL_USE, text)
            case ToolCallEnd() | Done():
                yield from self._close()

    def _say(self, kind: Kind, text: str) -> Iterator[Step]:
        if self._open is not kind:
            if text.isspace():
                self._hold(kind, text)
                return
            text = self._held(kind) + text
            yield from self._begin(kind)
        yield Grown(self._index, kind, text)

    def _hold(self, kind: Kind, blank: str) -> None:
        if self._blank_kind is not kind:
            self._blank.clear()
        self._blank_kind = kind
        self._blank.append(blank)

    def _held(self, kind: Kind) -> str:
        return "".join(self._blank) if self._blank_kind is kind else ""

    def _begin(self, kind: Kind, call_id: str = "", name: str = "") -> Iterator[Step]:
        yield from self._close()
        self._index += 1
        self._open = kind
        yield Opened(self._index, kind, call_id, name)

    def _close(self) -> Iterator[Step]:
        self._blank.clear()
        if self._open is not None:
            yield Closed(self._index, self._open)
        self._open = None


def _tool_use_id(call_id: str) -> str:
    """With the prefix that Anthropic's clients know."""
    return f"toolu_{call_id.removeprefix('call_').removeprefix('toolu_')}"
