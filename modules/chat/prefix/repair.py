"""Requests as their conversation had them before, so that their prompts begin as the earlier ones."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final

from modules.chat.prefix.forms import Spelling, meaning, respelled, spelling, tool_meaning
from modules.chat.prefix.memory import Digests, NoteFiles, SpellingMemory, SpellingNote
from modules.chat.prefix.noise import with_whole_hours, without_billing, without_counters
from modules.events import Content, Done, Event, Started, ToolCallDelta, ToolCallStart
from modules.messages import Message, Role, TextPart, ToolCall, ToolSpec
from modules.requests import ChatRequest

_KEPT_CHARACTERS: Final = 16 * 1024 * 1024
# Reading as much takes about a millisecond, which the event loop can spare.
_AT_ONCE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Repaired:
    """A request to go on with; `names` are those of what was changed, `place` is where its reply stands, `used` what was
    remembered of it, before and now."""

    request: ChatRequest
    names: tuple[str, ...]
    place: bytes
    used: list[SpellingNote] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Found:
    """What was done with a request, and by what that was remembered."""

    repairs: list[str] = field(default_factory=list)
    used: list[SpellingNote] = field(default_factory=list)


_Clean = Callable[[Sequence[Message]], tuple[Message, ...]]
_NOISE: Final[tuple[tuple[str, str, _Clean], ...]] = (
    ("billing", "billing-line-removed", without_billing),
    ("counters", "counters-removed", without_counters),
    ("times", "times-rounded", with_whole_hours),
)


class PrefixRepair:
    """Remembers how turns were spelled, in bounded memory: `names` say what is repaired where a request does not.

    A turn is known by all that was said before it, by its owner, and by what it means itself. Turns up to the last reply
    are spelled as they were when they were new, or generated; new ones stay as they are. What is `kept` on disk is known
    from the first request on.
    """

    def __init__(self, names: Sequence[str], most: int = _KEPT_CHARACTERS, *, kept: NoteFiles | None = None) -> None:
        self._names = frozenset(names)
        self._digests = Digests()
        self._kept = kept
        self._is_read = kept is None
        self._reading = asyncio.Lock()
        self._spellings: SpellingMemory[Spelling] = SpellingMemory(most // 2)
        self._tools: SpellingMemory[ToolSpec] = SpellingMemory(most // 4)
        self._orders: SpellingMemory[tuple[bytes, ...]] = SpellingMemory(most // 4)

    @property
    def size(self) -> int:
        """What is remembered, in characters."""
        return self._spellings.size + self._tools.size + self._orders.size

    async def repaired(self, request: ChatRequest, owner: str, *, notes: bool = True) -> Repaired:
        """Without `notes` nothing is remembered, as for a prompt that is only counted."""
        if not self._is_read:
            await self._read_kept()
        if sum(map(_length, request.messages)) > _AT_ONCE:
            return await asyncio.to_thread(self._repaired, request, owner, notes)
        return self._repaired(request, owner, notes)

    async def noting(
        self, events: AsyncGenerator[Event, None], repaired: Repaired, disk_limit: Callable[[str], int] = lambda _: 0
    ) -> AsyncGenerator[Event, None]:
        """The same events, of which Started names the repairs; the replies are remembered as they were generated. Where
        a model keeps what it reads on disk, up to its `disk_limit` of bytes, so is what is remembered of the conversation."""
        replies: dict[int, _Said] = {}
        model = ""
        async with aclosing(events):
            async for event in events:
                match event:
                    case Started():
                        model = event.model
                        yield replace(event, repairs=(*repaired.names, *event.repairs)) if repaired.names else event
                        continue
                    case Content():
                        _said(replies, event.index).texts.append(event.text)
                    case ToolCallStart():
                        _said(replies, event.index).calls.append((event.name, []))
                    case ToolCallDelta():
                        _said(replies, event.index).calls[event.call][1].append(event.arguments)
                    case Done() if event.index in replies:
                        self._note_reply(replies.pop(event.index).message, repaired)
                if isinstance(event, Done) and self._kept is not None and (limit := disk_limit(model)):
                    self._kept.keep(repaired.used, self._digests.secret, limit)
                yield event

    async def _read_kept(self) -> None:
        """Once, before the first key is made; whoever comes meanwhile waits."""
        async with self._reading:
            if not self._is_read and self._kept is not None:
                found = await asyncio.to_thread(self._kept.read)
                if found is not None:
                    self._digests = Digests(found.secret)
                    for note in found.notes:
                        self._remember(note)
                self._is_read = True

    def _remember(self, note: SpellingNote) -> None:
        match note.value:
            case Spelling():
                self._spellings.put(note.key, note.value, note.value.size)
            case ToolSpec():
                self._tools.put(note.key, note.value, len(repr(note.value)))
            case order:
                self._orders.put(note.key, order, len(order) * 16)

    def _repaired(self, request: ChatRequest, owner: str, notes: bool) -> Repaired:
        names = self._names if request.prefix_repair is None else frozenset(request.prefix_repair)
        found = _Found()
        messages = request.messages
        for name, repair, clean in _NOISE:
            if name in names and (cleaned := clean(messages)) != messages:
                messages = cleaned
                found.repairs.append(repair)
        tools = self._known_tools(request.tools, names, owner, notes, found)
        messages, place = self._known_turns(replace(request, messages=messages), names, owner, notes, found)
        changed = replace(request, messages=messages, tools=tools, prefix_repair=tuple(sorted(names)))
        return Repaired(changed, tuple(found.repairs), place, found.used)

    def _known_tools(
        self, tools: tuple[ToolSpec, ...], names: frozenset[str], owner: str, notes: bool, found: _Found
    ) -> tuple[ToolSpec, ...]:
        if not tools or names.isdisjoint({"tools", "json"}):
            return tools
        meanings = [tool_meaning(tool, names) for tool in tools]
        keys = [self._digests.of("tool", owner, each) for each in meanings]
        if len(set(keys)) < len(keys):
            return tools
        by_key = dict(zip(keys, tools, strict=True))
        if "json" in names:
            for key, each in zip(keys, meanings, strict=True):
                by_key[key] = self._first_tool(key, by_key[key], len(each), notes)
                found.used.append(SpellingNote(key, by_key[key]))
            if any(by_key[key].parameters is not tool.parameters for key, tool in zip(keys, tools, strict=True)):
                _note_if(not _same_keys(tools, [by_key[key] for key in keys]), "json-keys-reordered", found)
        order = self._order(keys, owner, notes, found) if "tools" in names else tuple(keys)
        _note_if(order != tuple(keys), "tools-reordered", found)
        return tuple(by_key[key] for key in order)

    def _first_tool(self, key: bytes, tool: ToolSpec, size: int, notes: bool) -> ToolSpec:
        known = self._tools.get(key)
        if known is None and notes:
            self._tools.put(key, tool, size)
        return known or tool

    def _order(self, keys: Sequence[bytes], owner: str, notes: bool, found: _Found) -> tuple[bytes, ...]:
        group = self._digests.of("tools", owner, *sorted(keys))
        known = self._orders.get(group)
        if known is None and notes:
            self._orders.put(group, tuple(keys), len(keys) * 16)
        found.used.append(SpellingNote(group, known or tuple(keys)))
        return known or tuple(keys)

    def _known_turns(
        self, request: ChatRequest, names: frozenset[str], owner: str, notes: bool, found: _Found
    ) -> tuple[tuple[Message, ...], bytes]:
        messages = request.messages
        place = self._digests.of("turns", owner)
        if names.isdisjoint({"json", "whitespace"}):
            return messages, place
        last = max((i for i, message in enumerate(messages) if message.role is Role.ASSISTANT), default=-1)
        # A reply that is to be gone on with has the end that it has.
        old = last if request.continue_last else last + 1
        told: list[Message] = []
        for index, message in enumerate(messages):
            place = self._digests.of(place, meaning(message, names))
            known = self._spellings.get(place) if index < old else None
            told.append(message if known is None else respelled(message, known, names))
            if known is not None:
                found.used.append(SpellingNote(place, known))
            elif notes and not (request.continue_last and index == last):
                found.used.append(self._note(place, message))
        _note_if(told != list(messages), "spelling-restored", found)
        return tuple(told), place

    def _note_reply(self, reply: Message, repaired: Repaired) -> None:
        names = frozenset(repaired.request.prefix_repair or ())
        if names.isdisjoint({"json", "whitespace"}) or repaired.request.continue_last:
            return
        place = self._digests.of(repaired.place, meaning(reply, names))
        repaired.used.append(self._note(place, reply, is_own=True))

    def _note(self, place: bytes, message: Message, *, is_own: bool = False) -> SpellingNote:
        how = spelling(message, is_own=is_own)
        self._spellings.put(place, how, how.size)
        return SpellingNote(place, how)


@dataclass(slots=True)
class _Said:
    """A reply so far."""

    texts: list[str]
    calls: list[tuple[str, list[str]]]

    @property
    def message(self) -> Message:
        text = "".join(self.texts)
        calls = tuple(ToolCall("", name, "".join(pieces)) for name, pieces in self.calls)
        return Message(role=Role.ASSISTANT, parts=(TextPart(text),) if text else (), tool_calls=calls)


def _said(replies: dict[int, _Said], index: int) -> _Said:
    if index not in replies:
        replies[index] = _Said([], [])
    return replies[index]


def _length(message: Message) -> int:
    return len(message.text) + sum(len(call.arguments) for call in message.tool_calls)


def _note_if(condition: bool, name: str, found: _Found) -> None:
    if condition:
        found.repairs.append(name)


def _same_keys(sent: Sequence[ToolSpec], told: Sequence[ToolSpec]) -> bool:
    """Whether the keys of all schemas are in the same order."""
    return all(repr(one.parameters) == repr(other.parameters) for one, other in zip(sent, told, strict=True))
