"""Chat models of other servers: conversations as messages, prompts of our templates as text."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final, Self

from modules.chatmodels.base import EVERYTHING, ChatModelCard, Operation, RenderedPrompt, RequestScope
from modules.chatmodels.extension import NullEngine
from modules.chatmodels.remote.bodies import chat_body, completion_body
from modules.chatmodels.remote.dialects import Dialect, lacking, needs_length
from modules.chatmodels.remote.replies import ReplyReader
from modules.chatmodels.remote.upstream import Upstream, UpstreamModel, prefix_hashes
from modules.engine.types import Alternative, ModelCard
from modules.errors import NotLoaded, NotSupported, ServiceError
from modules.events import Done, Event, Started
from modules.prompt.builder import PromptBuilder
from modules.reply.format import PLAIN, ReplyContext, ReplyFormat, choose_format
from modules.reply.reasoning.formats import THINK, ReplyReasoning
from modules.requests import ChatRequest, CompletionRequest, LogitsRequest
from modules.settings.groups.upstream import UpstreamAddress

LOADER: Final = "upstream"
# Prompts are measured where they are read.
_BOUNDLESS: Final = 2**24
# Servers that do not divide replies themselves send thoughts in the tags that nearly all models use.
_TAGGED: Final = ReplyFormat(reasoning=ReplyReasoning(formats=(THINK,)))
_OPERATIONS: Final = EVERYTHING - {Operation.SCORE, Operation.NEXT_TOKEN, Operation.EDIT_PROMPT, Operation.ADAPT}


class RemoteModel:
    """The model `listed` of `upstream`; nothing is held while it is leased."""

    def __init__(self, upstream: Upstream, listed: UpstreamModel, prompts: PromptBuilder) -> None:
        self._upstream = upstream
        self._listed = listed
        self._prompts = prompts

    @property
    def card(self) -> ChatModelCard:
        return remote_card(self._upstream.name, self._listed)

    async def chat(self, request: ChatRequest, scope: RequestScope) -> AsyncGenerator[Event, None]:
        if _needs_template(request):
            events = self._templated(request, scope)
        else:
            messages = await self._prompts.conversation(self.card.model, request)
            body = chat_body(replace(request, messages=messages), self._listed.name, self._listed.dialect)
            events = self._replied(
                "/chat/completions", body, request.limits.n, _TAGGED, scope, _parts(body["messages"])
            )
        async with aclosing(events):
            async for event in events:
                yield event

    async def complete(self, request: CompletionRequest, scope: RequestScope) -> AsyncGenerator[Event, None]:
        body = await self._text_body(request)
        choices = len(request.prompts) * request.limits.n
        beginning = [str(prompt) for prompt in request.prompts[:1]]
        async with aclosing(self._replied("/completions", body, choices, PLAIN, scope, beginning)) as events:
            async for event in events:
                yield event

    async def next_token(self, request: LogitsRequest) -> list[Alternative]:
        self.card.require(Operation.NEXT_TOKEN, param="model")
        return []

    async def count_tokens(self, request: ChatRequest) -> int:
        return len(await self.encode_chat(request))

    async def encode_chat(self, request: ChatRequest) -> list[int]:
        messages = await self._prompts.conversation(self.card.model, request)
        body = chat_body(replace(request, messages=messages), self._listed.name, self._listed.dialect)
        names = ("model", "messages", "tools", "chat_template_kwargs", "add_generation_prompt")
        asked = {name: body[name] for name in names if name in body}
        if self._listed.dialect is not Dialect.LLAMA_SERVER:
            return await self._tokens(asked)
        # Its /tokenize reads texts only.
        prompt = (await self._asked("/apply-template", asked)).get("prompt")
        if not isinstance(prompt, str):
            raise self._uncounted()
        return await self.encode(prompt, add_bos=True)

    async def encode(self, text: str, *, add_bos: bool) -> list[int]:
        # vLLM reads `prompt` and `add_special_tokens`, llama-server `content` and `add_special`.
        texts = {"prompt": text, "content": text}
        return await self._tokens(
            {"model": self._listed.name, **texts, "add_special_tokens": add_bos, "add_special": add_bos}
        )

    async def decode(self, tokens: Sequence[int]) -> str:
        answer = await self._asked("/detokenize", {"model": self._listed.name, "tokens": list(tokens)})
        text = answer.get("prompt", answer.get("content", answer.get("text")))
        if not isinstance(text, str):
            raise self._uncounted()
        return text

    async def render(self, request: ChatRequest) -> RenderedPrompt:
        if not _needs_template(request):
            raise NotSupported(
                "The prompts of this model are made on its own server and cannot be shown.", param="model"
            )
        written = await self._prompts.written(self.card.model, request)
        return RenderedPrompt(written.text, written.repairs)

    async def _templated(self, request: ChatRequest, scope: RequestScope) -> AsyncGenerator[Event, None]:
        """A conversation as one text, by the template that the request brings."""
        written = await self._prompts.chat(NullEngine(context=_BOUNDLESS), request)
        context = ReplyContext(
            template=written.template.source,
            prompt=written.text,
            prefixes=written.reply_prefixes,
            is_thinking=written.is_thinking,
        )
        reply_format = choose_format(request, context)
        completion = CompletionRequest(
            model=request.model,
            prompts=(written.text,),
            sampling=request.sampling,
            limits=replace(request.limits, stop=(*request.limits.stop, *written.template.stop)),
            constraint=reply_format.constraint,
            logprobs=request.logprobs,
            add_bos=False,
            skip_special_tokens=reply_format.skips_special_tokens,
            explicit=request.explicit,
        )
        body = await self._text_body(completion)
        events = self._replied("/completions", body, request.limits.n, reply_format, scope, _parts(request.messages))
        async with aclosing(events):
            async for event in events:
                yield event

    async def _text_body(self, request: CompletionRequest) -> dict[str, Any]:
        body = completion_body(request, self._listed.name, self._listed.dialect)
        if request.limits.max_tokens is None and self._listed.context and needs_length(self._listed.dialect):
            with suppress(ServiceError):
                body["max_tokens"] = max(1, self._listed.context - await self._longest(request))
        return body

    async def _longest(self, request: CompletionRequest) -> int:
        """Tokens of the longest prompt. Raises NotSupported."""
        texts = [prompt for prompt in request.prompts if isinstance(prompt, str)]
        counted = [len(await self.encode(text, add_bos=request.add_bos)) for text in texts]
        return max(counted + [len(prompt) for prompt in request.prompts if isinstance(prompt, tuple)])

    async def _replied(
        self,
        path: str,
        body: Mapping[str, Any],
        choices: int,
        reply_format: ReplyFormat,
        scope: RequestScope,
        beginning: Sequence[str],
    ) -> AsyncGenerator[Event, None]:
        """Started comes with the first token, since the server may fail, and another one be asked, until then."""
        readers: list[ReplyReader] = []

        def new_reader() -> ReplyReader:
            readers.append(ReplyReader(choices, reply_format))
            return readers[-1]

        streamed = {**body, "stream": True, "stream_options": {"include_usage": True}}
        events = self._upstream.reply(path, streamed, new_reader, prefixes=prefix_hashes(beginning))
        card = self.card.model
        started = Started(model=card.name, prompt_tokens=0, unsupported=card.unsupported)
        has_started = is_done = False
        async with aclosing(scope.work.until_stopped(events)) as running:
            async for event in running:
                if not has_started:
                    has_started = True
                    yield replace(started, unsupported=(*card.unsupported, *readers[-1].ignored))
                is_done = is_done or isinstance(event, Done)
                yield event
        if not has_started:
            yield started
        if not is_done:
            # Its user stopped the reply: what was said so far is all of it.
            for event in (readers[-1] if readers else new_reader()).close():
                yield event

    async def _tokens(self, body: Mapping[str, Any]) -> list[int]:
        tokens = (await self._asked("/tokenize", body)).get("tokens")
        if not isinstance(tokens, list) or not all(isinstance(token, int) for token in tokens):
            raise self._uncounted()
        return tokens

    async def _asked(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            answer = await self._upstream.ask(path, body)
        except ServiceError:
            raise self._uncounted() from None
        return answer if isinstance(answer, Mapping) else {}

    def _uncounted(self) -> NotSupported:
        return NotSupported(
            f"The upstream {self._upstream.name} does not tell the tokens of its models.", param="model"
        )


class RemoteModels:
    """A ChatModelSource: the models of one upstream, by the names that its servers give them."""

    @classmethod
    def of(cls, address: UpstreamAddress, *, key: str, timeout: float, prompts: PromptBuilder) -> Self:
        """`timeout` is in seconds of silence."""
        return cls(Upstream(address.name, address.urls, key=key, timeout=timeout), prompts)

    def __init__(self, upstream: Upstream, prompts: PromptBuilder) -> None:
        self.upstream = upstream
        self._prompts = prompts
        self._uses = 0
        self._is_retired = False

    @asynccontextmanager
    async def lease(self, name: str | None, *, keep_alive: float | None = None) -> AsyncIterator[RemoteModel]:
        """A name that is not listed is asked for all the same: servers know names that they do not list."""
        async with self._used():
            yield RemoteModel(self.upstream, await self._listed(name), self._prompts)

    def known_card(self, name: str | None) -> ChatModelCard | None:
        """Without a name that of the first one, which answers then."""
        known = next((model for model in self.upstream.known if name is None or model.name == name), None)
        return remote_card(self.upstream.name, known) if known else None

    async def list_cards(self) -> tuple[ChatModelCard, ...]:
        async with self._used():
            return tuple(remote_card(self.upstream.name, model) for model in await self.upstream.models())

    async def retire(self) -> None:
        """Closes when the last answer that is under way has ended."""
        self._is_retired = True
        if not self._uses:
            await self.aclose()

    async def aclose(self) -> None:
        await self.upstream.aclose()

    @asynccontextmanager
    async def _used(self) -> AsyncIterator[None]:
        self._uses += 1
        try:
            yield
        finally:
            self._uses -= 1
            if self._is_retired and not self._uses:
                await self.aclose()

    async def _listed(self, name: str | None) -> UpstreamModel:
        if not name:
            models = await self.upstream.models()
            if not models:
                raise NotLoaded(f"The upstream {self.upstream.name} lists no model. Check that its server runs.")
            return models[0]
        return await self.upstream.found(name)


def remote_card(upstream: str, listed: UpstreamModel) -> ChatModelCard:
    card = ModelCard(
        name=f"{upstream}/{listed.name}",
        loader=LOADER,
        context=listed.context,
        vocabulary=0,
        can_constrain=True,
        can_score=False,
        unsupported=lacking(listed.dialect),
    )
    return ChatModelCard(model=card, operations=_OPERATIONS)


def _needs_template(request: ChatRequest) -> bool:
    """Whether the request brings a template, which only we can render."""
    return bool(request.template.name or request.template.source or request.persona.chat_template)


def _parts(messages: Sequence[Any]) -> list[str]:
    """The messages as texts, of which the beginnings name what a server may have in its cache."""
    return [str(message) for message in messages]
