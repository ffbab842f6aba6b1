"""Replies end where the next turn would begin, and ordinary text ends nothing."""

from pathlib import Path

import pytest

from modules.prompt.builder import ChatPrompt
from modules.requests import Mode, Persona, TemplateChoice
from tests.golden.template_cases import TEMPLATES
from tests.prompt.prompting import built, chat
from tests.scripted import scripted_engine

PLAIN_MARKS = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% if m.role == 'assistant' %}[END]{% endif %}{% endfor %}"
)
VICUNA = "{% for m in messages %}{{ 'USER' if m.role == 'user' else 'ASSISTANT' }}: {{ m.content }} {% endfor %}"


async def written(source: str | None, persona: Persona | None = None) -> ChatPrompt:
    async with built() as builder, scripted_engine(chat_template=source) as engine:
        return await builder.chat(engine, chat(persona=persona or Persona()))


async def test_control_tokens_end_replies_by_their_ids() -> None:
    """As texts they would end a reply that only quotes them."""
    async with built() as builder, scripted_engine() as engine:
        prompt = await builder.chat(engine, chat())
    assert (prompt.template.stop, prompt.stop_token_ids) == ((), (257,))


@pytest.mark.parametrize(
    ("source", "stop"),
    [
        (PLAIN_MARKS, ("[END]", "[assistant]")),
        (VICUNA, (" USER:", " ASSISTANT:")),
        (None, ("\n\n### Instruction:", "\n### Instruction:", "\n\n### Response:", "\n### Response:")),
        ("{% for m in messages %}{{ m.content }}{% endfor %}", ()),
        ("{% for m in messages %}{{ m.content }}\n{% endfor %}", ()),
        ("{{ messages[-1].content }}", ()),
        ("{% if messages | length > 1 %}{{ raise_exception('no') }}{% endif %}{{ messages[0].content }}", ()),
    ],
)
async def test_other_texts_end_replies_where_a_turn_would_begin(source: str | None, stop: tuple[str, ...]) -> None:
    prompt = await written(source)
    assert (prompt.template.stop, prompt.stop_token_ids) == (stop, ())


async def test_names_end_replies_at_the_beginning_of_a_line() -> None:
    persona = Persona(mode=Mode.CHAT, user_name="Bo", bot_name="Ann")
    assert (await written(None, persona)).template.stop == ("\nBo:", "\nAnn:")


async def test_names_of_one_request_do_not_end_anothers_replies() -> None:
    async with built() as builder, scripted_engine() as engine:
        for name in ("Bo", "Mo"):
            persona = Persona(mode=Mode.CHAT, user_name=name, bot_name="Ann")
            assert f"\n{name}:" in (await builder.chat(engine, chat(persona=persona))).template.stop


async def test_placeholders_in_a_dialogue_template_are_names_in_stops_too() -> None:
    source = "{% for m in messages %}{{ '<USER>' if m.role == 'user' else '<BOT>' }}: {{ m.content }}\n{% endfor %}"
    persona = Persona(mode=Mode.CHAT, user_name="Bo", bot_name="Ann", chat_template=source)
    assert (await written(None, persona)).template.stop == ("\nBo:", "\nAnn:")


async def test_chat_instruct_ends_by_the_instruction_template() -> None:
    prompt = await written(None, Persona(mode=Mode.CHAT_INSTRUCT))
    assert "\n### Instruction:" in prompt.template.stop
    assert not any("You:" in stop for stop in prompt.template.stop)


async def test_end_of_a_thought_is_no_end_of_a_reply() -> None:
    prompt = await written((TEMPLATES / "gpt-oss.jinja").read_text("utf-8"))
    assert prompt.template.stop == ("<|return|>", "<|call|>")


async def test_templates_of_requests_have_stops(tmp_path: Path) -> None:
    async with built(tmp_path) as builder, scripted_engine() as engine:
        prompt = await builder.chat(engine, chat(template=TemplateChoice(source=VICUNA)))
    assert prompt.template.stop == (" USER:", " ASSISTANT:")
