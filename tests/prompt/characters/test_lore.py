"""Entries of lorebooks join the prompt when their keys are said, in their place and as far as there is room."""

import json
from pathlib import Path
from typing import Any

import pytest

from modules.errors import BadRequest
from modules.library.lorebooks.book import Lorebook
from modules.library.lorebooks.formats import read_book
from modules.prompt.characters.lore import Lore, chosen_lore
from modules.prompt.characters.macros import Macros
from modules.prompt.characters.matching import Patterns
from modules.prompt.characters.scan import Scene
from modules.requests import ChatRequest, Mode, Persona
from tests.prompt.prompting import bot, built, chat, prompt_of, user


def entry(content: str, *keys: str, **more: Any) -> dict[str, Any]:
    return {"keys": list(keys), "content": content, "enabled": True, "insertion_order": 1, "extensions": {}} | more


def book(*entries: dict[str, Any], **more: Any) -> Lorebook:
    return read_book({"entries": list(entries)} | more, "a.json")


def scene(*texts: str, seed: str = "", greeting: int | None = None) -> Scene:
    macros = Macros(user="Bo", char="Ann", seed=seed, is_scan=True)
    return Scene(texts=texts, messages=len(texts), replies=len(texts) // 2, greeting=greeting, macros=macros)


async def found(asked: Lorebook, said: Scene, context: int = 10_000) -> Lore:
    async def words(text: str) -> int:
        return len(text.split())

    return await chosen_lore([asked], said, Patterns(), count=words, context=context)


async def texts(asked: Lorebook, *said: str, **more: Any) -> list[str]:
    lore = await found(asked, scene(*said, **more))
    return [each.content for each in lore.entries]


@pytest.mark.parametrize(
    ("rules", "said", "is_found"),
    [
        ({"keys": ["Cat"]}, "the cats sleep", True),
        ({"keys": ["Cat"], "case_sensitive": True}, "the cats sleep", False),
        ({"keys": ["cat"], "extensions": {"match_whole_words": True}}, "the cats sleep", False),
        ({"keys": ["cat"], "extensions": {"match_whole_words": True}}, "concat, cat!", True),
        ({"keys": ["dog", "sleep"]}, "the cats sleep", True),
        ({"keys": []}, "the cats sleep", False),
        ({"keys": [], "constant": True}, "", True),
        ({"keys": ["cat"], "enabled": False}, "cat", False),
        ({"keys": ["cat"], "selective": True, "secondary_keys": ["dog"]}, "cat", False),
        ({"keys": ["cat"], "selective": True, "secondary_keys": ["dog", "x"]}, "cat dog", True),
        ({"keys": ["cat"], "selective": False, "secondary_keys": ["dog"]}, "cat", True),
        ({"keys": ["cat"], "secondary_keys": ["dog"], "extensions": {"selectiveLogic": 2}}, "cat dog", False),
        ({"keys": ["cat"], "secondary_keys": ["a1", "b1"], "extensions": {"selectiveLogic": 3}}, "cat a1", False),
        ({"keys": ["cat"], "secondary_keys": ["a1", "b1"], "extensions": {"selectiveLogic": 1}}, "cat a1", True),
        ({"keys": ["/c[ao]t/i"]}, "COT", True),
        ({"keys": ["/c[ao]t/"]}, "COT", False),
        ({"keys": ["c[ao]t"], "use_regex": True}, "COT", True),
        ({"keys": ["c[aot"], "use_regex": True}, "c[aot", False),
        ({"keys": ["/home/user/x"]}, "cd /home/user/x", True),
        ({"keys": ["{{char}}"]}, "hello ann", True),
        ({"keys": ["cat"], "content": "@@exclude_keys dog, fox\nLore"}, "cat and fox", False),
        ({"keys": ["cat"], "content": "@@additional_keys dog, fox\nLore"}, "cat", False),
        ({"keys": ["cat"], "content": "@@additional_keys dog, fox\nLore"}, "cat and fox", True),
        ({"keys": ["cat"], "content": "@@dont_activate\nLore"}, "cat", False),
        ({"keys": [], "content": "@@activate\n@@dont_activate\nLore"}, "", True),
        ({"keys": ["cat"], "content": "@@not_known 1\n@@@dont_activate\nLore"}, "cat", False),
        ({"keys": ["cat"], "content": "@@depth x\n@@@not_known\n@@@dont_activate\nLore"}, "cat", False),
        ({"keys": ["cat"], "content": "@@depth 1\n@@@dont_activate\nLore"}, "cat", True),
        ({"keys": ["cat"], "content": "@@activate_only_after 1\nLore"}, "cat", False),
        ({"keys": ["cat"], "content": ""}, "cat", False),
    ],
)
async def test_when_an_entry_counts_as_found(rules: dict[str, Any], said: str, is_found: bool) -> None:
    asked = book(entry("Lore") | rules)
    assert await texts(asked, said) == (["Lore"] if is_found else [])


async def test_only_the_last_messages_are_searched() -> None:
    said = ("cat", "1", "2", "3", "4")
    assert await texts(book(entry("Lore", "cat")), *said) == []
    assert await texts(book(entry("Lore", "cat"), scan_depth=5), *said) == ["Lore"]
    assert await texts(book(entry("@@scan_depth 5\nLore", "cat"), scan_depth=1), *said) == ["Lore"]
    assert await texts(book(entry("@@keep_activate_after_match\nLore", "cat"), scan_depth=1), *said) == ["Lore"]
    assert await texts(book(entry("@@dont_activate_after_match\nLore", "cat")), "cat", "x", "cat") == []
    assert await texts(book(entry("Lore", "cat"), scan_depth=0), "cat") == []


async def test_entries_find_entries_where_the_book_says_so() -> None:
    chain = (entry("The king has a {{hidden_key:sword}}crown.", "king"), entry("Sharp.", "sword"), entry("No.", "fish"))
    assert await texts(book(*chain, recursive_scanning=True), "king") == [
        "The king has a {{hidden_key:sword}}crown.",
        "Sharp.",
    ]
    assert await texts(book(*chain, recursive_scanning=False), "king") == ["The king has a {{hidden_key:sword}}crown."]
    quiet = (entry("A sword.", "king", extensions={"prevent_recursion": True}), chain[1])
    deaf = (entry("A sword.", "king"), chain[1] | {"extensions": {"exclude_recursion": True}})
    for each in (quiet, deaf):
        assert await texts(book(*each), "king") == ["A sword."]
    later = (entry("A sword.", "king"), chain[1] | {"extensions": {"delay_until_recursion": True}})
    assert await texts(book(*later), "sword") == []
    assert await texts(book(*later), "king sword") == ["A sword.", "Sharp."]


async def test_the_lowest_priority_goes_first_where_room_lacks() -> None:
    entries = [entry(f"{name} x x x", "k", priority=priority) for name, priority in (("a", 1), ("b", 9), ("c", 5))]
    lore = await found(book(*entries, token_budget=8), scene("k"))
    assert [each.content[0] for each in lore.entries] == ["b", "c"]
    assert lore.left_out == ("k",)
    assert (await found(book(*entries, token_budget=0), scene("k"))).entries == ()
    assert len((await found(book(*entries), scene("k"), context=32)).entries) == 2


async def test_chances_are_drawn_once_for_a_chat() -> None:
    asked = book(entry("Lore", "k", extensions={"probability": 40, "useProbability": True}))
    drawn = [bool(await texts(asked, "k", seed=str(seed))) for seed in range(100)]
    assert 20 < sum(drawn) < 60
    assert drawn[:20] == [bool(await texts(asked, "k", "more", seed=str(seed))) for seed in range(20)]
    assert await texts(book(entry("Lore", "k", extensions={"probability": 0, "useProbability": False})), "k") == [
        "Lore"
    ]


async def test_one_entry_of_a_group_is_taken() -> None:
    entries = [entry(name, "k", extensions={"group": "g"}) for name in "abc"]
    one = await texts(book(*entries), "k")
    assert len(one) == 1
    assert len({tuple(await texts(book(*entries), "k", seed=str(seed))) for seed in range(30)}) == 3


async def test_the_greeting_decides() -> None:
    asked = book(entry("@@is_greeting 1\nLore", "k"))
    assert [await texts(asked, "k", greeting=number) for number in (0, 1, None)] == [[], ["Lore"], ["Lore"]]


async def test_an_expression_that_would_run_for_ever_is_given_up() -> None:
    evil = [entry(f"Evil {number}", f"/(a|a|aa)+{number}$/") for number in range(200)]
    lore = await found(book(*evil, entry("Good", "aaa")), scene("a" * 5000 + "!"))
    assert [each.content for each in lore.entries] == ["Good"]
    assert lore.too_slow


async def test_a_huge_book_is_searched_at_once() -> None:
    asked = book(*(entry(f"lore {number}", f"key{number}x", insertion_order=number) for number in range(4000)))
    lore = await found(asked, scene(*(f"word{number} " * 500 for number in range(8)), "key3999x and key7x"))
    assert [each.content for each in lore.entries] == ["lore 7", "lore 3999"]


WORLD = {
    "entries": {
        "0": {
            "uid": 0,
            "key": ["harbour"],
            "keysecondary": [],
            "comment": "The harbour",
            "content": "The harbour of {{user}} is frozen.",
            "constant": False,
            "selective": True,
            "order": 100,
            "position": 4,
            "depth": 1,
            "role": 1,
            "disable": False,
        },
        "1": {"uid": 1, "key": ["harbour"], "content": "Off.", "disable": True},
        "2": {"uid": 2, "key": [], "constant": True, "content": "Above.", "order": 5, "position": 0},
    }
}
CARD = {
    "spec": "chara_card_v3",
    "data": {
        "name": "Ann",
        "description": "A sailor.",
        "first_mes": "Hello.",
        "character_book": {"entries": [entry("She owns a {{random:cutter}}.", "harbour", position="after_char")]},
    },
}
FILES = {"characters/Ann.json": json.dumps(CARD), "lorebooks/World.json": json.dumps(WORLD)}


def told(*messages: Any, **more: Any) -> ChatRequest:
    persona = {"mode": Mode.CHAT, "character": "Ann", "user_name": "Bo", "lorebooks": ("World",)} | more
    return chat(*messages, persona=Persona(**persona))


async def test_books_of_the_character_and_of_the_user_stand_in_the_prompt(tmp_path: Path) -> None:
    async with built(tmp_path, FILES) as builder:
        text = await prompt_of(builder, told(user("To the harbour."), bot("Aye."), user("Go.")))
        assert text == (
            "Above.\n\nA sailor.\n\nShe owns a cutter.\n\nAnn: Hello.\nBo: To the harbour.\nAnn: Aye.\n"
            "Bo: The harbour of Bo is frozen.\nBo: Go.\nAnn:"
        )
        plain = "A sailor.\n\nAnn: Hello.\nBo: To the harbour.\nAnn:"
        assert await prompt_of(builder, told(user("To the harbour."), uses_lore=False)) == plain
        with pytest.raises(BadRequest, match="no lorebook named 'Wold'; did you mean World"):
            await prompt_of(builder, told(user("Hi."), lorebooks=("Wold",)))


async def test_settings_name_books_and_switch_them_off(tmp_path: Path) -> None:
    async with built(tmp_path, FILES, lorebooks=("World",)) as builder:
        assert (await prompt_of(builder, told(user("Hi."), lorebooks=None))).startswith("Above.")
        assert not (await prompt_of(builder, told(user("Hi."), lorebooks=()))).startswith("Above.")
    async with built(tmp_path, FILES, lorebooks=("World",), use_lorebooks=False) as builder:
        assert not (await prompt_of(builder, told(user("Hi."), lorebooks=None))).startswith("Above.")


@pytest.mark.parametrize("content", [{}, {"entries": 3}, {"spec": "lorebook_v3", "data": {}}, {"name": "Ann"}])
def test_what_is_no_lorebook_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="holds no lorebook"):
        read_book(content, "a.json")


def test_damaged_entries_do_not_hide_good_ones() -> None:
    damaged = [3, {"keys": 3, "content": ["x"]}, {"keys": "a, b", "content": "Good", "insertion_order": "x"}]
    read = read_book({"spec": "lorebook_v3", "data": {"entries": damaged, "scan_depth": "x"}}, "a.json")
    assert [(each.rules.keys, each.content) for each in read.entries] == [((), ""), (("a", "b"), "Good")]
