"""The reply so far: reasoning, text, tool calls with their results, and its cost."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from modules.chat.tool_events import (
    LoopEvent,
    RoundFinished,
    ToolFinished,
    ToolProposed,
    ToolRefused,
    ToolStarted,
)
from modules.events import Content, Done, Progress, Reasoning, Started, ToolCallDelta, ToolCallStart
from modules.events import ContentPreview as Unhooked
from modules.library.chats.history import NO_OUTCOME, Outcome
from modules.library.chats.probabilities import packed, unpacked
from modules.messages import Message, Role, ToolCall, text_message
from modules.prompt.templates.shape import with_thought_apart
from modules.reply.gather import ChoiceAccumulator
from modules.reply.receipt import ReceiptNotes
from modules.ui.replies.scores import TokenScores

_OPEN: Final = "<think>"
_CLOSE: Final = "</think>"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSoFar:
    """`waits` for the user's word; `answer` is None until there is one."""

    call: ToolCall
    waits: bool = False
    answer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyDraft:
    """A value of one moment. `reading` is the share of the prompt that has been read, None once words come. `visible` is
    what extensions have made of the words, None where they leave them alone. `probabilities` are those of the tokens of a
    text that a reply begins with, packed."""

    reasoning: str = ""
    content: str = ""
    visible: str | None = None
    calls: tuple[CallSoFar, ...] = ()
    tool_messages: tuple[Message, ...] = ()
    model: str = ""
    lore: str = ""
    tokens: int = 0
    seconds: float = 0.0
    outcome: Outcome = NO_OUTCOME
    reading: float | None = None
    probabilities: str = ""

    @property
    def text(self) -> str:
        """Thought and words as one text, the way conversations are kept."""
        return joined(self.reasoning, self.content)


def joined(reasoning: str, content: str) -> str:
    """A thought stands in marks at the beginning; one that no words follow was broken off, and is left open."""
    if not reasoning:
        return content
    return f"{_OPEN}\n{reasoning.strip(chr(10))}\n{_CLOSE}\n\n{content}" if content else f"{_OPEN}\n{reasoning}"


def word_place(reasoning: str, content: str) -> int:
    """At which character of `joined` the words begin."""
    return len(joined(reasoning, content)) - len(content)


def thought_place(reasoning: str, content: str) -> int:
    """At which character of `joined` the thought begins, or would if it had not lost its first line breaks."""
    lost = len(reasoning) - len(reasoning.lstrip("\n")) if content else 0
    return len(_OPEN) + 1 - lost


def divided(text: str) -> tuple[str, str]:
    """Thought and words of a reply as it is kept, in whatever marks a model uses."""
    message = with_thought_apart(text_message(Role.ASSISTANT, text))
    return message.reasoning or "", message.text


@dataclass(slots=True)
class Drafting:
    """Takes in the events of a reply; `draft` is what they have come to. A reply that goes on with an older text begins
    with that. Time counts from when it is made: a short prompt is read before an engine answers at all."""

    draft: ReplyDraft = field(default_factory=ReplyDraft)
    clock: Callable[[], float] = time.monotonic
    _begun: float = field(init=False)
    _tokens_before: int = 0
    _first: float | None = None
    _writing_before: float = 0.0
    _before: ReplyDraft = field(init=False)
    _said: ChoiceAccumulator = field(default_factory=ChoiceAccumulator)
    _scores: TokenScores = field(default_factory=TokenScores)
    _started: Started | None = None

    def __post_init__(self) -> None:
        self._before = self.draft
        self._begun = self.clock()

    def add(self, event: LoopEvent) -> None:
        match event:
            case Started():
                self._started = event
                outcome = replace(self.draft.outcome, receipt={})
                self.draft = replace(self.draft, model=event.model, lore=", ".join(event.lore), outcome=outcome)
            case Progress():
                self.draft = replace(self.draft, reading=event.prompt.done / max(1, event.prompt.total))
            case Reasoning() | Content() | Unhooked() | ToolCallStart() | ToolCallDelta():
                self._say(event)
            case Done():
                self._count(event)
            case ToolProposed() | ToolStarted() | ToolFinished() | ToolRefused():
                self._tell(event)
            case RoundFinished():
                self._finish_round(event)

    def _say(self, event: Reasoning | Content | Unhooked | ToolCallStart | ToolCallDelta) -> None:
        self._measure(event)
        self._said.add(event)
        self._scores.add(event, self._said)
        said, before = self._said, self._before
        is_changed = said.drafted is not None or before.visible is not None
        self.draft = replace(
            self.draft,
            reasoning=before.reasoning + said.reasoning,
            content=before.content + ((said.drafted or "") if is_changed else said.text),
            visible=(before.visible or "") + said.text if is_changed else None,
            calls=tuple(CallSoFar(call=call) for call in said.calls),
            reading=None,
        )

    def _measure(self, event: Reasoning | Content | Unhooked | ToolCallStart | ToolCallDelta) -> None:
        """How many tokens there are so far, as far as they are told, and how long they took."""
        now = self.clock()
        outcome = self.draft.outcome
        if self._first is None:
            self._first = now
            outcome = replace(outcome, waited=outcome.waited or now - self._begun)
        tokens = len(event.tokens) if isinstance(event, Content | Reasoning) else 0
        outcome = replace(outcome, writing=self._writing_before + now - self._first, finish="incomplete")
        self.draft = replace(self.draft, tokens=self.draft.tokens + tokens, seconds=now - self._begun, outcome=outcome)

    def _count(self, done: Done) -> None:
        now = self.clock()
        elapsed = now - self._begun
        self._tokens_before += done.usage.completion_tokens
        self._writing_before += 0.0 if self._first is None else now - self._first
        self._first = None
        outcome = replace(
            self.draft.outcome,
            writing=self._writing_before,
            finish=done.reason.value,
            prompt_tokens=done.usage.prompt_tokens,
            receipt=_receipt(self._started, done),
        )
        self.draft = replace(self.draft, tokens=self._tokens_before, seconds=elapsed, outcome=outcome, reading=None)

    def _tell(self, event: ToolProposed | ToolStarted | ToolFinished | ToolRefused) -> None:
        answer = event.answer if isinstance(event, ToolFinished | ToolRefused) else None
        told = CallSoFar(call=event.call, waits=isinstance(event, ToolProposed), answer=answer)
        calls = tuple(told if each.call.id == event.call.id else each for each in self.draft.calls)
        self.draft = replace(self.draft, calls=calls)

    def _finish_round(self, event: RoundFinished) -> None:
        messages = (*self.draft.tool_messages, *event.messages)
        self.draft = replace(self.draft, tool_messages=messages, reasoning="", content="", visible=None, calls=())
        self._before, self._said, self._scores = ReplyDraft(), ChoiceAccumulator(), TokenScores()

    @property
    def probabilities(self) -> str:
        """Of the tokens of the draft's text, packed."""
        before, draft = self._before, self.draft
        thoughts = thought_place(draft.reasoning, draft.content) + len(before.reasoning)
        words = word_place(draft.reasoning, draft.content) + len(before.content)
        kept = unpacked(before.probabilities)
        new = self._scores.placed(thoughts, words)
        return packed((*kept, *new))


def _receipt(started: Started | None, done: Done) -> Mapping[str, object]:
    """Of one answer of the model, as it is read again from a file."""
    if started is None:
        return {}
    notes = ReceiptNotes()
    notes.note(started)
    notes.note(done)
    receipt: Mapping[str, object] = json.loads(json.dumps(notes.body(started.unsupported)))
    return receipt
