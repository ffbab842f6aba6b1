"""What every chat model keeps to, whatever it is: one suite over all kinds."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modules.chat.service import ChatService
from modules.errors import ContextTooLong, EngineFailed, ExtensionFailed
from modules.events import Content, Done, Event, FinishReason, Started
from modules.hooks import Hooks, Turn
from modules.messages import Role, text_message
from modules.reply.gather import gather
from modules.requests import ChatRequest, CompletionRequest, Limits
from tests.chatmodels.kinds import KINDS, Kind, open_kind


@pytest.fixture(params=KINDS)
async def kind(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kind]:
    async with open_kind(request.param, tmp_path) as kind:
        yield kind


@pytest.fixture
def service(kind: Kind) -> ChatService:
    return kind.make(Hooks())


def chat(kind: Kind, words: str, **options: Any) -> ChatRequest:
    return ChatRequest(model=kind.model, messages=(text_message(Role.USER, words),), **options)


async def read_until(events: AsyncGenerator[Event, None], text: str) -> None:
    said = ""
    async for event in events:
        said += event.text if isinstance(event, Content) else ""
        if text in said:
            return
    raise AssertionError(f"{text} was not said")


async def test_streamed_reply_begins_with_started_and_ends_with_done(kind: Kind, service: ChatService) -> None:
    events = [event async for event in service.chat(chat(kind, "echo: some words"), owner="me")]
    assert isinstance(events[0], Started)
    assert sum(isinstance(event, Started) for event in events) == 1
    assert isinstance(events[-1], Done)
    assert events[-1].reason is FinishReason.STOP
    assert events[-1].usage.completion_tokens == len("some words")
    assert "".join(event.text for event in events if isinstance(event, Content)) == "some words"


async def test_whole_reply_is_its_stream(kind: Kind, service: ChatService) -> None:
    reply = await gather(service.chat(chat(kind, "echo: two words", limits=Limits(n=2)), owner="me"))
    assert [choice.text for choice in reply.choices] == ["two words", "two words"]
    assert reply.usage.prompt_tokens > 0


async def test_limit_ends_a_reply(kind: Kind, service: ChatService) -> None:
    [choice] = (await gather(service.chat(chat(kind, "echo: abcdef", limits=Limits(max_tokens=3)), owner="me"))).choices
    assert (choice.text, choice.reason) == ("abc", FinishReason.LENGTH)


async def test_completion_has_a_choice_for_each_prompt(kind: Kind, service: ChatService) -> None:
    request = CompletionRequest(model=kind.model, prompts=("echo: a", "echo: b"), limits=Limits(n=2))
    reply = await gather(service.complete(request, owner="me"))
    assert [choice.text for choice in reply.choices] == ["a", "a", "b", "b"]


async def test_closing_the_stream_cancels(kind: Kind, service: ChatService) -> None:
    for _ in range(5):
        async with aclosing(service.chat(chat(kind, "stall"), owner="me")) as events:
            await read_until(events, "waiting")
    assert kind.work.stop("me") == 0
    assert (await gather(service.chat(chat(kind, "echo: ok"), owner="me"))).choices[0].text == "ok"


async def test_stop_ends_every_choice_with_done(kind: Kind, service: ChatService) -> None:
    async with aclosing(service.chat(chat(kind, "stall"), owner="me")) as events:
        await read_until(events, "waiting")
        assert kind.work.stop("me") == 1
        [done] = [event async for event in events]
    assert isinstance(done, Done)
    assert (done.reason, done.usage.completion_tokens) == (FinishReason.STOP, len("waiting"))


async def test_failure_before_the_start_promises_nothing(kind: Kind, service: ChatService) -> None:
    with pytest.raises(EngineFailed):
        await anext(service.chat(chat(kind, "fail"), owner="me"))


async def test_failure_after_the_start_ends_the_stream(kind: Kind, service: ChatService) -> None:
    async with aclosing(service.chat(chat(kind, "stall"), owner="me")) as events:
        await read_until(events, "waiting")
        breaking = asyncio.create_task(kind.break_off(service))
        with pytest.raises(EngineFailed):
            await read_until(events, "more")
        await breaking
    assert (await gather(service.chat(chat(kind, "echo: back"), owner="me"))).choices[0].text == "back"


async def test_text_hooks_see_every_kind(kind: Kind) -> None:
    async def asked(request: ChatRequest, turn: Turn) -> ChatRequest:
        turn.memory["asked"] = request.messages[-1].text
        return replace(request, messages=(text_message(Role.USER, "echo: changed"),))

    async def said(text: str, turn: Turn) -> str:
        assert turn.card is not None
        return f"{text.upper()} ({turn.memory['asked']}, {turn.owner})"

    service = kind.make(Hooks(chat_request=(asked,), reply_text=(said,)))
    reply = await gather(service.chat(chat(kind, "echo: x"), owner="me"))
    assert reply.choices[0].text == "CHANGED (echo: x, me)"


async def test_a_hooks_wrong_value_fails_its_request_alone(kind: Kind) -> None:
    async def wrong(text: str, turn: Turn) -> str:
        return 7  # type: ignore[return-value]

    with pytest.raises(ExtensionFailed):
        await gather(kind.make(Hooks(reply_text=(wrong,))).chat(chat(kind, "echo: x"), owner="me"))
    assert (await gather(kind.make(Hooks()).chat(chat(kind, "echo: y"), owner="me"))).choices[0].text == "y"


async def test_prompt_longer_than_the_context_is_refused_before_the_start(kind: Kind, service: ChatService) -> None:
    context = (await service.card(kind.model)).context
    if context > 5000:
        # Without a model there is no context to be longer than.
        assert isinstance(await anext(service.chat(chat(kind, "x" * 5000), owner="me")), Started)
        return
    with pytest.raises(ContextTooLong):
        await anext(service.chat(chat(kind, "x" * 5000), owner="me"))
