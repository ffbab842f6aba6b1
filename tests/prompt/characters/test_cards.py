"""What a character card says stands in its place of the prompt."""

import json
from pathlib import Path
from typing import Any

import pytest

from modules.messages import Role, text_message
from modules.prompt.characters.cast import Note, with_notes
from modules.requests import ChatRequest, Mode, Persona
from tests.prompt.prompting import bot, built, chat, prompt_of, system, user

CARD: dict[str, Any] = {
    "name": "Ada",
    "nickname": "Countess",
    "description": "{{char}} knows {{user}}.",
    "personality": "curious",
    "scenario": "A salon.",
    "first_mes": "Good day.",
    "alternate_greetings": ["Bonjour, {{user}}.", "Ahoy."],
    "mes_example": "<START>\n{{user}}: Hi\n{{char}}: Hello!",
}


def card(**more: Any) -> dict[str, str]:
    return {"characters/Ada.json": json.dumps({"spec": "chara_card_v3", "data": CARD | more})}


def told(*messages: Any, mode: Mode = Mode.CHAT, **more: Any) -> ChatRequest:
    return chat(*messages, persona=Persona(mode=mode, character="Ada", user_name="Bo", **more))


TOP = (
    "Countess knows Bo.\n\nPersonality: curious\n\nScenario: A salon.\n\n"
    "[Example of dialogue]\nBo: Hi\nCountess: Hello!\n\n"
)


async def test_every_text_of_a_card_has_its_place(tmp_path: Path) -> None:
    async with built(tmp_path, card()) as builder:
        assert await prompt_of(builder, told(user("One."))) == f"{TOP}Countess: Good day.\nBo: One.\nCountess:"


@pytest.mark.parametrize(("index", "greeting"), [(0, "Good day."), (1, "Bonjour, Bo."), (2, "Ahoy."), (9, "Good day.")])
async def test_a_chat_begins_with_the_greeting_of_that_number(tmp_path: Path, index: int, greeting: str) -> None:
    async with built(tmp_path, card()) as builder:
        assert f"Countess: {greeting}\nBo: Hi." in await prompt_of(builder, told(user("Hi."), greeting_index=index))


async def test_a_context_of_the_request_stands_for_all_of_it(tmp_path: Path) -> None:
    async with built(tmp_path, card()) as builder:
        text = await prompt_of(builder, told(user("Hi."), context="At sea.", greeting="", bot_name="Ada"))
    assert text == "At sea.\n\nBo: Hi.\nAda:"


@pytest.mark.parametrize(
    ("prompt", "own", "top"),
    [
        ("Be {{char}}. {{original}}", "", "Be Countess. Default."),
        ("Be {{char}}. {{original}}", "Asked {{user}}.", "Be Countess. Asked {{user}}."),
        ("Be {{char}}.", "", "Be Countess."),
    ],
)
async def test_a_system_prompt_takes_the_place_of_the_programs(tmp_path: Path, prompt: str, own: str, top: str) -> None:
    async with built(tmp_path, card(system_prompt=prompt), custom_system_message="Default.") as builder:
        messages = [*([system(own)] if own else []), user("Hi.")]
        text = await prompt_of(builder, told(*messages))
    assert text == f"{top}\n\n{TOP}Countess: Good day.\nBo: Hi.\nCountess:"


async def test_what_a_client_asks_for_stays_beside_a_system_prompt(tmp_path: Path) -> None:
    async with built(tmp_path, card(system_prompt="Be kind.")) as builder:
        text = await prompt_of(builder, told(system("Rule."), user("Hi.")))
    assert text.startswith("Be kind.\n\nCountess knows")
    assert "Hello!\nRule.\n\n" in text


@pytest.mark.parametrize("mode", [Mode.CHAT, Mode.CHAT_INSTRUCT])
async def test_instructions_after_the_history_are_the_last_words(tmp_path: Path, mode: Mode) -> None:
    note = {"depth_prompt": {"prompt": "It rains on {{user}}.", "depth": 1, "role": "system"}}
    files = card(post_history_instructions="{{original}} Be brief, {{char}}.", extensions=note)
    async with built(tmp_path, files) as builder:
        text = await prompt_of(builder, told(user("One."), bot("Two."), user("Three."), mode=mode))
        assert "Countess: Two.\nIt rains on Bo.\nBo: Three.\nBe brief, Countess." in text
        later = await prompt_of(
            builder,
            chat(user("One."), bot("Two"), persona=told(user("x"), mode=mode).persona, continue_last=True),
        )
    assert later.endswith("Two")
    assert later.index("Be brief") < later.index("Two")


async def test_what_a_model_has_read_stays_the_beginning(tmp_path: Path) -> None:
    files = card(description="{{random:a,b,c,d,e}} {{roll:d1000}} {{pick:x,y,z}}")
    async with built(tmp_path, files) as builder:
        first = await prompt_of(builder, told(user("One.")))
        later = await prompt_of(builder, told(user("One."), bot("Two."), user("Three.")))
        other = await prompt_of(builder, told(user("Another.")))
    assert later.startswith(first)
    assert first.split("\n")[0] != other.split("\n")[0]


def test_notes_leave_calls_and_their_results_together() -> None:
    call = text_message(Role.ASSISTANT, "")
    called = [user("a"), call, text_message(Role.TOOL, "5"), text_message(Role.TOOL, "6")]
    note = Note(0, Role.SYSTEM, "note")
    assert [each.text for each in with_notes(called, [note], start=0, continues=False)] == ["a", "note", "", "5", "6"]
    rows = [system("top"), user("a"), bot("b")]
    for depth, place in ((0, 3), (1, 2), (2, 1), (50, 1)):
        noted = with_notes(rows, [Note(depth, Role.USER, "note")], start=1, continues=False)
        assert [each.text for each in noted].index("note") == place
