"""A character keeps all that its card holds, is given away with all of it, and says what changes nothing here."""

import base64
import copy
import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from modules.library.characters.character import Character
from modules.library.characters.containers import png_card_texts
from modules.library.characters.export import card_file, json_file, yaml_file
from modules.library.library import Library
from modules.paths import UserData
from tests.library.test_character_cards import charx, icon, packed, plain, png

ENTRY = {
    "keys": ["harbour", "quay"],
    "content": "@@depth 2\n@@role user\n@@unknown_one 3\nThe harbour is frozen.",
    "extensions": {"position": 4, "depth": 7, "probability": 50, "sticky": 3, "vectorized": True},
    "enabled": True,
    "insertion_order": 12,
    "case_sensitive": True,
    "use_regex": False,
    "constant": False,
    "name": "Harbour",
    "priority": 9,
    "id": 4,
    "comment": "winter",
    "selective": True,
    "secondary_keys": ["ship"],
    "position": "after_char",
    "of_its_own": {"deep": [1, 2.5, None]},
}
BOOK = {
    "name": "The coast",
    "description": "What is where",
    "scan_depth": 6,
    "token_budget": 300,
    "recursive_scanning": False,
    "extensions": {"x": 1},
    "entries": [ENTRY, {**ENTRY, "keys": ["/sn[eo]w/i"], "use_regex": True, "content": "White."}],
}
DATA: dict[str, Any] = {
    "name": "Ada",
    "description": "{{char}} is a mathematician.\n\nShe likes engines.",
    "personality": "curious",
    "scenario": "A salon in London.",
    "first_mes": "Good day, {{user}}.",
    "mes_example": "<START>\n{{user}}: Hi\n{{char}}: Hello!",
    "creator_notes": "Be kind.",
    "system_prompt": "{{original}} Stay in character.",
    "post_history_instructions": "One paragraph.",
    "alternate_greetings": ["Bonjour.", "Ahoy!\nAye."],
    "group_only_greetings": ["Hello all."],
    "tags": ["history", "maths"],
    "creator": "Nobody",
    "character_version": "1.2",
    "nickname": "Countess",
    "creator_notes_multilingual": {"de": "Sei nett."},
    "source": ["https://example.com/ada"],
    "creation_date": 1700000000,
    "modification_date": 1700000001,
    "assets": [icon("ccdefault:"), icon("https://example.com/sad.png", "sad", "emotion")],
    "extensions": {"talkativeness": "0.5", "chub": {"id": 5}, "depth_prompt": {"prompt": "Rain.", "depth": 4}},
    "character_book": BOOK,
    "of_the_future": {"a": [1]},
}
CARD = {"spec": "chara_card_v3", "spec_version": "3.0", "data": DATA}


def read_back(library: Library, file: str, content: bytes) -> Character:
    return library.characters.read(library.characters.import_file(file, content))


@pytest.mark.parametrize("wrap", ["a.json", "a.png", "a.charx", "a.yaml"])
def test_a_card_comes_out_as_it_went_in(library: Library, wrap: str) -> None:
    text = json.dumps(CARD).encode()
    contents = {"a.json": text, "a.png": png(plain(base64.b64encode(text), b"ccv3")), "a.charx": charx(text)}
    found = read_back(library, wrap, contents.get(wrap, yaml.safe_dump(json.loads(text)).encode()))
    assert json.loads(json_file(found)) == CARD
    third, second = png_card_texts(card_file(found, png(plain(packed({"name": "stale"})))), limit=2**20)
    assert json.loads(base64.b64decode(third)) == CARD
    old = json.loads(base64.b64decode(second))
    assert (old["spec"], old["data"]["first_mes"]) == ("chara_card_v2", "Good day, {{user}}.")
    assert "nickname" not in old["data"]
    assert [entry["content"] for entry in old["data"]["character_book"]["entries"]] == [
        "The harbour is frozen.",
        "White.",
    ]


def test_the_second_version_is_kept_with_what_stands_beside_it(library: Library) -> None:
    data = {key: DATA[key] for key in ("name", "description", "first_mes", "tags", "extensions")}
    card = {
        "spec": "chara_card_v2",
        "spec_version": "2.0",
        "data": data,
        "name": "Ada",
        "fav": True,
        "create_date": "x",
    }
    given = json.loads(json_file(read_back(library, "a.json", json.dumps(card).encode())))
    assert {key: given["data"][key] for key in data} == data
    assert (given["fav"], given["create_date"], "name" in given) == (True, "x", False)


def test_the_texts_stand_in_a_file_that_people_and_other_programs_read(library: Library, data: UserData) -> None:
    read_back(library, "a.json", json.dumps(CARD).encode())
    kept = yaml.safe_load((data.characters / "Ada.yaml").read_text("utf-8"))
    assert list(kept)[:3] == ["name", "greeting", "context"]
    assert kept["context"] == DATA["description"]
    assert kept["alternate_greetings"] == DATA["alternate_greetings"]
    assert "character_book" not in kept
    assert json.loads((data.characters / "cards" / "Ada.json").read_text("utf-8"))["data"]["character_book"] == BOOK
    assert library.characters.names() == ["Ada"]


def test_what_is_written_by_hand_stays_where_it_stands(library: Library, data: UserData) -> None:
    path = data.characters / "Ada.yaml"
    path.write_text(
        "name: Ada\ncontext: old\ncolour: blue\ncharacter_book:\n  entries:\n  - keys: [a]\n    content: b\n"
    )
    found = library.characters.read("Ada")
    assert found.book is not None
    library.characters.save("Ada", replace(found, context="new"))
    assert yaml.safe_load(path.read_text("utf-8")) == {"name": "Ada", "context": "new", "colour": "blue"}
    again = library.characters.read("Ada")
    assert (again.book, dict(again.more)) == (found.book, {"colour": "blue"})


def test_our_own_export_is_read_again(library: Library) -> None:
    found = read_back(library, "a.json", json.dumps(CARD).encode())
    again = read_back(library, "b.yaml", yaml_file(found))
    assert replace(again, picture=None, more=found.more) == found


def test_deleting_leaves_nothing_and_saving_brings_all_of_it_back(library: Library, data: UserData) -> None:
    found = read_back(library, "a.json", json.dumps(CARD).encode())
    library.characters.delete("Ada")
    assert list((data.characters / "cards").iterdir()) == []
    library.characters.save("Ada", found)
    assert library.characters.read("Ada") == found


def test_a_file_that_comes_twice_is_known_and_replaces_or_stands_beside(library: Library) -> None:
    characters, text = library.characters, json.dumps(CARD).encode()
    first = characters.opened_file("a.json", text)
    assert (first.file, first.is_taken, first.is_same) == ("Ada", False, False)
    characters.add(first)
    assert characters.opened_file("b.json", text).is_same
    characters.save("Ada", replace(characters.read("Ada"), voice="af_heart"))
    changed = copy.deepcopy(CARD)
    changed["data"]["personality"] = "stern"  # type: ignore[index]
    newer = characters.opened_file("c.json", json.dumps(changed).encode())
    assert (newer.is_taken, newer.is_same) == (True, False)
    assert characters.add(newer, replaces=True) == "Ada"
    replaced = characters.read("Ada")
    assert (replaced.personality, replaced.voice) == ("stern", "af_heart")
    assert characters.add(newer) == "Ada_001"
    assert characters.names() == ["Ada", "Ada_001"]


def test_what_changes_nothing_is_said(library: Library) -> None:
    card = copy.deepcopy(CARD)
    card["data"]["assets"] += [icon("embeded://a.mp3", "song", "x_sound")]  # type: ignore[index]
    used, kept, lost = _in_parts(library.characters.opened_file("a.charx", charx(card)).notes)
    assert used == ["2 alternate greetings", "2 lorebook entries", "system prompt", "post-history instructions"]
    for name in ("1 group greeting", "1 asset", "chub", "of_the_future", "vector search", "@@unknown_one"):
        assert name in kept
    assert "depth_prompt" not in kept
    assert "1 picture or sound" in lost
    assert library.characters.opened_file("a.json", b'{"name": "Bo", "first_mes": "Hi"}').notes == ()


def _in_parts(notes: tuple[str, ...]) -> tuple[list[str], str, str]:
    *used, kept, lost = notes
    return used, kept, lost
