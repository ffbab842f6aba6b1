"""Replies that call tools, round after round, over a scripted model and a real one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from modules.chat.service import ChatService
from modules.chat.tool_events import (
    Approval,
    LoopEvent,
    RoundFinished,
    ToolFinished,
    ToolProposed,
    ToolRefused,
    ToolStarted,
)
from modules.chat.tool_loop import ToolLoop
from modules.chat.tools.extension import ExtensionTool
from modules.chat.tools.toolbox import ToolBox
from modules.chat.work import WorkRegister
from modules.errors import BadRequest
from modules.events import Content, Done, FinishReason, Started
from modules.messages import Role, TextPart, ToolCall, ToolChoice, ToolSpec, ToolUse, text_message
from modules.models.pool import ModelPool
from modules.paths import UserData
from modules.requests import ChatRequest, Limits
from modules.runtime import Runtime
from modules.sampling import Sampling
from modules.settings.values import Settings
from tests.chat.services import chat_service
from tests.chat.test_reply_formats import launching
from tests.model_files import QWEN
from tests.models.launches import scripted_settings

# Answers of tools stand where the scripted model looks for what to do next.
TEMPLATE = (
    "{% for message in messages %}"
    "{% if message.role == 'tool' %}<|im_start|>user\n{{ message.content }}<|im_end|>\n"
    "{% else %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}{# <tool_call> #}"
)


def calling(*names: str) -> str:
    calls = (f'<tool_call>\n{{"name": "{name}", "arguments": {{"n": 1}}}}\n</tool_call>' for name in names)
    return "echo: " + "\n".join(calls)


SAYS = {"sunny": "echo: It is sunny.", "again": calling("again"), "twice": calling("sunny")}
TOOLS = tuple(ToolSpec(name=name, parameters={"type": "object"}) for name in (*SAYS, "stuck"))


class Stuck:
    """A tool that waits until it is cancelled."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.was_cancelled = False

    async def __call__(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


class Scene:
    """A loop, what its user is asked, and what the user says; None stops instead of answering."""

    def __init__(self, service: ChatService, tools: ToolBox, work: WorkRegister, stuck: Stuck) -> None:
        self.loop = ToolLoop(service, tools, work)
        self.work = work
        self.stuck = stuck
        self.asked: list[ToolCall] = []
        self.word: Approval | None = Approval.ONCE

    async def approve(self, call: ToolCall) -> Approval:
        self.asked.append(call)
        if self.word is None:
            self.work.stop("me")
            await asyncio.Event().wait()
        assert self.word is not None
        return self.word

    def events(self, words: str, *, max_rounds: int = 25, **options: Any) -> AsyncGenerator[LoopEvent, None]:
        request = ChatRequest(model=None, messages=(text_message(Role.USER, words),), tools=TOOLS, **options)
        return self.loop.converse(request, owner="me", approve=self.approve, max_rounds=max_rounds)

    async def all_events(self, words: str, **options: Any) -> list[LoopEvent]:
        async with aclosing(self.events(words, **options)) as events:
            return [event async for event in events]


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Scene]:
    settings = scripted_settings(folder, model="scripted", ctx_size=4096)
    manager = ModelPool(settings, settings.user_data, launching(chat_template=TEMPLATE))
    manager.start()
    stuck = Stuck()

    async def wait(_: dict[str, Any]) -> None:
        await stuck()

    def saying(words: str) -> Callable[[dict[str, Any]], str]:
        return lambda _: words

    extension_tools = [ExtensionTool(ToolSpec(name=name), saying(words)) for name, words in SAYS.items()]
    tools = ToolBox(UserData(folder), extension_tools=[*extension_tools, ExtensionTool(ToolSpec(name="stuck"), wait)])
    work = WorkRegister()
    try:
        yield Scene(chat_service(manager, work), tools, work, stuck)
    finally:
        await tools.aclose()
        await manager.aclose()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with staged(tmp_path) as scene:
        yield scene


def said(events: list[LoopEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Content))


def of_kind(events: list[LoopEvent], *kinds: type) -> list[Any]:
    return [event for event in events if isinstance(event, kinds)]


async def test_a_reply_without_calls_is_one_round(scene: Scene) -> None:
    events = await scene.all_events("echo: hello")
    assert said(events) == "hello"
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Done)
    assert scene.asked == []


async def test_calls_are_approved_run_and_answered(scene: Scene) -> None:
    events = await scene.all_events(calling("sunny"))
    assert said(events).strip() == "It is sunny."
    kinds = [type(event) for event in of_kind(events, ToolProposed, ToolStarted, ToolFinished, RoundFinished, Done)]
    assert kinds == [Done, ToolProposed, ToolStarted, ToolFinished, RoundFinished, Done]
    assert [call.name for call in scene.asked] == ["sunny"]
    assert of_kind(events, Done)[-1].reason is FinishReason.STOP


async def test_a_round_is_told_as_messages(scene: Scene) -> None:
    [finished] = of_kind(await scene.all_events(calling("sunny")), RoundFinished)
    asked, answered = finished.messages
    [call] = asked.tool_calls
    assert (asked.role, call.name, call.arguments) == (Role.ASSISTANT, "sunny", '{"n": 1}')
    assert (answered.role, answered.tool_call_id, answered.name) == (Role.TOOL, call.id, "sunny")
    assert answered.text == "echo: It is sunny."


async def test_rounds_follow_each_other_until_the_model_has_words(scene: Scene) -> None:
    events = await scene.all_events(calling("twice"))
    assert [finished.call.name for finished in of_kind(events, ToolFinished)] == ["twice", "sunny"]
    assert len(of_kind(events, Started)) == 3
    assert said(events).strip() == "It is sunny."


async def test_rejected_calls_are_not_run(scene: Scene) -> None:
    scene.word = Approval.REJECT
    events = await scene.all_events(calling("sunny"))
    assert of_kind(events, ToolStarted, ToolFinished) == []
    [refused] = of_kind(events, ToolRefused)
    [finished] = of_kind(events, RoundFinished)
    assert finished.messages[-1].text == refused.answer == "The user did not allow this call."


async def test_always_is_asked_once(scene: Scene) -> None:
    scene.word = Approval.ALWAYS
    events = await scene.all_events(calling("again"), max_rounds=4)
    assert len(of_kind(events, ToolFinished)) == 3
    assert len(scene.asked) == len(of_kind(events, ToolProposed)) == 1


async def test_the_last_round_has_no_tools(scene: Scene) -> None:
    events = await scene.all_events(calling("again"), max_rounds=3)
    assert len(of_kind(events, Started)) == 3
    assert len(of_kind(events, RoundFinished)) == 2
    assert of_kind(events, Done)[-1].reason is FinishReason.STOP


async def test_a_required_call_is_required_once(scene: Scene) -> None:
    required = ToolChoice(use=ToolUse.REQUIRED, names=("sunny",))
    events = await scene.all_events(calling("sunny"), tool_choice=required)
    assert said(events).strip() == "It is sunny."
    assert len(of_kind(events, Started)) == 2


async def test_several_calls_of_one_round(scene: Scene) -> None:
    events = await scene.all_events(calling("sunny", "twice"), max_rounds=2)
    [finished] = of_kind(events, RoundFinished)
    assert [message.name for message in finished.messages] == [None, "sunny", "twice"]
    assert len({message.tool_call_id for message in finished.messages[1:]}) == 2


async def test_what_was_going_on_is_part_of_the_message(scene: Scene) -> None:
    request = ChatRequest(
        model=None,
        messages=(text_message(Role.USER, calling("sunny")), text_message(Role.ASSISTANT, "Let me see. ")),
        tools=TOOLS,
        continue_last=True,
    )
    async with aclosing(scene.loop.converse(request, owner="me", approve=scene.approve)) as stream:
        events = [event async for event in stream]
    [finished] = of_kind(events, RoundFinished)
    assert finished.messages[0].parts == (TextPart("Let me see. "),)
    assert said(events).strip() == "It is sunny."


async def test_a_stop_ends_the_running_tool_and_the_loop(scene: Scene) -> None:
    events: list[LoopEvent] = []
    stopping: asyncio.Task[None] | None = None
    async with aclosing(scene.events(calling("sunny", "stuck", "again"))) as stream:
        async for event in stream:
            events.append(event)
            if isinstance(event, ToolStarted) and event.call.name == "stuck":
                stopping = asyncio.create_task(stop_once(scene))
    assert stopping is not None
    await stopping
    assert scene.stuck.was_cancelled
    assert isinstance(events[-1], RoundFinished)
    stopped = "The user stopped this call."
    assert [message.text for message in events[-1].messages[1:]] == [SAYS["sunny"], stopped, stopped]
    assert scene.work.stop("me") == 0


async def stop_once(scene: Scene) -> None:
    await scene.stuck.begun.wait()
    scene.work.stop("me")


async def test_a_stop_while_the_model_speaks_ends_the_loop(scene: Scene) -> None:
    events: list[LoopEvent] = []
    async with aclosing(scene.events("stall")) as stream:
        async for event in stream:
            events.append(event)
            if said(events) == "waiting":
                scene.work.stop("me")
    assert isinstance(events[-1], Done)


async def test_a_stop_ends_waiting_for_the_user(scene: Scene) -> None:
    scene.word = None
    events = await scene.all_events(calling("sunny"))
    assert of_kind(events, ToolStarted) == []
    [finished] = of_kind(events, RoundFinished)
    assert finished.messages[-1].text == "The user stopped this call."


async def test_closing_cancels_the_running_tool(scene: Scene) -> None:
    reading = asyncio.create_task(scene.all_events(calling("stuck")))
    await scene.stuck.begun.wait()
    reading.cancel()
    await asyncio.wait([reading])
    assert scene.stuck.was_cancelled
    assert scene.work.stop("me") == 0
    assert said(await scene.all_events("echo: next")) == "next"


async def test_several_choices_are_refused(scene: Scene) -> None:
    with pytest.raises(BadRequest, match="one choice"):
        await scene.all_events("echo: a", limits=Limits(n=2))


@pytest.mark.model
@pytest.mark.timeout(300)
async def test_a_real_model_reads_what_its_tool_says(model_file: Callable[[str], Path], tmp_path: Path) -> None:
    path = model_file(QWEN)
    settings = Settings.model_validate(
        {"user_data_dir": tmp_path, "model_dir": path.parent, "model": path.name, "ctx_size": 4096, "threads": 1}
        | {"self_test": False}
    )
    tools = ToolBox(UserData(tmp_path))

    async def approve(_: ToolCall) -> Approval:
        return Approval.ONCE

    async with Runtime(settings) as runtime:
        question = "What is 1234 * 5678? Use the calculate tool."
        request = ChatRequest(
            model=None,
            messages=(text_message(Role.USER, question),),
            tools=await tools.specs(["calculate"]),
            tool_choice=ToolChoice(use=ToolUse.REQUIRED, parallel=False),
            sampling=Sampling(temperature=0),
            limits=Limits(max_tokens=60),
        )
        loop = ToolLoop(runtime.chat, tools, runtime.work)
        async with aclosing(loop.converse(request, owner="me", approve=approve, max_rounds=2)) as stream:
            events = [event async for event in stream]
    await tools.aclose()
    [finished] = of_kind(events, ToolFinished)
    assert finished.answer == "7006652"
    assert "7006652" in said(events).replace(",", "")
