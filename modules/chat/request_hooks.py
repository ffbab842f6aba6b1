"""Hooks of extensions on the text of a request and its replies, for all kinds of models."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from modules.chatmodels.base import RequestScope, Stoppable
from modules.chatmodels.hook_values import passed_through
from modules.engine.types import TokenLogprob
from modules.events import Content, ContentPreview, Done, Event, ToolCallStart
from modules.hooks import Hooks, Turn
from modules.requests import ChatRequest, CompletionRequest


class RequestHooks:
    """One request and all that `hooks` do to it."""

    def __init__(self, hooks: Hooks, request: ChatRequest | CompletionRequest, owner: str) -> None:
        self._hooks = hooks
        self.turn = Turn(request=request, owner=owner)

    async def chat_request(self) -> ChatRequest:
        assert isinstance(self.turn.request, ChatRequest)
        for change in self._hooks.chat_request:
            request = self.turn.request
            self.turn.request = await passed_through("chat_request", (change,), request, self.turn)
        return self.turn.request

    async def completion_request(self) -> CompletionRequest:
        assert isinstance(self.turn.request, CompletionRequest)
        for change in self._hooks.completion_request:
            request = self.turn.request
            self.turn.request = await passed_through("completion_request", (change,), request, self.turn)
        return self.turn.request

    def scope(self, work: Stoppable) -> RequestScope:
        """What the model is told of the request; `work` ends its replies."""
        return RequestScope(self._hooks, self.turn, work)

    async def reply(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The same events, with the text of each choice held back until it is complete and the hooks have had it."""
        texts: dict[int, _HeldText] = {}
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Content) and self._hooks.reply_text:
                    texts.setdefault(event.index, _HeldText()).add(event)
                    if event.text:
                        yield ContentPreview(index=event.index, text=event.text)
                    continue
                if isinstance(event, Done | ToolCallStart) and self._hooks.reply_text:
                    held = texts.setdefault(event.index, _HeldText())
                    if held.is_due(at_end=isinstance(event, Done)):
                        yield await self._revised(event.index, held)
                yield event

    async def _revised(self, index: int, held: "_HeldText") -> Content:
        text = await passed_through("reply_text", self._hooks.reply_text, held.take(), self.turn)
        return Content(
            index=index,
            text=text,
            tokens=tuple(held.tokens),
            logprobs=tuple(held.logprobs),
            starts=tuple(held.starts),
        )


@dataclass(slots=True)
class _HeldText:
    """What a choice has said since the hooks last had its text; usually that is all of it."""

    texts: list[str] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    length: int = 0
    is_fresh: bool = True

    def add(self, content: Content) -> None:
        if not self.texts:
            self.tokens, self.logprobs, self.starts, self.length = [], [], [], 0
        self.texts.append(content.text)
        self.tokens += content.tokens
        self.logprobs += content.logprobs
        self.starts += (self.length + start for start in content.starts)
        self.length += len(content.text)

    def is_due(self, *, at_end: bool) -> bool:
        return bool(self.texts) or (at_end and self.is_fresh)

    def take(self) -> str:
        text, self.texts, self.is_fresh = "".join(self.texts), [], False
        return text
