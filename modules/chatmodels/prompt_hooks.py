"""Where hooks change a prompt that is made here: as text, in how it is counted, and as token ids."""

from collections.abc import Sequence
from dataclasses import replace

from modules.chatmodels.hook_values import checked, passed_through
from modules.engine.types import ModelCard, Prompt
from modules.errors import BadRequest
from modules.hooks import Hooks, Turn
from modules.prompt.plan import PromptPlan
from modules.prompt.tokens import checked_ids, fitted, with_cuts_of, with_markers, with_places_again, without_reserved
from modules.requests import CompletionRequest, MixedPrompt, Mode


class PromptHooks:
    """Those of one request; edits of a PromptBuilder."""

    def __init__(self, hooks: Hooks, turn: Turn) -> None:
        self._hooks = hooks
        self._turn = turn
        self._prefixes: dict[str, str] = {}
        self._texts: dict[Prompt, str] = {}

    def text_of(self, prompt: Prompt) -> str:
        """What `prompt` was before it became tokens."""
        return self._texts.get(prompt, "")

    async def prompt_text(self, text: str, plan: PromptPlan) -> str:
        """The prompt that `plan` has written, as the hooks want it."""
        if not (self._hooks.chat_prompt or self._hooks.reply_prefix):
            return text
        marked = with_markers(text)
        changed = await passed_through("chat_prompt", self._hooks.chat_prompt, without_reserved(marked), self._turn)
        changed = with_cuts_of(marked, await self._with_prefix(changed, plan))
        return changed if marked == text else with_places_again(changed, text)

    async def token_count(self, text: str) -> int | None:
        """What the prompt counts as; None for its real number of tokens."""
        for count in self._hooks.token_count[:1]:
            return int(checked("token_count", count, await count(text, self._turn)))
        return None

    async def prompt(self, card: ModelCard, prompt: Prompt, text: str, *, param: str) -> Prompt:
        """What the model is about to read. Raises BadRequest, ContextTooLong for what the hooks have made of it."""
        self._turn.card, self._turn.prompt = card, text
        if self._hooks.prompt_tokens:
            tokens = await passed_through("prompt_tokens", self._hooks.prompt_tokens, prompt.tokens, self._turn)
            cells = [token for token in tokens if token < 0]
            if cells != [token for token in prompt.tokens if token < 0]:
                raise BadRequest("An extension has changed the tokens of a picture or a sound.", param=param)
            checked_ids(card, [token for token in tokens if token >= 0], param=param)
            prompt = replace(fitted(card, tokens, param=param), media=prompt.media)
        self._texts[prompt] = text
        return prompt

    async def prompts(self, card: ModelCard, prompts: Sequence[Prompt]) -> list[Prompt]:
        """As `prompt`, for each of a completion request's."""
        assert isinstance(self._turn.request, CompletionRequest)
        texts = [_text(given) for given in self._turn.request.prompts]
        pairs = zip(prompts, texts, strict=True)
        return [await self.prompt(card, prompt, text, param="prompt") for prompt, text in pairs]

    async def _with_prefix(self, text: str, plan: PromptPlan) -> str:
        if plan.cast is None or plan.continues or not plan.prompts_reply:
            return text
        name = f"{plan.cast.bot}:"
        prefix = name if plan.mode is Mode.CHAT and text.endswith(name) else ""
        return text.removesuffix(prefix) + await self._prefix(prefix)

    async def _prefix(self, prefix: str) -> str:
        """Once for each, since a prompt may be written several times until it fits."""
        if prefix not in self._prefixes:
            self._prefixes[prefix] = await passed_through("reply_prefix", self._hooks.reply_prefix, prefix, self._turn)
        return self._prefixes[prefix]


def _text(given: str | tuple[int, ...] | MixedPrompt) -> str:
    match given:
        case str():
            return given
        case MixedPrompt():
            return given.text
    return ""
