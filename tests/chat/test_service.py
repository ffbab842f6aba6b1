"""Replies from request to last event, over a scripted model."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modules.chat.service import ChatService
from modules.chat.work import WorkRegister
from modules.engine.protocols import Engine, ReportProgress
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import LoadSpec
from modules.errors import BadRequest, Busy, ContextTooLong, EngineFailed, NotLoaded
from modules.events import Content, Done, Event, FinishReason, Progress, Started
from modules.hooks import Hooks, Turn
from modules.messages import Role, text_message
from modules.models.loading import Candidate
from modules.models.pool import ModelPool
from modules.reply.gather import Reply, gather
from modules.requests import ChatRequest, CompletionRequest, Limits, LogitsRequest
from modules.sampling import Sampling
from tests.chat.services import chat_service
from tests.models.launches import Launches, scripted_pool, scripted_settings
from tests.scripted import CardedBackend


def chat(words: str, **options: Any) -> ChatRequest:
    return ChatRequest(model=None, messages=(text_message(Role.USER, words),), **options)


def completion(*prompts: str, **options: Any) -> CompletionRequest:
    return CompletionRequest(model=None, prompts=prompts, **options)


async def answer(service: ChatService, words: str, **options: Any) -> Reply:
    return await gather(service.chat(chat(words, **options), owner="me"))


async def read_until(events: AsyncGenerator[Event, None], text: str) -> str:
    said = ""
    async for event in events:
        said += event.text if isinstance(event, Content) else ""
        if text in said:
            break
    return said


async def test_whole_chat_reply(service: ChatService) -> None:
    reply = await answer(service, "echo: héllo 🌍")
    [choice] = reply.choices
    assert (reply.model, choice.text, choice.reason) == ("scripted", "héllo 🌍", FinishReason.STOP)
    assert reply.usage.completion_tokens == len("héllo 🌍".encode())
    assert reply.usage.prompt_tokens == len(
        await service.encode("<|im_start|>user\necho: héllo 🌍<|im_end|>\n<|im_start|>assistant\n")
    )


async def test_stream_begins_with_started_and_ends_with_done(service: ChatService) -> None:
    events = [event async for event in service.chat(chat("count 3"), owner="me")]
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Done)
    assert "".join(event.text for event in events if isinstance(event, Content)) == "1 2 3"
    assert all(isinstance(event, Started | Progress | Content | Done) for event in events)


async def test_choices_of_one_request(service: ChatService) -> None:
    reply = await answer(service, "echo: ab", limits=Limits(n=3))
    assert [(choice.index, choice.text) for choice in reply.choices] == [(0, "ab"), (1, "ab"), (2, "ab")]
    assert reply.usage.completion_tokens == 6
    assert reply.usage.prompt_tokens == reply.choices[0].usage.prompt_tokens


async def test_many_prompts_of_one_request(service: ChatService) -> None:
    request = completion("echo: a", "echo: b", "echo: c", limits=Limits(n=2))
    reply = await gather(service.complete(request, owner="me"))
    assert [choice.text for choice in reply.choices] == ["a", "a", "b", "b", "c", "c"]
    assert reply.usage.prompt_tokens == 3 * len("echo: a")


async def test_limits_end_the_reply(service: ChatService) -> None:
    [cut] = (await answer(service, "echo: abcdef", limits=Limits(max_tokens=3))).choices
    assert (cut.text, cut.reason) == ("abc", FinishReason.LENGTH)
    [stopped] = (await answer(service, "echo: abcdef", limits=Limits(stop=("de",)))).choices
    assert (stopped.text, stopped.reason, stopped.stop_reason) == ("abc", FinishReason.STOP, "de")


async def test_prompt_is_scored_without_a_reply(service: ChatService) -> None:
    request = completion("abc", limits=Limits(max_tokens=0), prompt_logprobs=1)
    [choice] = (await gather(service.complete(request, owner="me"))).choices
    assert choice.text == ""
    assert choice.prompt_logprobs is not None
    assert [entry and entry.token for entry in choice.prompt_logprobs] == [None, *b"bc"]


async def test_logprobs_belong_to_the_tokens(service: ChatService) -> None:
    [choice] = (await answer(service, "echo: ab", logprobs=2)).choices
    assert [entry.token for entry in choice.logprobs] == list(choice.tokens) == [*b"ab"]
    assert all(len(entry.top) == 2 for entry in choice.logprobs)


async def test_errors_come_before_the_first_event(service: ChatService) -> None:
    for request, error in [
        (chat("x" * 5000), ContextTooLong),
        (chat("hi", continue_last=True), BadRequest),
    ]:
        with pytest.raises(error):
            await anext(service.chat(request, owner="me"))


async def test_no_model_is_an_error(tmp_path: Path, work: WorkRegister) -> None:
    service = chat_service(scripted_pool(tmp_path, Launches()), work)
    with pytest.raises(NotLoaded):
        await anext(service.chat(chat("hi"), owner="me"))


async def test_full_queue_is_an_error_before_the_first_event(service: ChatService) -> None:
    streams = [service.chat(chat("stall"), owner="me") for _ in range(4)]
    waiting = [asyncio.create_task(anext(stream)) for stream in streams]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    with pytest.raises(Busy):
        await asyncio.wait_for(answer(service, "echo: no room"), 10)
    for task, stream in zip(waiting, streams, strict=True):
        task.cancel()
        await asyncio.wait([task])
        await stream.aclose()
    assert (await answer(service, "echo: room")).choices[0].text == "room"


async def test_closing_a_stream_frees_its_place(service: ChatService) -> None:
    for _ in range(10):
        async with aclosing(service.chat(chat("stall"), owner="me")) as events:
            assert await read_until(events, "waiting") == "waiting"
    assert (await answer(service, "echo: ok")).choices[0].text == "ok"


async def test_stop_ends_ones_own_replies_only(service: ChatService, work: WorkRegister) -> None:
    async def reply_of(owner: str, words: str) -> Reply:
        return await gather(service.chat(chat(words), owner=owner))

    async with aclosing(service.chat(chat("stall"), owner="me")) as mine:
        await read_until(mine, "waiting")
        theirs = asyncio.create_task(reply_of("you", "slow 20"))
        await asyncio.sleep(0)
        assert work.stop("me") == 1
        [done] = [event async for event in mine]
        assert isinstance(done, Done)
        assert (done.reason, done.usage.completion_tokens) == (FinishReason.STOP, len("waiting"))
        assert (await theirs).choices[0].text == "abcdefghijklmnopqrst"
    assert work.stop("me") == 0


async def test_stop_ends_every_choice(service: ChatService, work: WorkRegister) -> None:
    async with aclosing(service.chat(chat("stall", limits=Limits(n=2)), owner="me")) as events:
        speaking: set[int] = set()
        while speaking < {0, 1}:
            event = await anext(events)
            speaking |= {event.index} if isinstance(event, Content) else set()
        work.stop("me")
        rest = [event async for event in events]
    assert [event.index for event in rest if isinstance(event, Done)] == [0, 1]


async def test_stop_before_anything_was_said(service: ChatService, work: WorkRegister) -> None:
    reply = asyncio.create_task(answer(service, "stall"))
    await asyncio.sleep(0)
    work.stop("me")
    [choice] = (await reply).choices
    assert choice.reason is FinishReason.STOP


async def test_broken_engine_is_loaded_again(service: ChatService) -> None:
    with pytest.raises(EngineFailed):
        await answer(service, "fail")
    assert (await answer(service, "echo: back")).choices[0].text == "back"


async def test_next_token_alternatives(service: ChatService) -> None:
    alternatives = await service.next_token(LogitsRequest(model=None, prompt="echo: z", top=5))
    assert alternatives[0].token == ord("z")
    assert len(alternatives) == 5


async def test_the_end_of_a_reply_is_a_next_token_too(service: ChatService) -> None:
    ended = await service.next_token(LogitsRequest(model=None, prompt="<|im_start|>user\necho:<|im_end|>", top=1))
    assert [alternative.data for alternative in ended] == [b"<|im_end|>"]


async def test_tokens_there_and_back(service: ChatService) -> None:
    tokens = await service.encode("é<|im_end|>")
    assert tokens == [*"é".encode(), 257]
    assert await service.decode(tokens) == "é<|im_end|>"
    with pytest.raises(BadRequest, match="token id"):
        await service.decode([-1])


async def test_prompt_can_be_read(service: ChatService) -> None:
    assert await service.render(chat("hi")) == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"


async def test_hooks_change_requests_in_order(models: ModelPool, work: WorkRegister) -> None:
    def saying(words: str) -> Any:
        async def change(request: ChatRequest, turn: Turn) -> ChatRequest:
            said = request.messages[-1].text
            return replace(request, messages=(text_message(Role.USER, said + words),))

        return change

    async def doubled(request: CompletionRequest, turn: Turn) -> CompletionRequest:
        return replace(request, prompts=request.prompts * 2)

    hooks = Hooks(chat_request=(saying("b"), saying("c")), completion_request=(doubled,))
    service = chat_service(models, work, hooks)
    assert (await answer(service, "echo: a")).choices[0].text == "abc"
    assert len((await gather(service.complete(completion("x"), owner="me"))).choices) == 2


class WithoutTfs:
    """A model whose backend does not have tfs."""

    def __init__(self, spec: LoadSpec) -> None:
        self._spec = spec

    pid = None

    async def load(self, report: ReportProgress) -> Engine:
        return ThreadedEngine(CardedBackend(self._spec, unsupported=("tfs",)))

    async def aclose(self) -> None:
        """Nothing is held."""


async def launch_without_tfs(spec: LoadSpec) -> Candidate:
    return WithoutTfs(spec)


async def test_ignored_parameters_are_named_once(
    tmp_path: Path, work: WorkRegister, caplog: pytest.LogCaptureFixture
) -> None:
    settings = scripted_settings(tmp_path)
    manager = ModelPool(settings, settings.user_data, launch_without_tfs)
    manager.start()
    service = chat_service(manager, work)
    for sampling in (Sampling(tfs=0.5, top_k=3), Sampling(tfs=0.4)):
        await answer(service, "echo: a", sampling=sampling)
    assert caplog.text.count("has no tfs") == 1
    assert "top_k" not in caplog.text
    await manager.aclose()
