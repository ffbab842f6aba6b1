"""Entries of lorebooks stay, rest and wait for so many messages of the chat, which follow from its messages alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from modules.library.characters.export import card_file, json_file
from modules.library.library import Library
from modules.library.lorebooks.book import Position
from modules.library.lorebooks.formats import book_file, read_book
from modules.messages import Message, Role, ToolCall
from modules.paths import UserData
from modules.prompt.builder import PromptBuilder
from modules.requests import ChatRequest, Mode, Persona
from tests.library.test_character_cards import png
from tests.prompt.prompting import bot, built, chat, prompt_of, user

# Each message of the user's is answered, and every one before the last is in the history.
Script = list[str]


def entry(content: str, *keys: str, **more: Any) -> dict[str, Any]:
    """As SillyTavern's files have one."""
    return {"key": list(keys), "content": content, "order": 1, "position": 0, "scanDepth": 1} | more


def files(*entries: dict[str, Any], first: str = "", description: str = "") -> dict[str, str]:
    card = {"name": "Ann", "description": description, "first_mes": first}
    world = {"entries": {str(number): each for number, each in enumerate(entries)}}
    return {
        "characters/Ann.json": json.dumps({"spec": "chara_card_v2", "data": card}),
        "lorebooks/World.json": json.dumps(world),
    }


def told(*messages: Message, **more: Any) -> ChatRequest:
    persona = Persona(mode=Mode.CHAT, character="Ann", user_name="Bo", lorebooks=("World",))
    return chat(*messages, persona=persona, **more)


def conversation(script: Script) -> list[Message]:
    """The user's last message waits for its reply."""
    return [message for text in script for message in (user(text), bot("Aye."))][:-1]


async def played(builder: PromptBuilder, script: Script, *contents: str) -> list[str]:
    """For each turn of the script which of `contents` are in its prompt, as letters of their beginnings."""
    prompts = [await prompt_of(builder, told(*conversation(script[: turn + 1]))) for turn in range(len(script))]
    return ["".join(each[0] for each in contents if each in prompt) for prompt in prompts]


@pytest.mark.parametrize(
    ("rules", "script", "seen"),
    [
        # One message of the user's and one reply are two.
        ({}, ["cat", "x", "x"], ["L", "", ""]),
        ({"sticky": 2}, ["cat", "x", "x"], ["L", "", ""]),
        ({"sticky": 3}, ["cat", "x", "x"], ["L", "L", ""]),
        ({"sticky": 4}, ["x", "cat", "x", "x"], ["", "L", "L", ""]),
        # Found again while it stays, it stays no longer; afterwards it begins anew.
        ({"sticky": 3}, ["cat", "cat", "x", "cat", "x"], ["L", "L", "", "L", "L"]),
        ({"sticky": 3, "probability": 0, "useProbability": True}, ["cat", "x"], ["", ""]),
        ({"cooldown": 2}, ["cat", "cat", "cat"], ["L", "L", "L"]),
        ({"cooldown": 3}, ["cat", "cat", "cat", "cat"], ["L", "", "L", ""]),
        ({"cooldown": 5}, ["cat", "cat", "cat", "cat"], ["L", "", "", "L"]),
        ({"cooldown": 3, "constant": True}, ["a", "b", "c", "d"], ["L", "", "L", ""]),
        # It rests once it stays no longer.
        ({"sticky": 3, "cooldown": 3}, ["cat"] * 6, ["L", "L", "", "", "L", "L"]),
        ({"delay": 3}, ["cat", "cat"], ["", "L"]),
        ({"delay": 4, "constant": True}, ["x", "x", "x"], ["", "", "L"]),
        ({"delay": 3, "sticky": 3}, ["cat", "cat", "x", "x"], ["", "L", "L", ""]),
        ({"sticky": None, "cooldown": None, "delay": None}, ["cat", "x"], ["L", ""]),
    ],
)
async def test_how_long_an_entry_stays_rests_and_waits(
    tmp_path: Path, rules: dict[str, Any], script: Script, seen: list[str]
) -> None:
    async with built(tmp_path, files(entry("Lore.", "cat", **rules))) as builder:
        assert await played(builder, script, "Lore.") == seen


async def test_a_greeting_is_a_message(tmp_path: Path) -> None:
    rules = entry("Lore.", "cat", delay=2)
    async with built(tmp_path, files(rules, first="Hello.")) as builder:
        assert "Lore." in await prompt_of(builder, told(user("cat")))
        assert "Lore." in await prompt_of(builder, told(bot("Hello."), user("cat")))
    async with built(tmp_path, files(rules)) as builder:
        assert "Lore." not in await prompt_of(builder, told(user("cat")))
    # What the greeting says was answered by nobody.
    async with built(tmp_path, files(entry("Lore.", "cat", sticky=9), first="A cat.")) as builder:
        assert "Lore." not in await prompt_of(builder, told(bot("A cat."), user("x")))


async def test_a_reply_written_anew_or_in_a_branch_has_what_it_had(tmp_path: Path) -> None:
    rules = {"sticky": 3, "cooldown": 3}
    async with built(tmp_path, files(entry("Lore.", "cat", **rules))) as builder:
        whole = conversation(["cat", "x", "cat", "cat"])
        before = [await prompt_of(builder, told(*whole[:end])) for end in (1, 3, 5, 7)]
        assert [("Lore." in each) for each in before] == [True, True, False, False]
        # In any order, and after other ones: nothing is kept between them.
        for end, prompt in zip((7, 3, 5, 1), (before[3], before[1], before[2], before[0]), strict=True):
            assert await prompt_of(builder, told(*whole[:end])) == prompt
        # A branch in which the first message was another one.
        assert "Lore." in await prompt_of(builder, told(user("y"), bot("Aye."), *whole[4:5]))


async def test_a_reply_with_calls_of_tools_is_one_message(tmp_path: Path) -> None:
    call = bot("Wait.", tool_calls=(ToolCall("1", "roll", "{}"),))
    result = Message(role=Role.TOOL, parts=user("6").parts, tool_call_id="1", name="roll")
    async with built(tmp_path, files(entry("Lore.", "cat", sticky=3))) as builder:
        asked = [user("cat"), call, result]
        assert "Lore." in await prompt_of(builder, told(*asked))
        answered = [*asked, bot("Six."), user("x")]
        assert "Lore." in await prompt_of(builder, told(*answered))
        assert "Lore." not in await prompt_of(builder, told(*answered, bot("Aye."), user("x")))


async def test_a_reply_that_is_gone_on_with_has_what_it_began_with(tmp_path: Path) -> None:
    async with built(tmp_path, files(entry("Lore.", "cat", sticky=3), entry("Rest.", "cat", cooldown=9))) as builder:
        begun = [user("cat"), bot("Aye."), user("x"), bot("We")]
        prompt = await prompt_of(builder, told(*begun, continue_last=True))
        assert ("Lore." in prompt, "Rest." in prompt) == (True, False)


async def test_what_an_entry_found_stays_as_well(tmp_path: Path) -> None:
    entries = (
        entry("A crown.", "king"),
        entry("Gold.", "crown", sticky=3),
        entry("Never.", "crown", sticky=3, excludeRecursion=True),
        entry("Fish.", "sea"),
    )
    async with built(tmp_path, files(*entries)) as builder:
        seen = await played(builder, ["king", "x", "x"], "A crown.", "Gold.", "Never.")
        assert seen == ["AG", "G", ""]


async def test_one_of_a_group_that_stays_is_the_one(tmp_path: Path) -> None:
    entries = [entry(f"{name}.", "cat", group="g", sticky=5) for name in ("Oak", "Elm", "Fir")]
    async with built(tmp_path, files(*entries)) as builder:
        seen = await played(builder, ["cat", "cat", "x"], "Oak.", "Elm.", "Fir.")
        assert len(seen[0]) == 1
        assert seen == [seen[0]] * 3


async def test_outlets_stand_where_texts_name_them(tmp_path: Path) -> None:
    entries = (
        entry("Rain over {{user}}.", "cat", position=7, outletName="Weather", order=2),
        entry("{{outlet::Weather}}Wind.", "cat", position=7, outletName="Weather", comment="The wind"),
        entry("Unseen.", "cat", position=7, outletName="Elsewhere", comment="Nowhere"),
    )
    described = "Now: {{outlet::Weather}} [{{ outlet::weather }}]"
    async with built(tmp_path, files(*entries, description=described)) as builder:
        assert (await prompt_of(builder, told(user("cat")))).startswith("Now: Wind.\nRain over Bo. []\n")
        assert (await prompt_of(builder, told(user("x")))).startswith("Now:  []\n")


def test_cards_and_files_say_it_each_in_its_way_and_keep_it() -> None:
    own = entry("a", "k", sticky=3, cooldown=2, delay=1, position=7, outletName="O")
    more = {"sticky": 3, "cooldown": 2, "delay": 1, "position": 7, "outlet_name": "O"}
    in_card = {"keys": ["k"], "content": "a", "position": "before_char", "extensions": more}
    for entries in ({"0": own}, [in_card]):
        read = read_book({"entries": entries}, "a.json")
        (found,) = read.entries
        conditions = found.conditions
        assert (conditions.sticky, conditions.cooldown, conditions.delay) == (3, 2, 1)
        assert (found.position, found.outlet) == (Position.OUTLET, "O")
        assert read.unused == ()
        again = json.loads(book_file(read))
        assert (again.get("data") or again)["entries"] == entries
    assert read_book({"entries": [own | {"sticky": -4, "delay": "x"}]}, "a.json").entries[0].conditions.sticky == 0


@pytest.mark.parametrize("version", [2, 3])
def test_a_card_is_given_away_with_it(tmp_path: Path, version: int) -> None:
    more = {"sticky": 3, "cooldown": 2, "delay": 1, "position": 7, "outlet_name": "O"}
    inner = {"keys": ["k"], "content": "a", "enabled": True, "insertion_order": 1, "extensions": more}
    data = {"name": "Ann", "first_mes": "Hi.", "character_book": {"entries": [inner], "extensions": {}}}
    characters = Library(UserData(tmp_path)).characters
    card = json.dumps({"spec": f"chara_card_v{version}", "data": data}).encode()
    characters.add(characters.opened_file("Ann.json", card))
    character = characters.read("Ann")
    for file, content in (("a.json", json_file(character)), ("a.png", card_file(character, png()))):
        characters.add(characters.opened_file(file, content))
    assert len(characters.names()) == 3
    assert character.book is not None
    for name in characters.names():
        book = characters.read(name).book
        assert book is not None
        assert book.raw["entries"] == [inner]
        assert book.entries[0].conditions.cooldown == 2
