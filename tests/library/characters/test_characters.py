"""Characters come from files and go to files."""

import base64
import json
import stat
import zlib
from pathlib import Path

import pytest
import yaml

from modules.errors import BadRequest
from modules.library.characters.character import Character
from modules.library.characters.export import card_file, yaml_file
from modules.library.library import Library
from modules.paths import UserData
from tests.library.names import CANARY, HOSTILE, write_old

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff\xe0rest"


def chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)


def card(content: object, key: bytes = b"chara") -> bytes:
    text = key + b"\0" + base64.b64encode(json.dumps(content).encode())
    return PNG + chunk(b"IHDR", bytes(13)) + chunk(b"tEXt", text) + chunk(b"IEND", b"")


def put(data: UserData, name: str, text: str | bytes) -> Path:
    path = data.characters / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:20]))
def test_hostile_names_read_write_and_delete_nothing(library: Library, data: UserData, name: str) -> None:
    before = sorted(data.root.rglob("*"))
    for act in (
        lambda: library.characters.read(name),
        lambda: library.characters.save(name, Character("x"), picture=JPEG),
        lambda: library.characters.delete(name),
    ):
        with pytest.raises(BadRequest) as refusal:
            act()
        assert refusal.value.param == "character"
        assert CANARY not in refusal.value.message
    assert sorted(data.root.rglob("*")) == before


def test_first_of_the_suffixes(library: Library, data: UserData) -> None:
    for suffix in ("json", "yaml", "yml"):
        put(data, f"A.{suffix}", json.dumps({"name": suffix}))
        assert library.characters.read("A").name == suffix
    assert library.characters.names() == ["A"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"name": "N", "context": " c ", "greeting": "g"}, Character("N", "c", "g")),
        ({"bot": "N", "user": "U"}, Character("N", user_name="U")),
        ({"<|bot|>": "N", "<|user|>": "U"}, Character("N", user_name="U")),
        ({"name": "N", "your_name": "U", "greeting": None}, Character("N", user_name="U")),
        ({"name": 42, "context": 3.5}, Character("42", "3.5")),
        ({"name": "N", "context": "c", "example_dialogue": "d"}, Character("N", "c\nd")),
        (
            {
                "char_name": "N",
                "char_persona": "kind",
                "char_greeting": "g",
                "world_scenario": "rain",
                "example_dialogue": "N: hi",
            },
            Character("N", "N's Persona: kind\nScenario: rain\nN: hi", "g"),
        ),
        (
            {
                "spec": "chara_card_v2",
                "data": {"name": "N", "description": "kind", "scenario": "rain", "mes_example": "m", "first_mes": "f"},
            },
            Character("N", "kind", "f", scenario="rain", examples="m"),
        ),
    ],
)
@pytest.mark.parametrize("suffix", ["yaml", "yml", "json"])
def test_keys_of_all_times(library: Library, data: UserData, content: object, expected: Character, suffix: str) -> None:
    put(data, f"A.{suffix}", json.dumps(content) if suffix == "json" else yaml.safe_dump(content))
    assert library.characters.read("A") == expected


@pytest.mark.parametrize("picture", ["png", "jpg", "jpeg"])
def test_the_picture_stands_beside(library: Library, data: UserData, picture: str) -> None:
    put(data, "v1.5.yaml", "name: N")
    assert library.characters.read("v1.5").picture is None
    path = put(data, f"v1.5.{picture}", PNG)
    assert library.characters.read("v1.5").picture == path


def test_a_picture_that_links_out_is_none(library: Library, data: UserData) -> None:
    put(data, "A.yaml", "name: N")
    (data.characters / "A.png").symlink_to(data.root / "canary.png")
    assert library.characters.read("A").picture is None


def test_an_edit_is_seen_at_once(library: Library, data: UserData) -> None:
    write_old(data.characters / "A.yaml", "name: before")
    assert library.characters.read("A").name == "before"
    (data.characters / "A.yaml").write_text("name: after!", encoding="utf-8")
    assert library.characters.read("A").name == "after!"


def test_the_default_is_there_without_a_file_and_as_the_file_says(library: Library, data: UserData) -> None:
    assert library.characters.read("Assistant").name == "AI"
    put(data, "Assistant.yaml", "name: Mine")
    assert library.characters.read("Assistant").name == "Mine"


def test_an_unknown_name_is_told_what_there_is(library: Library, data: UserData) -> None:
    put(data, "Ada.yaml", "name: Ada")
    with pytest.raises(BadRequest, match=r"'ada'; did you mean Ada\? There are: Ada\.") as refusal:
        library.characters.read("ada")
    assert refusal.value.param == "character"


@pytest.mark.parametrize(
    ("file", "text", "place"),
    [
        ("A.yaml", "name: N\ncontext: [\n", "A.yaml is not valid YAML (line 3)"),
        ("A.json", '{"name": "N",\n}', "A.json is not valid JSON (line 2)"),
        ("A.yaml", "just text", "A.yaml must hold"),
        ("A.yaml", "greeting: hi\n", "A.yaml holds no character"),
        ("A.yaml", "name: N\ncontext:\n- a\n", "A.yaml: `context` must be text"),
        ("A.yaml", "name: N\n# \xff", "A.yaml is not UTF-8 text (line 2)"),
    ],
)
def test_a_bad_file_is_named_with_the_place(library: Library, data: UserData, file: str, text: str, place: str) -> None:
    put(data, file, text.encode("latin-1"))
    with pytest.raises(BadRequest) as refusal:
        library.characters.read("A", param="bot")
    assert place in refusal.value.message
    assert refusal.value.param == "bot"


def test_saving_writes_what_there_is_to_say(library: Library, data: UserData) -> None:
    library.characters.save("A", Character("N", "one\n\ntwo: #2", ""))
    path = data.characters / "A.yaml"
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == {"name": "N", "context": "one\n\ntwo: #2"}
    assert "context: |" in path.read_text(encoding="utf-8")
    assert library.characters.read("A") == Character("N", "one\n\ntwo: #2")


def test_saving_replaces_the_file_that_is_read(library: Library, data: UserData) -> None:
    path = put(data, "A.yml", "name: old")
    path.chmod(0o640)
    library.characters.save("A", Character("new"))
    assert library.characters.read("A").name == "new"
    assert [each.name for each in data.characters.iterdir()] == ["A.yml"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_character_saved_over_json_is_what_is_read(library: Library, data: UserData) -> None:
    put(data, "A.json", '{"name": "old"}')
    library.characters.save("A", Character("new"))
    assert library.characters.read("A").name == "new"


def test_a_new_picture_replaces_one_in_another_format(library: Library, data: UserData) -> None:
    library.characters.save("A", Character("N"), picture=card({}))
    library.characters.save("A", Character("N"), picture=JPEG)
    assert library.characters.read("A").picture == data.characters / "A.jpg"
    assert not (data.characters / "A.png").exists()


def test_only_pictures_are_pictures(library: Library, data: UserData) -> None:
    for content in (b"<svg onload=alert(1)>", b"", JPEG + bytes(16 * 2**20)):
        with pytest.raises(BadRequest):
            library.characters.save("A", Character("N"), picture=content)
    assert list(data.characters.iterdir()) == []


@pytest.mark.parametrize("name", ["evil.py", "x.bat", "__init__.py", "A.pth"])
def test_saving_makes_no_file_of_another_kind(library: Library, data: UserData, name: str) -> None:
    library.characters.save(name, Character("N"))
    assert [path.name for path in data.characters.iterdir()] == [f"{name}.yaml"]
    assert library.characters.read(name).name == "N"


def test_deleting_takes_the_picture_too(library: Library, data: UserData) -> None:
    library.characters.save("A", Character("N"), picture=JPEG)
    library.characters.save("AB", Character("N"), picture=JPEG)
    library.characters.delete("A")
    assert library.characters.names() == ["AB"]
    assert len(list(data.characters.iterdir())) == 2
    with pytest.raises(BadRequest, match="no character named 'A'"):
        library.characters.delete("A")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("x.yaml", b"name: Zo\xc3\xab\ncontext: c\ngreeting: g\n"),
        ("x.json", json.dumps({"char_name": "Zoë", "context": "c", "char_greeting": "g"}).encode()),
        ("x.txt", json.dumps({"name": "Zoë", "context": "c", "greeting": "g"}).encode()),
    ],
)
def test_files_are_imported(library: Library, file: str, content: bytes) -> None:
    assert library.characters.import_file(file, content) == "Zoë"
    assert library.characters.read("Zoë") == Character("Zoë", "c", "g")


@pytest.mark.parametrize(
    "content",
    [
        {"name": "N", "description": "d", "first_mes": "f", "scenario": "s", "mes_example": "m"},
        {
            "spec": "chara_card_v2",
            "data": {"name": "N", "description": "d", "first_mes": "f", "scenario": "s", "mes_example": "m"},
        },
    ],
)
@pytest.mark.parametrize("key", [b"chara", b"ccv3"])
def test_cards_are_imported_with_their_picture(library: Library, data: UserData, content: object, key: bytes) -> None:
    png = card(content, key)
    assert library.characters.import_file("whatever.bin", png) == "N"
    picture = data.characters / "N.png"
    assert library.characters.read("N") == Character("N", "d", "f", picture=picture, scenario="s", examples="m")
    assert picture.read_bytes() == PNG + chunk(b"IHDR", bytes(13)) + chunk(b"IEND", b"")


def test_a_name_that_is_taken_gets_a_number(library: Library) -> None:
    names = [library.characters.import_file("a.yaml", b"name: N") for _ in range(3)]
    assert names == ["N", "N_001", "N_002"]
    assert library.characters.names() == names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/cron", "etc cron"),
        ("C:\\x", "C x"),
        ("..", "Character"),
        ("???", "Character"),
        ("a\x00b\nc", "a b c"),
        ("x" * 500, "x" * 100),
        (" .hidden. ", "hidden"),
        ("100% me", "100 me"),
    ],
)
def test_the_file_is_named_as_the_character_as_far_as_files_can_be(
    library: Library, data: UserData, name: str, expected: str
) -> None:
    assert library.characters.import_file("a.json", json.dumps({"name": name}).encode()) == expected
    assert [path.name for path in data.characters.iterdir()] == [f"{expected}.yaml"]
    assert library.characters.read(expected).name == name.strip()


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("../up/evil.yaml", b"name: [", "evil.yaml is not valid YAML (line 1)"),
        ("a.json", b"[]", "a.json must hold"),
        ("a.yaml", b"greeting: hi", "a.yaml holds no character"),
        ("a.yaml", b"\xff\xfe", "not UTF-8"),
        ("a.yaml", b"x" * (2**20 + 1), "larger"),
        ("a.png", PNG + chunk(b"IHDR", bytes(13)) + chunk(b"IEND", b""), "without a character"),
        ("a.png", PNG + chunk(b"tEXt", b"chara\0not base64!"), "not base64"),
        ("a.png", PNG + chunk(b"tEXt", b"chara\0" + base64.b64encode(b"{")), "not valid JSON"),
        ("a.png", PNG + b"\xff\xff\xff\xfftEXtchara", "without a character"),
        ("a.png", PNG + bytes(16 * 2**20), "larger"),
    ],
)
def test_what_holds_no_character_leaves_no_trace(
    library: Library, data: UserData, file: str, content: bytes, reason: str
) -> None:
    with pytest.raises(BadRequest) as refusal:
        library.characters.import_file(file, content)
    assert reason in refusal.value.message
    assert refusal.value.param == "character"
    assert list(data.characters.iterdir()) == []


def test_a_voice_stays_with_its_character(library: Library, data: UserData) -> None:
    library.characters.save("Ada", Character("Ada", "A mathematician.", voice="af_bella(2)+af_sky"))
    assert yaml.safe_load((data.characters / "Ada.yaml").read_text("utf-8"))["voice"] == "af_bella(2)+af_sky"
    assert library.characters.read("Ada").voice == "af_bella(2)+af_sky"
    picture = PNG + chunk(b"IHDR", bytes(13)) + chunk(b"IEND", b"")
    given = card_file(library.characters.read("Ada"), picture)
    again = library.characters.import_file("card.png", given)
    assert library.characters.read(again).voice == "af_bella(2)+af_sky"
    assert (
        library.characters.read(library.characters.import_file("a.yaml", yaml_file(Character("B", voice="x")))).voice
        == "x"
    )


@pytest.mark.parametrize("voice", [{"voice_id": "x", "provider": "y"}, ["a"], 3, None])
def test_voices_of_other_programs_are_none_of_ours(library: Library, voice: object) -> None:
    fields = {"name": "Bo", "description": "A man.", "extensions": {"voice": voice}}
    name = library.characters.import_file("x.png", card({"spec": "chara_card_v2", "data": fields}))
    assert library.characters.read(name).voice == ""
