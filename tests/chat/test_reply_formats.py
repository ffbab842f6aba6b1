"""Thoughts, calls and constraints of whole requests, over a scripted model that claims the templates of others."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from modules.backends.scripted.backend import CHAT_TEMPLATE
from modules.chat.service import ChatService
from modules.chat.work import WorkRegister
from modules.engine.protocols import Engine, ReportProgress
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Constraint, LoadSpec
from modules.errors import BadRequest, NotSupported
from modules.events import Content, Done, FinishReason, Reasoning, ToolCallDelta
from modules.messages import Role, ToolChoice, ToolSpec, ToolUse, text_message
from modules.models.loading import Candidate
from modules.models.pool import ModelPool
from modules.reply.gather import Choice, gather
from modules.requests import ChatRequest, Limits
from tests.chat.services import chat_service
from tests.models.launches import scripted_settings
from tests.scripted import CardedBackend

# More than is written while the end of a call is told to whoever writes, on the busiest machine.
ROOMY = 200_000
QWEN = CHAT_TEMPLATE + "{# <think> </think> <tool_call> #}"
THINKING = QWEN.replace("assistant\n", "assistant\n<think>\n")
CALL = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'
TOOLS = (
    ToolSpec(name="f", parameters={"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}),
)
ANSWER = Constraint(kind="json_schema", text='{"type": "object", "properties": {"b": {"type": "boolean"}}}')
REQUIRED = ToolChoice(use=ToolUse.REQUIRED)


class _Claiming:
    """A scripted model whose card says what `claims` say."""

    def __init__(self, spec: LoadSpec, claims: dict[str, Any]) -> None:
        self._spec = spec
        self._claims = claims

    pid = None

    async def load(self, report: ReportProgress) -> Engine:
        return ThreadedEngine(CardedBackend(self._spec, **self._claims))

    async def aclose(self) -> None: ...


def launching(**claims: Any) -> Callable[[LoadSpec], Coroutine[Any, Any, Candidate]]:
    async def launch(spec: LoadSpec) -> Candidate:
        return _Claiming(spec, claims)

    return launch


@asynccontextmanager
async def serving(folder: Path, *, ctx_size: int = 4096, **claims: Any) -> AsyncIterator[ChatService]:
    settings = scripted_settings(folder, model="scripted", ctx_size=ctx_size)
    manager = ModelPool(settings, settings.user_data, launching(**claims))
    manager.start()
    try:
        yield chat_service(manager, WorkRegister())
    finally:
        await manager.aclose()


def chat(words: str, **options: Any) -> ChatRequest:
    return ChatRequest(model=None, messages=(text_message(Role.USER, words),), **options)


async def choices(service: ChatService, words: str, **options: Any) -> tuple[Choice, ...]:
    return (await gather(service.chat(chat(words, **options), owner="me"))).choices


async def test_thoughts_and_calls_of_every_choice(tmp_path: Path) -> None:
    words = f"echo: <think>\nHm.\n</think>\n\nLook: {CALL}"
    async with serving(tmp_path, chat_template=QWEN) as service:
        replies = await choices(service, words, tools=TOOLS, limits=Limits(n=2))
    for choice in replies:
        assert (choice.reasoning, choice.text, choice.reason) == ("Hm.", "Look:", FinishReason.TOOL_CALLS)
        assert [(call.name, orjson.loads(call.arguments)) for call in choice.tool_calls] == [("f", {"a": 1})]
        assert choice.usage.reasoning_tokens == len("<think>\nHm.\n</think>\n\n")
    assert replies[0].tool_calls[0].id != replies[1].tool_calls[0].id


async def test_a_prompt_that_ends_in_a_thought(tmp_path: Path) -> None:
    async with serving(tmp_path, chat_template=THINKING) as service:
        [choice] = await choices(service, "echo: Hm.\n</think>\n\nYes.")
        [endless] = await choices(service, "echo: Hm.")
    assert (choice.reasoning, choice.text) == ("Hm.", "Yes.")
    assert (endless.reasoning, endless.text) == ("Hm.", "")


async def test_templates_that_know_no_tags_leave_them_alone(tmp_path: Path) -> None:
    words = f"<think>a</think> {CALL}"
    async with serving(tmp_path) as service:
        [choice] = await choices(service, f"echo: {words}")
    assert (choice.text, choice.reasoning, choice.tool_calls) == (words, "", ())


async def test_events_come_in_the_order_of_the_reply(tmp_path: Path) -> None:
    async with serving(tmp_path, chat_template=QWEN) as service:
        request = chat(f"echo: <think>one two three</think>four five six {CALL}", tools=TOOLS)
        kinds = [type(event) async for event in service.chat(request, owner="me")]
    assert kinds[-1] is Done
    assert kinds.index(Reasoning) < kinds.index(Content) < kinds.index(ToolCallDelta)


@pytest.mark.parametrize("n", [1, 3])
async def test_one_call_ends_the_generation(tmp_path: Path, n: int) -> None:
    choice = ToolChoice(parallel=False)
    async with serving(tmp_path, chat_template=QWEN, ctx_size=ROOMY) as service:
        endless = chat(f"echo: {CALL}", tools=TOOLS, tool_choice=choice, limits=Limits(n=n, ignore_eos=True))
        reply = await asyncio.wait_for(gather(service.chat(endless, owner="me")), 60)
        assert (await choices(service, "echo: next"))[0].text == "next"
    assert [(len(each.tool_calls), each.text, each.reason) for each in reply.choices] == [
        (1, "", FinishReason.TOOL_CALLS)
    ] * n
    assert reply.usage.completion_tokens < n * ROOMY // 2


@pytest.mark.parametrize(
    ("template", "words", "thought"),
    [
        (CHAT_TEMPLATE + "{# <tool_call> #}", "no call at all", ""),
        (QWEN, "<think>I will not</think>No.", "I will not"),
    ],
)
async def test_required_calls_are_enforced(tmp_path: Path, template: str, words: str, thought: str) -> None:
    async with serving(tmp_path, chat_template=template, can_constrain=True) as service:
        [choice] = await choices(service, f"echo: {words}", tools=TOOLS, tool_choice=REQUIRED)
    assert (choice.text, choice.reasoning, choice.reason) == ("", thought, FinishReason.TOOL_CALLS)
    assert [list(orjson.loads(call.arguments)) for call in choice.tool_calls] == [["a"]]


async def test_answers_are_constrained_and_thoughts_are_free(tmp_path: Path) -> None:
    async with serving(tmp_path, chat_template=THINKING, can_constrain=True) as service:
        [choice] = await choices(service, "echo: Let me see</think>Sure!", constraint=ANSWER)
    assert choice.reasoning == "Let me see"
    assert set(orjson.loads(choice.text)) <= {"b"}


async def test_thoughts_end_with_their_budget(tmp_path: Path) -> None:
    async with serving(tmp_path, chat_template=THINKING, can_constrain=True) as service:
        [choice] = await choices(service, "echo: 0123456789", reasoning_budget=4, limits=Limits(max_tokens=40))
    assert choice.reasoning == "0123"
    assert choice.usage.reasoning_tokens == len("0123</think>")


async def test_calls_or_a_constrained_answer(tmp_path: Path) -> None:
    async with serving(tmp_path, chat_template=QWEN, can_constrain=True) as service:
        [called] = await choices(service, f"echo: {CALL}", tools=TOOLS, constraint=ANSWER)
        [answered] = await choices(service, 'echo: {"b": true}', tools=TOOLS, constraint=ANSWER)
    assert [call.name for call in called.tool_calls] == ["f"]
    assert (answered.text, answered.tool_calls) == ('{"b": true}', ())


async def test_what_cannot_be_enforced_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, chat_template=QWEN, can_constrain=False) as service:
        for options, param in (
            ({"tools": TOOLS, "tool_choice": REQUIRED}, "tool_choice"),
            ({"constraint": ANSWER}, "response_format"),
        ):
            with pytest.raises(NotSupported) as refused:
                await choices(service, "hi", **options)
            assert refused.value.param == param
        with pytest.raises(BadRequest):
            await choices(service, "hi", tool_choice=REQUIRED)
