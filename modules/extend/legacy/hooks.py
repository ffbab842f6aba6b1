"""The functions of old scripts, by their fixed names, as hooks and parts of the page."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, MutableMapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy

from modules.errors import SettingsError
from modules.extend.discovery import SCRIPT, ExtensionPackage, Found
from modules.extend.host import Host
from modules.extend.legacy.imports import OldImports
from modules.extend.legacy.modules import old_modules
from modules.extend.legacy.program import OldProgram, OldScript, called
from modules.extend.legacy.state import (
    State,
    chat_state,
    completion_state,
    conversation_of,
    copied,
    with_chat_state,
    with_completion_state,
)
from modules.hooks import ExtensionHook, Turn
from modules.requests import ChatRequest, CompletionRequest

_log = logging.getLogger(__name__)
# With a blank in it, so that no hook of another extension uses the same key.
_MEMORY: Final = "old scripts"


@dataclass(slots=True)
class _Memory:
    """What the scripts know of one request: the `state` that they may change, the user's words before and after."""

    state: State = field(default_factory=dict)
    asked: str = ""
    original: str = ""
    is_chat: bool = False
    continues: bool = False


class LegacyHooks:
    def __init__(self, program: OldProgram) -> None:
        self._program = program
        self._warned: set[str] = set()

    def added(self) -> dict[str, ExtensionHook]:
        """Only what is needed: a reply streams as it comes where no script wants to change it."""
        everybody = self._program.scripts
        hooks = {
            "chat_request": _hook_of(everybody, self.chat_request),
            "completion_request": _hook_of(everybody, self.completion_request),
        }
        later: dict[str, tuple[str, Callable[..., Any]]] = {
            "chat_prompt": ("custom_generate_chat_prompt", self.chat_prompt),
            "reply_prefix": ("bot_prefix_modifier", self.reply_prefix),
            "prompt_tokens": ("tokenizer_modifier", self.prompt_tokens),
            "token_count": ("custom_tokenized_length", self.token_count),
            "reply": ("custom_generate_reply", self.reply),
            "reply_text": ("output_modifier", self.reply_text),
        }
        wanted = {hook: (self._with(name), function) for hook, (name, function) in later.items()}
        return hooks | {hook: _hook_of(scripts, function) for hook, (scripts, function) in wanted.items() if scripts}

    async def chat_request(self, request: ChatRequest, turn: Turn) -> ChatRequest:
        """history → state → chat input → input."""
        settings, library = self._program.settings, self._program.runtime.library
        state = await asyncio.to_thread(chat_state, request, settings, library)
        before, conversation = copied(state), conversation_of(request.messages)
        memory = self._remember(turn, _Memory(state=state, is_chat=True, continues=request.continue_last))
        for script in self._with("history_modifier"):
            history = state["history"] = await script.call("history_modifier", state["history"])
            with script.blamed("history_modifier"):
                conversation.messages(history, "")
        memory.state = state = await self._modified_state(
            state, lambda changed: with_chat_state(request, before, changed, settings)
        )
        memory.original = memory.asked = conversation.asked.text if conversation.asked else ""
        if conversation.asked is not None:
            memory.asked = await self._modified_words(memory.asked, state)
        request = with_chat_state(request, before, state, settings)
        settled = conversation_of(request.messages)
        history = state.get("history")
        if history == before["history"] and memory.asked == memory.original:
            return request
        return replace(request, messages=settled.messages(history, memory.asked))

    async def completion_request(self, request: CompletionRequest, turn: Turn) -> CompletionRequest:
        """state → input, where the input is the whole prompt."""
        settings = self._program.settings
        state = completion_state(request, settings)
        before = copied(state)
        state = await self._modified_state(
            state, lambda changed: with_completion_state(request, before, changed, settings)
        )
        texts = [prompt for prompt in request.prompts if isinstance(prompt, str)]
        self._remember(turn, _Memory(state=state, original=texts[0] if texts else ""))
        prompts = [
            await self._modified_input(prompt, state, is_chat=False) if isinstance(prompt, str) else prompt
            for prompt in request.prompts
        ]
        request = with_completion_state(request, before, state, settings)
        return replace(request, prompts=tuple(prompts))

    async def chat_prompt(self, prompt: str, turn: Turn) -> str:
        memory = self._memory(turn)
        script = self._with("custom_generate_chat_prompt")[0]
        made = await script.call(
            "custom_generate_chat_prompt",
            memory.asked,
            memory.state,
            _continue=memory.continues,
            impersonate=False,
            history=memory.state.get("history"),
            also_return_rows=False,
        )
        return prompt if made is None else str(made[0] if isinstance(made, tuple) else made)

    async def reply_prefix(self, prefix: str, turn: Turn) -> str:
        for script in self._with("bot_prefix_modifier"):
            prefix = str(await script.call("bot_prefix_modifier", prefix, self._memory(turn).state))
        return prefix

    async def prompt_tokens(self, tokens: tuple[int, ...], turn: Turn) -> tuple[int, ...]:
        ids: Any = numpy.array([tokens], dtype=numpy.int64)
        prompt, embeddings = turn.prompt, None
        for script in self._with("tokenizer_modifier"):
            state = self._memory(turn).state
            made = await script.call("tokenizer_modifier", state, prompt, ids, embeddings)
            with script.blamed("tokenizer_modifier"):
                prompt, ids, embeddings = made
                numpy.asarray(ids).astype(numpy.int64, casting="same_kind")
            if embeddings is not None:
                self._warn_once(script.name, "returns input_embeds, which no loader here takes; they are left out")
        return tuple(int(token) for token in numpy.asarray(ids).reshape(-1))

    async def token_count(self, prompt: str, turn: Turn) -> int:
        script = self._with("custom_tokenized_length")[0]
        length = await script.call("custom_tokenized_length", prompt)
        with script.blamed("custom_tokenized_length"):
            return int(length)

    async def reply(self, turn: Turn) -> AsyncGenerator[str, None]:
        """Old scripts yield the whole text so far, again and again; what they take back cannot be unsaid."""
        said = ""
        async with aclosing(self._spoken(turn)) as texts:
            async for text in texts:
                if len(text) > len(said):
                    piece, said = text[len(said) :], text
                    yield piece

    async def reply_text(self, text: str, turn: Turn) -> str:
        memory = self._memory(turn)
        for script in self._with("output_modifier"):
            text = str(await script.call("output_modifier", text, memory.state, is_chat=memory.is_chat))
        return text

    async def _spoken(self, turn: Turn) -> AsyncGenerator[str, None]:
        memory = self._memory(turn)
        script = self._with("custom_generate_reply")[0]
        function = script.function("custom_generate_reply")
        assert function is not None
        stops = list(turn.request.limits.stop)
        original = memory.original or turn.prompt
        arguments = (turn.prompt, original, memory.state, stops)

        def begin() -> Any:  # noqa: ANN401 - a generator of texts, or a text
            made = called(function, *arguments, is_chat=memory.is_chat)
            return iter((made,)) if isinstance(made, str) else iter(made)

        async with aclosing(script.host.iterated(function, begin)) as texts:
            async for text in texts:
                yield str(text)

    async def _modified_state(self, state: State, check: Callable[[State], object]) -> State:
        """`check` raises where what a script has set cannot be used."""
        most = state["max_new_tokens"]
        for script in self._with("state_modifier"):
            changed = await script.call("state_modifier", state)
            state = changed if isinstance(changed, dict) else state
            with script.blamed("state_modifier"):
                check(state)
        if state.get("max_new_tokens") != most:
            # It would be of no use otherwise.
            state["auto_max_new_tokens"] = False
        for script in self._with("logits_processor_modifier"):
            loader = self._program.runtime.settings.loader or "loaded"
            self._warn_once(script.name, f"has a logits_processor_modifier, which the {loader} loader cannot run")
        return state

    async def _modified_words(self, words: str, state: State) -> str:
        shown = words
        for script in self._with("chat_input_modifier"):
            made = await script.call("chat_input_modifier", words, shown, state)
            with script.blamed("chat_input_modifier"):
                words, shown = made
        return await self._modified_input(str(words), state, is_chat=True)

    async def _modified_input(self, text: str, state: State, *, is_chat: bool) -> str:
        for script in self._with("input_modifier"):
            text = str(await script.call("input_modifier", text, state, is_chat=is_chat))
        return text

    def _with(self, function: str) -> Sequence[OldScript]:
        return [script for script in self._program.scripts if script.function(function)]

    def _remember(self, turn: Turn, memory: _Memory) -> _Memory:
        turn.memory[_MEMORY] = memory
        return memory

    def _memory(self, turn: Turn) -> _Memory:
        memory = turn.memory.get(_MEMORY)
        return memory if isinstance(memory, _Memory) else _Memory()

    def _warn_once(self, extension: str, what: str) -> None:
        if f"{extension} {what}" not in self._warned:
            self._warned.add(f"{extension} {what}")
            _log.warning("the extension %s %s", extension, what)


def _hook_of(scripts: Sequence[OldScript], function: Callable[..., Any]) -> ExtensionHook:
    return ExtensionHook(" and ".join(script.name for script in scripts), function)


_STEM: Final = SCRIPT.removesuffix(".py")


class LegacyExtensions:
    """Loads old scripts; what they share, such as the modules that they import, is there once for all of them."""

    def __init__(self, program: OldProgram) -> None:
        self._program = program
        self._modules = old_modules(program)

    def load(self, found: Found, host: Host) -> None:
        """Import the script, set its parameters, run its setup() and add to `host` what it brings for the page."""
        imports = OldImports(found.name, self._modules)
        package = ExtensionPackage(found, imports.builtins)
        imports.serve(package)
        script = OldScript(host, package.module(_STEM))
        set_parameters(script, self._program.values_of(found.name))
        if setup := script.function("setup"):
            setup()
        _add_to_page(script)
        self._program.scripts.append(script)

    def add_hooks(self) -> None:
        """Once all are loaded: all old scripts step in together, where the first of them stands."""
        scripts = self._program.scripts
        if scripts:
            added = scripts[0].host.added
            for name, hook in LegacyHooks(self._program).added().items():
                added.hooks.setdefault(name, []).append(hook)


def set_parameters(script: OldScript, values: MutableMapping[str, object]) -> None:
    """Put what the operator set in the place of what the script has. Raises SettingsError for a script that cannot be."""
    params = script.params
    for name in params.keys() & values.keys():
        params[name] = values[name]
    if not isinstance(params.get("display_name", ""), str):
        raise SettingsError(f"display_name among the params of {script.name} must be a text.")


def _add_to_page(script: OldScript) -> None:
    title = str(script.params.get("display_name") or script.name)
    if build := script.function("ui"):
        if script.params.get("is_tab"):
            script.host.add_tab(title, build)
        else:
            script.host.add_block(build, title=title)
    for add, function in _texts(script):
        add(function)


def _texts(script: OldScript) -> Iterator[tuple[Callable[[Callable[[], Any]], None], Callable[[], Any]]]:
    if css := script.function("custom_css"):
        yield script.host.add_css, css
    if js := script.function("custom_js"):
        yield script.host.add_js, js
