"""Templates in requests: what they may do, what they cost others, and how their process ends."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psutil
import pytest

from modules.errors import BadRequest
from modules.prompt.templates.isolated import IsolatedRenderer
from modules.prompt.templates.render import TemplateKilled, TemplateRefused
from modules.requests import Mode, Persona, TemplateChoice
from tests.prompt.prompting import built, chat, prompt_of, user

# Neither loops nor calls, so nothing but the clock can stop it.
SLOW = "{% set a = 'a' * 7999999 %}{% set x = a.replace('a', 'b').replace('b', 'a').count('ab') %}" * 400
# Each text is within bounds; all together are not.
LARGE = "{% set ns = namespace(all=[]) %}{% for i in range(900) %}{% set ns.all = ns.all + [('ab' * 3999999)] %}{% endfor %}ok"


@pytest.fixture
async def renderer() -> AsyncIterator[IsolatedRenderer]:
    renderer = IsolatedRenderer(seconds=1)
    yield renderer
    await renderer.aclose()


async def render(renderer: IsolatedRenderer, source: str, **variables: object) -> str:
    return await renderer.render(source, variables, param="instruction_template_str")


async def test_text_is_as_on_a_thread(renderer: IsolatedRenderer) -> None:
    messages = [{"role": "user", "content": "é\ud83d\ufdd0 <|im_end|>", "n": 2**80}]
    source = "{% for m in messages %}{{ m.content }} {{ m.n }} {{ m | tojson }}{% endfor %}"
    text = await render(renderer, source, messages=messages)
    assert text.startswith("é\ud83d\ufdd0 <|im_end|> 1208925819614629174706176 {")


async def test_one_process_serves_many_requests(renderer: IsolatedRenderer) -> None:
    texts = await asyncio.gather(*(render(renderer, "{{ n }}", n=n) for n in range(50)))
    assert texts == [str(n) for n in range(50)]
    pid = renderer.pid
    await render(renderer, "a")
    assert renderer.pid == pid


async def test_refusals_and_failures_are_told_apart(renderer: IsolatedRenderer) -> None:
    with pytest.raises(TemplateRefused, match=r"^no cats$") as refused:
        await render(renderer, "{{ raise_exception('no cats') }}")
    with pytest.raises(BadRequest, match="line 1") as failed:
        await render(renderer, "{% for")
    assert [refused.value.param, failed.value.param] == ["messages", "instruction_template_str"]


@pytest.mark.parametrize("source", [SLOW, LARGE, "{{ 'a' * 10**9 }}", "{% for i in range(10**9) %}{% endfor %}"])
async def test_greedy_templates_are_ended(renderer: IsolatedRenderer, source: str) -> None:
    await render(renderer, "warm")
    with pytest.raises(BadRequest) as caught:
        await render(renderer, source)
    assert caught.value.param == "instruction_template_str"
    assert await render(renderer, "and on") == "and on"


async def test_event_loop_turns_while_a_template_is_rendered(renderer: IsolatedRenderer) -> None:
    await render(renderer, "warm")
    stuck = asyncio.create_task(render(renderer, SLOW))
    turns = 0
    while not stuck.done():
        await asyncio.sleep(0.005)
        turns += 1
    with pytest.raises(TemplateKilled):
        await stuck
    # A loop that waits for the process itself turns twice.
    assert turns > 10


async def test_process_is_killed_with_its_rendering(renderer: IsolatedRenderer) -> None:
    await render(renderer, "warm")
    process = psutil.Process(renderer.pid)
    with pytest.raises(TemplateKilled, match="longer than 1 seconds"):
        await render(renderer, SLOW)
    assert not process.is_running()


async def test_caller_that_leaves_takes_its_rendering_along(renderer: IsolatedRenderer) -> None:
    await render(renderer, "warm")
    process = psutil.Process(renderer.pid)
    stuck = asyncio.create_task(render(renderer, SLOW))
    used = process.cpu_times().user
    while process.cpu_times().user < used + 0.1:  # noqa: ASYNC110 - another process cannot set an event
        await asyncio.sleep(0.01)
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    assert not process.is_running()
    assert await render(renderer, "next") == "next"


async def test_process_that_died_is_replaced(renderer: IsolatedRenderer) -> None:
    await render(renderer, "warm")
    psutil.Process(renderer.pid).kill()
    with pytest.raises(BadRequest):
        await render(renderer, "lost")
    assert await render(renderer, "found") == "found"


async def test_idle_process_ends() -> None:
    renderer = IsolatedRenderer(idle_seconds=0.05)
    await render(renderer, "a")
    process = psutil.Process(renderer.pid)
    await asyncio.to_thread(process.wait, 10)
    assert renderer.pid is None
    assert await render(renderer, "b") == "b"
    await renderer.aclose()


async def test_closing_ends_the_process_and_can_be_repeated(renderer: IsolatedRenderer) -> None:
    await render(renderer, "a")
    process = psutil.Process(renderer.pid)
    await renderer.aclose()
    await renderer.aclose()
    assert not process.is_running()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of POSIX systems")
async def test_process_has_neither_keys_nor_room_for_files(
    renderer: IsolatedRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_TESTS", "x")
    await render(renderer, "a")
    process = psutil.Process(renderer.pid)
    assert "SECRET_OF_TESTS" not in process.environ()
    if hasattr(process, "rlimit"):
        assert process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
        assert process.rlimit(psutil.RLIMIT_AS)[1] < 2**31


async def test_requests_templates_run_there_and_no_others() -> None:
    async with built(chat_template_str="{{ messages[0].content }}") as builder:
        await prompt_of(builder, chat())
        await prompt_of(builder, chat(persona=Persona(mode=Mode.CHAT, context="c")))
        assert builder._rendering._isolated.pid is None
        template = TemplateChoice(source="{{ messages[0].content }}!")
        assert await prompt_of(builder, chat(template=template)) == "Hi.!"
        persona = Persona(mode=Mode.CHAT, context="", greeting="", chat_template="{{ messages[0].content }}?")
        assert await prompt_of(builder, chat(persona=persona)) == "Hi.?"
        assert builder._rendering._isolated.pid is not None


async def test_slow_template_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def counting(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counted(renderer: IsolatedRenderer, source: str, variables: object, *, param: str) -> Any:
            tried.append(source)
            return await method(renderer, source, variables, param=param)

        return counted

    async with built() as builder:
        await prompt_of(builder, chat(template=TemplateChoice(source="warm")))
        monkeypatch.setattr(IsolatedRenderer, "render", counting(IsolatedRenderer.render))
        monkeypatch.setattr(IsolatedRenderer, "attempt", counting(IsolatedRenderer.attempt))
        with pytest.raises(TemplateKilled):
            await prompt_of(builder, chat(user("a"), template=TemplateChoice(source=SLOW)))
    assert tried == [SLOW]
