"""Going on with replies: with the words, and with a thought that was broken off."""

import pytest

from modules.messages import Message, Role, TextPart
from modules.prompt.templates.shape import with_thought_apart
from tests.golden.template_cases import TEMPLATES
from tests.prompt.prompting import bot, built, chat, prompt_of, user
from tests.scripted import scripted_engine

FAMILIES = sorted(path.stem for path in TEMPLATES.glob("*.jinja"))


def template(name: str) -> str:
    return (TEMPLATES / f"{name}.jinja").read_text("utf-8")


@pytest.mark.parametrize("name", FAMILIES)
async def test_every_family_can_go_on(name: str) -> None:
    async with built() as builder:
        request = chat(user("Count."), bot(" 1,\n2 "), continue_last=True)
        text = await prompt_of(builder, request, chat_template=template(name))
    assert text.endswith(" 1,\n2 ")
    assert text.count("1,") == 1


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("reply", [bot("", reasoning="So I\n"), bot("<think>So I\n")], ids=["field", "text"])
async def test_every_family_can_go_on_thinking(name: str, reply: Message) -> None:
    async with built() as builder:
        request = chat(user("Count."), reply, continue_last=True)
        text = await prompt_of(builder, request, chat_template=template(name))
    assert text.rstrip("\n").endswith("So I")
    before = text.rpartition("So I")[0].rstrip()
    assert before.endswith(("<think>", "<seed:think>", "analysis<|message|>"))
    assert not before.endswith("<think><think>")


async def test_thought_that_is_gone_on_with_is_announced() -> None:
    async with built() as builder, scripted_engine(chat_template=template("qwen3")) as engine:
        thinking = chat(user("a"), bot("", reasoning="b"), continue_last=True)
        speaking = chat(user("a"), bot("c", reasoning="b"), continue_last=True)
        assert [(await builder.chat(engine, each)).is_thinking for each in (thinking, speaking, chat())] == [
            True,
            False,
            False,
        ]
        assert (await builder.chat(engine, speaking)).text.endswith("<think>\nb\n</think>\n\nc")


async def test_complete_thought_is_not_opened_again() -> None:
    async with built() as builder:
        request = chat(user("a"), bot("<think>b</think>"), continue_last=True)
        assert (await prompt_of(builder, request)).endswith("<|im_start|>assistant\n<think>b</think>")


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("<think>\na\n</think>\n\nb", "a", "b"),
        ("  <think>a</think>b</think>c", "a", "b</think>c"),
        ("<think>a", "a", ""),
        ("<seed:think>a</seed:think>b", "a", "b"),
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b", "a", "b"),
        ("<|start|>assistant<|channel|>analysis<|message|>a<|end|><|channel|>final<|message|>b", "a", "b"),
        ("<|channel>thought\na<channel|>b", "a", "b"),
        ("<|think|>a<|end|><|content|>b", "a", "b"),
        ("[THINK]a[/THINK]b", "a", "b"),
        ("The tag <think> opens a thought</think>.", None, "The tag <think> opens a thought</think>."),
        ("", None, ""),
        ("thought\nb", None, "thought\nb"),
    ],
)
def test_thoughts_in_replayed_replies_are_taken_apart(text: str, thought: str | None, answer: str) -> None:
    apart = with_thought_apart(bot(text))
    assert (apart.reasoning, apart.text) == (thought, answer)


def test_other_peoples_thoughts_are_text() -> None:
    question = Message(role=Role.USER, parts=(TextPart("<think>a</think>b"),))
    assert with_thought_apart(question) is question
    known = bot("<think>a</think>b", reasoning="c")
    assert with_thought_apart(known) is known
