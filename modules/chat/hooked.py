"""Where the hooks of extensions step into a request: before its prompt, in the prompt, and at the end of its replies."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from modules.chat.hook_values import checked, passed_through
from modules.chat.voice import Nobody, Voice
from modules.engine.protocols import Engine
from modules.engine.types import Generation, ModelCard, Prompt, TokenLogprob
from modules.errors import NotLoaded
from modules.events import Content, Done, Draft, Event, ToolCallStart
from modules.hooks import Hooks, Turn
from modules.prompt.plan import PromptPlan
from modules.prompt.tokens import checked_ids, fitted, with_cuts_of, without_reserved
from modules.requests import ChatRequest, CompletionRequest, Mode

_BOUNDLESS: Final = 2**24


class HookedRequest:
    """One request and all that `hooks` do to it."""

    def __init__(self, hooks: Hooks, request: ChatRequest | CompletionRequest, owner: str) -> None:
        self._hooks = hooks
        self.turn = Turn(request=request, owner=owner)
        self._prefixes: dict[str, str] = {}
        self._prompts: dict[Prompt, str] = {}

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

    @asynccontextmanager
    async def engine(self, model: AbstractAsyncContextManager[Engine]) -> AsyncGenerator[Engine, None]:
        """Who says the reply: the model, or an extension, which can do so without one."""
        async with AsyncExitStack() as stack:
            try:
                engine = await stack.enter_async_context(model)
            except NotLoaded:
                if not self._hooks.reply:
                    raise
                engine = Nobody(context=_BOUNDLESS)
            yield Voice(engine, self._speak) if self._hooks.reply else engine

    async def prompt_text(self, text: str, plan: PromptPlan) -> str:
        """The prompt that `plan` has written, as the hooks want it."""
        if not (self._hooks.chat_prompt or self._hooks.reply_prefix):
            return text
        shown = without_reserved(text)
        changed = await passed_through("chat_prompt", self._hooks.chat_prompt, shown, self.turn)
        return with_cuts_of(text, await self._with_prefix(changed, plan))

    async def _with_prefix(self, text: str, plan: PromptPlan) -> str:
        if plan.cast is None or plan.continues or not plan.prompts_reply:
            return text
        name = f"{plan.cast.bot}:"
        prefix = name if plan.mode is Mode.CHAT and text.endswith(name) else ""
        return text.removesuffix(prefix) + await self._prefix(prefix)

    async def token_count(self, text: str) -> int | None:
        """What the prompt counts as; None for its real number of tokens."""
        for count in self._hooks.token_count[:1]:
            return int(checked("token_count", count, await count(text, self.turn)))
        return None

    async def prompt(self, card: ModelCard, prompt: Prompt, text: str, *, param: str) -> Prompt:
        """What the model is about to read. Raises BadRequest, ContextTooLong for what the hooks have made of it."""
        self.turn.card, self.turn.prompt = card, text
        if self._hooks.prompt_tokens:
            tokens = await passed_through("prompt_tokens", self._hooks.prompt_tokens, prompt.tokens, self.turn)
            prompt = fitted(card, checked_ids(card, tokens, param=param), param=param)
        self._prompts[prompt] = text
        return prompt

    async def prompts(self, card: ModelCard, prompts: Sequence[Prompt]) -> list[Prompt]:
        """As `prompt`, for each of a completion request's."""
        assert isinstance(self.turn.request, CompletionRequest)
        texts = [text if isinstance(text, str) else "" for text in self.turn.request.prompts]
        pairs = zip(prompts, texts, strict=True)
        return [await self.prompt(card, prompt, text, param="prompt") for prompt, text in pairs]

    async def reply(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The same events, with the text of each choice held back until it is complete and the hooks have had it."""
        texts: dict[int, _HeldText] = {}
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Content) and self._hooks.reply_text:
                    texts.setdefault(event.index, _HeldText()).add(event)
                    if event.text:
                        yield Draft(index=event.index, text=event.text)
                    continue
                if isinstance(event, Done | ToolCallStart) and self._hooks.reply_text:
                    held = texts.setdefault(event.index, _HeldText())
                    if held.is_due(at_end=isinstance(event, Done)):
                        yield await self._revised(event.index, held)
                yield event

    async def _revised(self, index: int, held: "_HeldText") -> Content:
        text = await passed_through("reply_text", self._hooks.reply_text, held.take(), self.turn)
        return Content(index=index, text=text, tokens=tuple(held.tokens), logprobs=tuple(held.logprobs))

    async def _speak(self, generation: Generation) -> AsyncGenerator[str, None]:
        speak = self._hooks.reply[0]
        async with aclosing(speak(replace(self.turn, prompt=self._prompts.get(generation.prompt, "")))) as pieces:
            async for piece in pieces:
                yield checked("reply", speak, piece)

    async def _prefix(self, prefix: str) -> str:
        """Once for each, since a prompt may be written several times until it fits."""
        if prefix not in self._prefixes:
            self._prefixes[prefix] = await passed_through("reply_prefix", self._hooks.reply_prefix, prefix, self.turn)
        return self._prefixes[prefix]


@dataclass(slots=True)
class _HeldText:
    """What a choice has said since the hooks last had its text; usually that is all of it."""

    texts: list[str] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    is_fresh: bool = True

    def add(self, content: Content) -> None:
        if not self.texts:
            self.tokens, self.logprobs = [], []
        self.texts.append(content.text)
        self.tokens += content.tokens
        self.logprobs += content.logprobs

    def is_due(self, *, at_end: bool) -> bool:
        return bool(self.texts) or (at_end and self.is_fresh)

    def take(self) -> str:
        text, self.texts, self.is_fresh = "".join(self.texts), [], False
        return text
