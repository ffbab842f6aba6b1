"""Requests → prompts: renders the template off the event loop, tokenizes, fits it to the context."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from modules.engine.protocols import Engine
from modules.engine.types import ModelCard, Prompt
from modules.errors import BadRequest
from modules.library.library import Library
from modules.messages import MediaPart, Message, Part, Role, TextPart
from modules.prompt.characters.lore import Count, Lore, chosen_lore
from modules.prompt.characters.matching import Patterns
from modules.prompt.conversation.trim import LEFT_OUT, readable, shortened
from modules.prompt.known_tokens import KnownTokens
from modules.prompt.media import MediaDecoder, NoMedia, PlacedMedia, placed, with_places
from modules.prompt.plan import Planner, PromptPlan, conversation_of
from modules.prompt.stops import StopTexts
from modules.prompt.templates.choice import ChatTemplate, Rendering
from modules.prompt.tokens import (
    checked_ids,
    fits,
    fitted,
    infill_tokens,
    is_media_place,
    reserved_room,
    tokenize,
    tokenize_mixed,
    with_bos,
    with_markers,
    without_reserved,
)
from modules.prompt.writer import PromptWriter, Written
from modules.requests import ChatRequest, CompletionRequest, MixedPrompt, Mode
from modules.settings.values import Settings
from modules.text.control_tokens import ControlTexts

# More entries of lorebooks than conversations bring up.
_KEPT_LENGTHS: Final = 4096


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A conversation as the model reads it: its tokens, the same as text, and the template the reply is written by,
    with the texts that end it.

    `stop_token_ids` are control tokens that end it too. Where there are `reply_prefixes`, white space at the beginning
    of the reply is no part of it, and then neither is one of these. With `is_thinking` the prompt ends within a thought
    that the request handed over. `repairs` name what had to be done for the template to take the conversation, `lore` the
    entries of lorebooks that are in it. `written` is the text with the marks that it is tokenized by.
    """

    prompt: Prompt
    text: str
    template: ChatTemplate
    stop_token_ids: tuple[int, ...] = ()
    reply_prefixes: tuple[str, ...] = ()
    is_thinking: bool = False
    repairs: tuple[str, ...] = ()
    lore: tuple[str, ...] = ()
    written: str = ""


class PromptEdits(Protocol):
    """Who may change a prompt on its way to the model, and say how long it counts as."""

    async def prompt_text(self, text: str, plan: PromptPlan) -> str: ...

    async def token_count(self, text: str) -> int | None:
        """None for the number of its tokens."""
        ...


class NoEdits:
    """Prompts stay as they are."""

    async def prompt_text(self, text: str, plan: PromptPlan) -> str:
        return text

    async def token_count(self, text: str) -> int | None:
        return None


@dataclass(frozen=True, slots=True)
class _Draft:
    """`count` is what it counts as when turns are left out."""

    text: str
    tokens: list[int]
    count: int
    repairs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Drafting:
    """What all drafts of one prompt have in common."""

    engine: Engine
    plan: PromptPlan
    media: PlacedMedia
    edits: PromptEdits


class PromptBuilder:
    """Keeps compiled templates and what it learned about each; safe to share. To be closed with `aclose`, since
    templates that come in requests run in a process of their own."""

    def __init__(
        self, library: Library | None = None, settings: Settings | None = None, media: MediaDecoder | None = None
    ) -> None:
        settings = settings or Settings()
        self._media = media or NoMedia()
        self._planner = Planner(library or Library(settings.user_data), settings)
        self._rendering = Rendering()
        self._writer = PromptWriter(self._rendering)
        self._stops = StopTexts(self._writer)
        # Weak, so that the ids leave with the model that they belong to.
        self._stop_ids: WeakKeyDictionary[Engine, dict[str, list[int]]] = WeakKeyDictionary()
        self._lengths: WeakKeyDictionary[Engine, dict[str, int]] = WeakKeyDictionary()
        self._known: WeakKeyDictionary[Engine, KnownTokens] = WeakKeyDictionary()
        self._patterns = Patterns()

    async def aclose(self) -> None:
        await self._rendering.aclose()

    async def chat(
        self, engine: Engine, request: ChatRequest, edits: PromptEdits | None = None, *, sizes_only: bool = False
    ) -> ChatPrompt:
        """With `sizes_only` the prompt has its tokens, those of pictures with another id, and can be counted only. Raises
        BadRequest when the template refuses the conversation, ContextTooLong, NotSupported."""
        plan, parts = await self._plan(engine.card, request, self._counter(engine))
        media = await placed(self._media, engine, parts, sizes_only=sizes_only)
        draft = await self._fitting(_Drafting(engine, plan, media, edits or NoEdits()), request)
        # max_tokens 0 only scores the prompt, which may then fill the context.
        room = 0 if request.limits.max_tokens == 0 else 1
        prompt = fitted(engine.card, draft.tokens, param="messages", room=room)
        strings, ids = await self._stops_of(engine, plan)
        return ChatPrompt(
            prompt=replace(prompt, media=media.shown_in(draft.text)),
            text=without_reserved(with_markers(draft.text)),
            template=replace(plan.template, stop=strings),
            stop_token_ids=ids,
            reply_prefixes=_reply_prefixes(plan),
            is_thinking=plan.continues_thought,
            repairs=draft.repairs,
            lore=() if plan.cast is None else plan.cast.lore,
            written=draft.text,
        )

    def note_reply(
        self, engine: Engine, prompt: ChatPrompt, reply: str, tokens: Sequence[int], *, ends_call: bool = False
    ) -> None:
        """That the model went on from `prompt` with `reply`: prompts that go on from there are read in the same tokens.
        One that `ends_call` was ended behind a whole call."""
        if not prompt.prompt.media and prompt.written:
            known = self._known.setdefault(engine, KnownTokens())
            known.note(prompt.written, prompt.prompt.tokens, reply, tokens, ends_call=ends_call)

    def controls(self, card: ModelCard) -> ControlTexts:
        """The texts of the model's control tokens."""
        return self._writer.controls(card)

    async def written(self, card: ModelCard, request: ChatRequest) -> Written:
        """The prompt of a chat request as a person would read it, whether or not it fits."""
        plan, _ = await self._plan(card, request)
        written = await self._writer.write(plan, plan.messages)
        return replace(written, text=without_reserved(with_markers(written.text)))

    async def conversation(self, card: ModelCard, request: ChatRequest) -> tuple[Message, ...]:
        """The messages of a chat request for a model whose template is not here: with what the settings and the
        character have to say. Raises BadRequest."""
        lore = await self._lore(card, request, _estimated)
        return conversation_of(await asyncio.to_thread(self._planner.plan, card, request, lore))

    async def text(self, card: ModelCard, request: ChatRequest) -> str:
        return (await self.written(card, request)).text

    async def completion(self, engine: Engine, request: CompletionRequest) -> list[Prompt]:
        """One prompt per text or token list. Raises BadRequest, ContextTooLong, NotSupported (suffix)."""
        room = 0 if request.limits.max_tokens == 0 else 1
        return [
            await self._mixed(engine, prompt, request, room)
            if isinstance(prompt, MixedPrompt)
            else fitted(engine.card, await self._raw(engine, prompt, request), param="prompt", room=room)
            for prompt in request.prompts
        ]

    async def raw(self, engine: Engine, text: str) -> Prompt:
        """A prompt out of nothing but `text`. Raises BadRequest, ContextTooLong."""
        return fitted(engine.card, await self.tokens(engine, text), param="prompt")

    async def tokens(self, engine: Engine, text: str, *, add_bos: bool = True) -> list[int]:
        """`text` as a prompt's tokens: its author may use control tokens, and BOS is added where the model wants one."""
        tokens = await tokenize(engine, without_reserved(text), param="prompt")
        return with_bos(engine.card, tokens) if add_bos else tokens

    async def _mixed(self, engine: Engine, prompt: MixedPrompt, request: CompletionRequest, room: int) -> Prompt:
        if request.suffix:
            raise BadRequest("Text before a suffix is filled in without pictures and sounds.", param="suffix")
        message = readable([Message(role=Role.USER, parts=prompt.parts)], engine.card.modalities)
        (told,), parts = with_places(message)
        media = await placed(self._media, engine, parts)
        text = "".join(_raw_text(part) for part in told.parts)
        tokens = await tokenize_mixed(engine, text, media.tokens, param="prompt")
        tokens = with_bos(engine.card, tokens) if request.add_bos else tokens
        return replace(fitted(engine.card, tokens, param="prompt", room=room), media=media.media)

    async def _raw(self, engine: Engine, prompt: str | tuple[int, ...], request: CompletionRequest) -> list[int]:
        if request.suffix:
            return await self._around(engine, prompt, request)
        if not isinstance(prompt, str):
            return checked_ids(engine.card, prompt, param="prompt")
        tokens = await self.tokens(engine, prompt, add_bos=request.add_bos)
        if not tokens and engine.card.bos_id is not None:
            # Nothing to go on from: any text may follow, which is what BOS stands for.
            return [engine.card.bos_id]
        return tokens

    async def _around(self, engine: Engine, prompt: str | tuple[int, ...], request: CompletionRequest) -> list[int]:
        """Here the program writes the control tokens, so those in the texts are letters."""
        if isinstance(prompt, str):
            before = await tokenize(engine, without_reserved(prompt), param="prompt", special=False)
        else:
            before = checked_ids(engine.card, prompt, param="prompt")
        after = await tokenize(engine, without_reserved(request.suffix or ""), param="suffix", special=False)
        tokens = infill_tokens(engine.card, before, after)
        return with_bos(engine.card, tokens) if request.add_bos else tokens

    async def _plan(
        self, card: ModelCard, request: ChatRequest, count: Count | None = None
    ) -> tuple[PromptPlan, tuple[MediaPart, ...]]:
        """With places for the pictures and sounds that the model of `card` can read. Raises BadRequest for others."""
        kept = readable(request.messages, card.modalities)
        messages, parts = with_places(kept)
        lore = await self._lore(card, request, count or _estimated)
        # Reads characters and templates from disk.
        plan = await asyncio.to_thread(self._planner.plan, card, replace(request, messages=messages), lore)
        return (plan if kept == request.messages else replace(plan, repairs=(LEFT_OUT, *plan.repairs))), parts

    async def _lore(self, card: ModelCard, request: ChatRequest, count: Count) -> Lore | None:
        if request.persona.mode is Mode.INSTRUCT:
            return None
        search = await asyncio.to_thread(self._planner.search, request)
        if search is None:
            return None
        return await chosen_lore(search.books, search.scene, self._patterns, count=count, context=card.context)

    def _counter(self, engine: Engine) -> Count:
        """Counts the entries of lorebooks; each is tokenized once for a model."""
        known = self._lengths.setdefault(engine, {})

        async def count(text: str) -> int:
            if text not in known:
                if len(known) >= _KEPT_LENGTHS:
                    known.clear()
                known[text] = len(await tokenize(engine, without_reserved(text), param="lorebooks", special=False))
            return known[text]

        return count

    async def _draft(self, drafting: _Drafting, messages: Sequence[Message]) -> _Draft:
        plan, media, edits = drafting.plan, drafting.media, drafting.edits
        written = await self._writer.write(plan, messages)
        text = await edits.prompt_text(written.text, plan)
        media.check(text, messages)
        tokens = await self._tokens_of(drafting, text)
        count = await edits.token_count(without_reserved(text))
        return _Draft(text, tokens, len(tokens) if count is None else count, written.repairs)

    async def _tokens_of(self, drafting: _Drafting, text: str) -> list[int]:
        engine, media = drafting.engine, drafting.media
        known = None
        if engine in self._known and not media.tokens:
            known = await self._known[engine].beginning(engine, text, self._writer.controls(engine.card))
        if known is not None:
            return [*known.tokens, *await tokenize(engine, text[len(known.text) :], param="messages")]
        return with_bos(engine.card, await tokenize_mixed(engine, text, media.tokens, param="messages"))

    async def _fitting(self, drafting: _Drafting, request: ChatRequest) -> _Draft:
        """The whole conversation, or the mildest cut of it that leaves room for a reply, found by halving."""
        card, plan = drafting.engine.card, drafting.plan
        whole = await self._draft(drafting, plan.messages)
        room = reserved_room(card, request.limits.max_tokens)
        if not request.truncates or fits(card, whole.count, room):
            return whole
        ways = shortened(plan.messages, context=card.context, media=[len(each) for each in drafting.media.tokens])
        # Each try renders and tokenizes the conversation, so halving saves most of them.
        best, low, high = whole, 0, len(ways)
        while low < high:
            middle = (low + high) // 2
            draft = await self._draft(drafting, ways[middle])
            if fits(card, draft.count, room):
                best, high = draft, middle
            else:
                # When none fits, the shortest one gives the error its numbers.
                best, low = min(best, draft, key=lambda each: each.count), middle + 1
        return best

    async def _stops_of(self, engine: Engine, plan: PromptPlan) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Texts, and ids of those that are control tokens, which print nothing to be found in a reply."""
        found = await self._stops.of(plan)
        controls = self._writer.controls(plan.card)
        ids = [token for text in found if text in controls for token in await self._ids_of(engine, text)]
        return tuple(text for text in found if text not in controls), tuple(ids)

    async def _ids_of(self, engine: Engine, control: str) -> list[int]:
        """Asked of each model once: there are as many texts as it has control tokens."""
        known = self._stop_ids.setdefault(engine, {})
        if control not in known:
            known[control] = await engine.tokenize(control, special=True)
        return known[control]


async def _estimated(text: str) -> int:
    """Where no tokenizer is at hand; English has four letters a token, other languages fewer."""
    return len(text) // 3 + 1


def _raw_text(part: Part) -> str:
    assert isinstance(part, TextPart)
    return part.text if is_media_place(part.text) else without_reserved(part.text)


def _reply_prefixes(plan: PromptPlan) -> tuple[str, ...]:
    """What models like to repeat from the dialogue. A reply that is gone on with has its beginning already."""
    if plan.cast is None or plan.continues:
        return ()
    return (f"{plan.cast.bot}:",)
