"""Requests → prompts: chooses and renders the template off the event loop, tokenizes, and checks that it fits."""

import asyncio
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from modules.engine.protocols import Engine
from modules.engine.types import ModelCard, Prompt
from modules.errors import BadRequest
from modules.messages import Message, Role, TextPart
from modules.prompt.conversation import template_messages, template_tools
from modules.prompt.fit import fitted
from modules.prompt.render import TemplateRenderer
from modules.prompt.templates import ChatTemplate, choose_template
from modules.prompt.tokens import PLACE, ControlTexts, checked_ids, tokenize, with_bos, without_reserved
from modules.requests import ChatRequest, CompletionRequest

_STRANGERS: Final = frozenset({Role.USER, Role.TOOL})
_RESERVED_ARGUMENTS: Final = frozenset(
    {"messages", "tools", "documents", "add_generation_prompt", "bos_token", "eos_token", "chat_template", "tokenize"}
)
_PROBE: Final = "c4a71e"


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A conversation as the model reads it: its tokens, the same as text, and the template it was written with."""

    prompt: Prompt
    text: str
    template: ChatTemplate


class PromptBuilder:
    """Keeps compiled templates and what it learned about each; safe to share."""

    def __init__(self) -> None:
        self._renderer = TemplateRenderer()
        self._controls = lru_cache(maxsize=4)(ControlTexts)
        self._wants_parts = lru_cache(maxsize=16)(self._probe_for_parts)

    async def chat(self, engine: Engine, request: ChatRequest) -> ChatPrompt:
        """Raises BadRequest when the template refuses the conversation, ContextTooLong, NotSupported."""
        text = await asyncio.to_thread(self._render, engine.card, request)
        tokens = with_bos(engine.card, await tokenize(engine, text, param="messages"))
        prompt = fitted(engine.card, tokens, param="messages", room=_room(request.limits.max_tokens))
        return ChatPrompt(prompt, without_reserved(text), choose_template(engine.card))

    async def text(self, card: ModelCard, request: ChatRequest) -> str:
        """The prompt of a chat request as a person would read it."""
        return without_reserved(await asyncio.to_thread(self._render, card, request))

    async def completion(self, engine: Engine, request: CompletionRequest) -> list[Prompt]:
        """One prompt per text or token list. Raises BadRequest, ContextTooLong."""
        room = _room(request.limits.max_tokens)
        return [
            fitted(engine.card, await self._raw(engine, prompt, request.add_bos), param="prompt", room=room)
            for prompt in request.prompts
        ]

    async def raw(self, engine: Engine, text: str) -> Prompt:
        """A prompt out of nothing but `text`. Raises BadRequest, ContextTooLong."""
        return fitted(engine.card, await self.tokens(engine, text), param="prompt")

    async def tokens(self, engine: Engine, text: str, *, add_bos: bool = True) -> list[int]:
        """`text` as a prompt's tokens: its author may use control tokens, and BOS is added where the model wants one."""
        tokens = await tokenize(engine, without_reserved(text), param="prompt")
        return with_bos(engine.card, tokens) if add_bos else tokens

    async def _raw(self, engine: Engine, prompt: str | tuple[int, ...], add_bos: bool) -> list[int]:
        if not isinstance(prompt, str):
            return checked_ids(engine.card, prompt, param="prompt")
        tokens = await self.tokens(engine, prompt, add_bos=add_bos)
        if not tokens and engine.card.bos_id is not None:
            # Nothing to go on from: any text may follow, which is what BOS stands for.
            return [engine.card.bos_id]
        return tokens

    def _render(self, card: ModelCard, request: ChatRequest) -> str:
        template = choose_template(card)
        if not request.continue_last:
            return self._render_turns(card, template, request, add_generation_prompt=True)
        *earlier, last = request.messages
        if last.role is not Role.ASSISTANT:
            raise BadRequest(
                "Only a reply can be continued: the last message must be the assistant's.", param="messages"
            )
        marked = replace(last, parts=(TextPart(PLACE),))
        turns = replace(request, messages=(*earlier, marked))
        before, place, _ = self._render_turns(card, template, turns, add_generation_prompt=False).partition(PLACE)
        if not place:
            raise BadRequest(
                "The chat template of this model leaves no place to continue a reply at.", param="messages"
            )
        return before + without_reserved(last.text)

    def _render_turns(
        self, card: ModelCard, template: ChatTemplate, request: ChatRequest, *, add_generation_prompt: bool
    ) -> str:
        controls = self._controls(card.control_tokens)

        def quote(message: Message, text: str) -> str:
            if message.role in _STRANGERS:
                return controls.cut(text)
            return text if text == PLACE else without_reserved(text)

        as_parts = self._wants_parts(template.source)
        turns = template_messages(request.messages, as_parts=as_parts, quote=quote)
        own = _own_variables(card, turns, add_generation_prompt) | {"tools": template_tools(request.tools)}
        return self._renderer.render(template.source, _allowed(request.template_arguments) | own)

    def _probe_for_parts(self, source: str) -> bool:
        """True for templates that walk through a list of typed parts and would lose a plain text."""
        as_list = [{"type": "text", "text": _PROBE}]
        return not self._shows(source, _PROBE) and self._shows(source, as_list)

    def _shows(self, source: str, content: object) -> bool:
        variables = {"messages": [{"role": "user", "content": content}], "add_generation_prompt": True}
        try:
            return _PROBE in self._renderer.render(source, variables)
        except BadRequest:
            return False


def _own_variables(card: ModelCard, turns: list[dict[str, Any]], add_generation_prompt: bool) -> dict[str, Any]:
    return {
        "messages": turns,
        "documents": None,
        "add_generation_prompt": add_generation_prompt,
        "bos_token": card.bos_token,
        "eos_token": card.eos_token,
    }


def _allowed(arguments: dict[str, Any]) -> dict[str, Any]:
    taken = _RESERVED_ARGUMENTS & arguments.keys()
    if taken:
        names = ", ".join(sorted(taken))
        raise BadRequest(f"The template arguments cannot set {names}.", param="chat_template_kwargs")
    return arguments


def _room(max_tokens: int | None) -> int:
    return 0 if max_tokens == 0 else 1
