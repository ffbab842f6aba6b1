"""Conversations that do not fit lose their oldest turns, when the request allows it, and nothing else."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.engine.threaded import ThreadedEngine
from modules.errors import ContextTooLong
from modules.messages import Message, Role, ToolCall, text_message
from modules.prompt.builder import PromptBuilder
from modules.prompt.conversation.trim import shortened
from modules.requests import Limits, Mode, Persona
from tests.prompt.prompting import bot, built, chat, system, user
from tests.scripted import scripted_engine, scripted_spec


def calling(number: int) -> tuple[Message, Message]:
    call = ToolCall(f"c{number}", "f", "{}")
    return bot("", tool_calls=(call,)), Message(
        role=Role.TOOL, parts=text_message(Role.TOOL, f"result {number} " + "r" * 80).parts, tool_call_id=f"c{number}"
    )


def exchanges(count: int) -> list[Message]:
    return [turn for n in range(count) for turn in (user(f"question {n} " + "q" * 60), bot(f"answer {n} " + "a" * 60))]


async def fitted(engine: ThreadedEngine, messages: Sequence[Message], **options: Any) -> str:
    async with built() as builder:
        request = chat(*messages, truncates=True, limits=Limits(max_tokens=50), **options)
        return (await builder.chat(engine, request)).text


async def test_oldest_turns_go_first() -> None:
    turns = [system("Rule."), *exchanges(30), user("last")]
    async with scripted_engine(scripted_spec(context=1000)) as engine:
        text = await fitted(engine, turns)
    assert text.startswith("<|im_start|>system\nRule.<|im_end|>\n<|im_start|>user\nquestion")
    assert "answer 29" in text
    assert "question 0 " not in text
    assert len(text) > 500


async def test_what_fits_is_left_alone() -> None:
    turns = exchanges(3)
    async with scripted_engine(scripted_spec(context=1000)) as engine:
        assert "question 0 " in await fitted(engine, [*turns, user("last")])


async def test_without_leave_it_is_refused() -> None:
    async with built() as builder, scripted_engine(scripted_spec(context=1000)) as engine:
        with pytest.raises(ContextTooLong, match="maximum context length is 1000 tokens"):
            await builder.chat(engine, chat(*exchanges(30), user("last")))


@pytest.mark.parametrize("turns", [[system("s" * 2000), user("u")], [system("s"), *exchanges(3), user("u" * 2000)]])
async def test_what_may_not_go_and_does_not_fit_is_refused(turns: list[Message]) -> None:
    async with scripted_engine(scripted_spec(context=1000)) as engine:
        with pytest.raises(ContextTooLong, match="maximum context length is 1000 tokens"):
            await fitted(engine, turns)


async def test_rounds_of_calls_after_the_last_question_can_go() -> None:
    rounds = [turn for number in range(30) for turn in calling(number)]
    async with scripted_engine(scripted_spec(context=1000)) as engine:
        text = await fitted(engine, [system("Rule."), user("the question"), *rounds])
    assert "Rule." in text
    assert "the question" in text
    assert "result 29" in text
    assert "result 0 " not in text


async def test_dialogue_loses_its_greeting_first() -> None:
    persona = Persona(mode=Mode.CHAT, context="Context.", greeting="greeting", bot_name="Ann")
    async with scripted_engine(scripted_spec(context=1000)) as engine:
        text = await fitted(engine, [*exchanges(30), user("last")], persona=persona)
    assert text.startswith("Context.\n\nYou: question")
    assert text.endswith("You: last\nAnn:")
    assert "greeting" not in text


async def test_partial_reply_stays() -> None:
    async with scripted_engine(scripted_spec(context=1000)) as engine:
        text = await fitted(engine, [*exchanges(30), user("last"), bot("part")], continue_last=True)
    assert text.endswith("<|im_start|>user\nlast<|im_end|>\n<|im_start|>assistant\npart")


async def test_same_turns_are_left_out_for_several_turns() -> None:
    """So that the model finds the beginning of the prompt in its cache."""
    beginnings = []
    async with scripted_engine(scripted_spec(context=4000)) as engine:
        for count in range(40, 60):
            text = await fitted(engine, [*exchanges(count), user("last")])
            beginnings.append(text[:60])
    changes = sum(before != after for before, after in pairwise(beginnings))
    assert 1 <= changes <= 10


async def test_few_renderings_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    draft = PromptBuilder._draft

    async def counted(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        return await draft(*arguments)

    monkeypatch.setattr(PromptBuilder, "_draft", counted)
    async with scripted_engine(scripted_spec(context=2000)) as engine:
        await fitted(engine, [*exchanges(3000), user("last")])
    assert count <= 14


MESSAGES = st.lists(
    st.one_of(
        st.builds(lambda text: [system(text)], st.text("s", max_size=30)),
        st.builds(lambda text: [user(text)], st.text("u", max_size=30)),
        st.builds(lambda text: [bot(text)], st.text("b", max_size=30)),
        st.builds(lambda number: list(calling(number)), st.integers(0, 9)),
    ),
    min_size=1,
    max_size=12,
).map(lambda groups: [message for group in groups for message in group])


@given(MESSAGES)
def test_every_cut_is_a_conversation(messages: list[Message]) -> None:
    before: Sequence[Message] = messages
    for kept in shortened(messages, context=20):
        assert [m for m in kept if m.role is Role.SYSTEM] == [m for m in messages if m.role is Role.SYSTEM]
        assert kept == tuple(m for m in messages if any(m is each for each in kept))
        assert len(kept) < len(before)
        questions = [m for m in messages if m.role is Role.USER]
        assert not questions or any(m is questions[-1] for m in kept)
        assert kept[-1] is messages[-1] or messages[-1].role is Role.SYSTEM
        calls = {call.id for m in kept for call in m.tool_calls}
        assert {m.tool_call_id for m in kept if m.role is Role.TOOL} <= calls
        before = kept
