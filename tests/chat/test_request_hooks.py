"""Hooks on a request's way: in its prompt, in place of the model, and at the end of its replies."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modules.chat.service import ChatService
from modules.chat.work import WorkRegister
from modules.errors import BadRequest, ContextTooLong, NotLoaded
from modules.events import Content, ContentPreview, Done, Event, FinishReason, Started
from modules.hooks import Hooks, Turn
from modules.messages import Role, text_message
from modules.models.pool import ModelPool
from modules.reply.gather import Choice, gather
from modules.requests import ChatRequest, CompletionRequest, Limits, Mode, Persona
from tests.chat.services import chat_service
from tests.models.launches import Launches, scripted_pool


def said(words: str, **options: Any) -> ChatRequest:
    return ChatRequest(model=None, messages=(text_message(Role.USER, words),), **options)


async def louder(text: str, turn: Turn) -> str:
    return text.upper()


async def events_of(service: ChatService, request: ChatRequest) -> list[Event]:
    stream = service.chat(request, owner="me")
    try:
        return [event async for event in stream]
    finally:
        await stream.aclose()


async def choices(service: ChatService, request: ChatRequest) -> tuple[Choice, ...]:
    return (await gather(service.chat(request, owner="me"))).choices


async def test_reply_text_is_held_back_until_it_is_whole(models: ModelPool, work: WorkRegister) -> None:
    service = chat_service(models, work, Hooks(reply_text=(louder,)))
    events = await events_of(service, said("echo: some words", limits=Limits(n=2)))
    assert isinstance(events[0], Started)
    for index in (0, 1):
        contents = [event for event in events if isinstance(event, Content) and event.index == index]
        drafts = [event.text for event in events if isinstance(event, ContentPreview) and event.index == index]
        assert [content.text for content in contents] == ["SOME WORDS"]
        assert len(contents[0].tokens) == len("some words")
        assert "".join(drafts) == "some words"


async def test_an_empty_reply_passes_the_hooks_too(models: ModelPool, work: WorkRegister) -> None:
    async def filled(text: str, turn: Turn) -> str:
        return text or "nothing"

    service = chat_service(models, work, Hooks(reply_text=(filled,)))
    assert [choice.text for choice in await choices(service, said("echo:"))] == ["nothing"]


async def test_hooks_share_a_turn(models: ModelPool, work: WorkRegister) -> None:
    async def remember(request: ChatRequest, turn: Turn) -> ChatRequest:
        turn.memory["words"] = request.messages[-1].text
        return request

    async def recall(text: str, turn: Turn) -> str:
        assert turn.card is not None
        return f"{turn.memory['words']} | {turn.card.name} | {turn.owner} | {turn.prompt.count('im_start')}"

    service = chat_service(models, work, Hooks(chat_request=(remember,), reply_text=(recall,)))
    assert (await choices(service, said("echo: x")))[0].text == "echo: x | scripted | me | 2"


async def test_prompt_hooks_replace_text_and_tokens(models: ModelPool, work: WorkRegister) -> None:
    async def rewritten(prompt: str, turn: Turn) -> str:
        return prompt.replace("echo: a", "echo: b")

    async def lengthened(tokens: tuple[int, ...], turn: Turn) -> tuple[int, ...]:
        at = tokens.index(ord("b"))
        return (*tokens[: at + 1], ord("c"), *tokens[at + 1 :])

    service = chat_service(models, work, Hooks(chat_prompt=(rewritten,), prompt_tokens=(lengthened,)))
    [choice] = await choices(service, said("echo: a"))
    assert choice.text == "bc"
    with pytest.raises(BadRequest, match="token id"):
        await choices(chat_service(models, work, Hooks(prompt_tokens=(_beyond,))), said("echo: a"))
    with pytest.raises(ContextTooLong):
        await choices(chat_service(models, work, Hooks(prompt_tokens=(_endless,))), said("echo: a"))


async def _beyond(tokens: tuple[int, ...], turn: Turn) -> tuple[int, ...]:
    return (*tokens, 10**9)


async def _endless(tokens: tuple[int, ...], turn: Turn) -> tuple[int, ...]:
    return tokens * 1000


async def test_a_changed_prompt_keeps_strangers_words_words(models: ModelPool, work: WorkRegister) -> None:
    async def ended(prompt: str, turn: Turn) -> str:
        assert "\ufdd0" not in prompt
        return f"{prompt}Well,"

    service = chat_service(models, work, Hooks(chat_prompt=(ended,)))
    plain = chat_service(models, work)
    request = said("echo: <|im_end|>")
    changed, usual = await choices(service, request), await choices(plain, request)
    assert changed[0].usage.prompt_tokens == usual[0].usage.prompt_tokens + len("Well,")


@pytest.mark.parametrize(("mode", "before"), [(Mode.CHAT, "Bo:"), (Mode.CHAT_INSTRUCT, "")])
async def test_reply_prefix_ends_a_dialogue(models: ModelPool, work: WorkRegister, mode: Mode, before: str) -> None:
    seen: list[str] = []

    async def biased(prefix: str, turn: Turn) -> str:
        seen.append(prefix)
        return f"{prefix} Gladly"

    persona = Persona(mode=mode, bot_name="Bo", user_name="Al", character="None", context="", greeting="")
    prompts: list[str] = []

    async def noted(text: str, turn: Turn) -> str:
        prompts.append(turn.prompt)
        return text

    service = chat_service(models, work, Hooks(reply_prefix=(biased,), reply_text=(noted,)))
    await choices(service, said("hello", persona=persona))
    assert seen == [before]
    assert prompts[0].endswith(f"{before} Gladly")
    await choices(service, said("hello"))
    assert seen == [before]


async def test_token_count_decides_what_is_left_out(models: ModelPool, work: WorkRegister) -> None:
    async def heavy(prompt: str, turn: Turn) -> int:
        return len(prompt) * 100

    earlier = (text_message(Role.USER, "old"), text_message(Role.ASSISTANT, "older"))
    request = replace(said("echo: a", truncates=True), messages=(*earlier, *said("echo: a").messages))
    seen: list[str] = []

    async def noted(text: str, turn: Turn) -> str:
        seen.append(turn.prompt)
        return text

    await choices(chat_service(models, work, Hooks(reply_text=(noted,))), request)
    await choices(chat_service(models, work, Hooks(reply_text=(noted,), token_count=(heavy,))), request)
    assert ["older" in prompt for prompt in seen] == [True, False]


async def speaking(turn: Turn) -> AsyncGenerator[str, None]:
    for word in ("I ", "say ", turn.prompt[-2:]):
        yield word


async def test_a_reply_in_the_models_place_counts_its_tokens(models: ModelPool, work: WorkRegister) -> None:
    service = chat_service(models, work, Hooks(reply=(speaking,), reply_text=(louder,)))
    [choice] = await choices(service, said("hi"))
    assert (choice.text, choice.reason) == ("I SAY T\n", FinishReason.STOP)
    assert choice.usage.completion_tokens == len("I say t\n")
    assert choice.usage.prompt_tokens > 0
    reply = await gather(
        service.complete(
            CompletionRequest(model=None, prompts=("ab", "cd"), limits=Limits(max_tokens=1000)), owner="me"
        )
    )
    assert [each.text for each in reply.choices] == ["I SAY AB", "I SAY CD"]


async def test_a_reply_needs_no_model_if_an_extension_says_it(tmp_path: Path, work: WorkRegister) -> None:
    manager = scripted_pool(tmp_path, Launches(), loader=None)
    manager.start()
    [choice] = await choices(chat_service(manager, work, Hooks(reply=(speaking,))), said("hi"))
    assert choice.text.startswith("I say ")
    with pytest.raises(NotLoaded):
        await choices(chat_service(manager, work), said("hi"))
    await manager.aclose()


async def test_stopping_ends_an_extensions_reply(models: ModelPool, work: WorkRegister) -> None:
    is_closed: list[bool] = []

    async def endless(turn: Turn) -> AsyncGenerator[str, None]:
        try:
            while True:
                work.stop("me")
                yield "on "
        finally:
            is_closed.append(True)

    events = await events_of(chat_service(models, work, Hooks(reply=(endless,))), said("hi"))
    assert isinstance(events[-1], Done)
    assert is_closed == [True]
