"""Characters come in as other programs give them away, and a file that means harm leaves no trace."""

import base64
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import pytest
from PIL import Image

from modules.errors import BadRequest
from modules.library.characters.card import MAX_CARD_BYTES, MAX_FILE_BYTES
from modules.library.characters.character import Character
from modules.library.characters.containers import png_card_texts
from modules.library.characters.pictures import PNG_MAGIC
from modules.library.library import Library
from modules.paths import UserData

FIELDS = {"name": "Ada", "description": "A mathematician.", "first_mes": "Good day."}
CARD = {"spec": "chara_card_v2", "spec_version": "2.0", "data": FIELDS}
ADA = ("Ada", "A mathematician.", "Good day.")
OLD = {**CARD, "data": {**FIELDS, "description": "old text"}}
LORE = {"entries": [{"keys": [f"k{number}"], "content": "lore " * 80, "enabled": True} for number in range(7000)]}


def packed(card: object) -> bytes:
    return base64.b64encode(json.dumps(card).encode())


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*chunks: bytes) -> bytes:
    """Of one pixel, with `chunks` before it."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    return b"".join((PNG_MAGIC, head, *chunks, chunk(b"IDAT", zlib.compress(bytes(4))), chunk(b"IEND", b"")))


def plain(text: bytes, key: bytes = b"chara") -> bytes:
    return chunk(b"tEXt", key + b"\0" + text)


def picture(form: str, **more: Any) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(content, form, **more)
    return content.getvalue()


def commented(form: str, comment: bytes) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = comment
    return picture(form, exif=exif)


def charx(card: object, files: Mapping[str, bytes] | None = None, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        archive.writestr("card.json", card if isinstance(card, bytes) else json.dumps(card))
        for name, each in (files or {}).items():
            archive.writestr(name, each)
    return content.getvalue()


def with_assets(*assets: Mapping[str, str]) -> dict[str, object]:
    return {"spec": "chara_card_v3", "spec_version": "3.0", "data": {**FIELDS, "assets": list(assets)}}


def icon(uri: str, name: str = "main", kind: str = "icon") -> dict[str, str]:
    return {"type": kind, "name": name, "ext": "png", "uri": uri}


def imported(library: Library, file_name: str, content: bytes) -> Character:
    return library.characters.read(library.characters.import_file(file_name, content))


def texts(character: Character) -> tuple[str, str, str]:
    return character.name, character.context, character.greeting


@pytest.mark.parametrize(
    "content",
    [
        png(plain(packed(CARD))),
        png(plain(packed(CARD), b"Chara")),
        png(plain(base64.encodebytes(json.dumps(CARD).encode()))),
        png(plain(base64.encodebytes(json.dumps(CARD).encode()).replace(b"\n", b"\r\n"))),
        png(plain(packed(CARD).rstrip(b"="))),
        png(plain(json.dumps(CARD).encode())),
        png(chunk(b"zTXt", b"chara\0\0" + zlib.compress(packed(CARD)))),
        png(chunk(b"iTXt", b"chara\0\0\0\0\0" + packed(CARD))),
        png(chunk(b"iTXt", b"chara\0\0\0en\0Figur\0" + packed(CARD))),
        png(chunk(b"iTXt", b"ccv3\0\1\0\0\0" + zlib.compress(packed(CARD)))),
        png(plain(packed(OLD)), plain(packed(CARD), b"ccv3")),
        png(plain(packed(CARD), b"ccv3"), plain(packed(OLD))),
        png(chunk(b"zTXt", b"ccv3\0\0" + zlib.compress(packed(CARD))), plain(packed(OLD))),
        png(plain(packed(OLD)), plain(packed(CARD))),
        png(plain(b"not base64!", b"ccv3"), plain(packed(CARD))),
        png(plain(packed(CARD)), plain(packed([1]), b"ccv3")),
        png(chunk(b"zTXt", b"ccv3\0\0damaged"), plain(packed(CARD))),
        png(plain(packed(CARD))[:-4] + b"\0\0\0\0"),
        png(plain(packed(CARD)), b"\xff\xff\xff\xfftEXtchara"),
    ],
)
def test_pictures_carry_characters_in_every_kind_of_text(library: Library, content: bytes) -> None:
    found = imported(library, "a.png", content)
    assert texts(found) == ADA
    assert found.picture is not None
    # What the picture carries would be out of date with the first change.
    kept = found.picture.read_bytes()
    assert kept.startswith(png()[:33])
    assert list(png_card_texts(kept, limit=9)) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (png(chunk(b"zTXt", b"chara\0\0damaged")), "damaged"),
        (png(chunk(b"iTXt", b"chara\0\1\0\0\0damaged")), "damaged"),
        (png(chunk(b"iTXt", b"chara")), "damaged"),
        (png(chunk(b"zTXt", b"chara\0\0" + zlib.compress(bytes(2 * MAX_CARD_BYTES)))), "larger than 16 MiB"),
        (png(chunk(b"zTXt", b"chara\0\0" + zlib.compress(packed("x" * (MAX_CARD_BYTES + 9))))), "larger than 16 MiB"),
        (png(plain(packed({"spec": "chara_card_v2", "data": {**FIELDS, "description": {"a": 1}}}))), "must be text"),
        (png(), "without a character"),
    ],
)
def test_pictures_that_carry_none_say_why(library: Library, data: UserData, content: bytes, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        library.characters.import_file("a.png", content)
    assert list(data.characters.iterdir()) == []


TEXT = json.dumps(CARD).encode()


@pytest.mark.parametrize(
    "comment",
    [
        TEXT,
        b"ASCII\0\0\0" + TEXT,
        bytes(8) + TEXT,
        b"UNICODE\0" + TEXT.decode().encode("utf-16-be"),
        b"ASCII\0\0\0" + ",".join(map(str, TEXT)).encode(),
        b"ASCII\0\0\0" + base64.b64encode(TEXT),
    ],
)
@pytest.mark.parametrize("form", ["WEBP", "JPEG"])
def test_webp_and_jpeg_carry_them_in_a_comment(library: Library, comment: bytes, form: str) -> None:
    content = commented(form, comment)
    found = imported(library, f"a.{form.lower()}", content)
    assert texts(found) == ADA
    assert found.picture is not None
    with Image.open(found.picture) as shown:
        assert (shown.format, shown.size) == ({"WEBP": "PNG", "JPEG": "JPEG"}[form], (8, 8))


def test_webp_carries_them_in_xmp_too(library: Library) -> None:
    old = f'<x:xmpmeta><rdf:Description st:chara="{packed(OLD).decode()}"/>'
    new = f"<st:ccv3>{packed(CARD).decode()}</st:ccv3></x:xmpmeta>"
    assert texts(imported(library, "a.webp", picture("WEBP", xmp=(old + new).encode()))) == ADA


@pytest.mark.parametrize("form", ["WEBP", "JPEG"])
@pytest.mark.parametrize("comment", [b"", b"a nice day", b"1,2", b"UNICODE\0\xd8"])
def test_photographs_are_no_characters(library: Library, data: UserData, form: str, comment: bytes) -> None:
    for content in (commented(form, comment), picture(form)[:20]):
        with pytest.raises(BadRequest):
            library.characters.import_file("a.webp", content)
    assert list(data.characters.iterdir()) == []


ICON = "assets/icon/image/main.png"


@pytest.mark.parametrize(
    ("assets", "files"),
    [
        ([icon(f"embeded://{ICON}")], {ICON: png()}),
        ([icon(f"embedded://{ICON}")], {ICON: png()}),
        ([icon("embeded://other.png", "other"), icon(f"embeded://{ICON}")], {ICON: png(), "other.png": b"other"}),
        ([icon("embeded://b.png", "main", "background"), icon(f"embeded://{ICON}", "x")], {ICON: png(), "b.png": b"b"}),
        ([icon("embeded://gone.png"), icon(f"embeded://{ICON}", "second")], {ICON: png()}),
        ([icon("https://example.com/a.png"), icon(f"embeded://{ICON}", "second")], {ICON: png()}),
        ([icon("data:image/png;base64," + base64.b64encode(png()).decode())], {}),
    ],
)
@pytest.mark.parametrize("before", [b"", picture("JPEG")])
def test_archives_hold_the_character_and_its_icon(
    library: Library, assets: list[dict[str, str]], files: dict[str, bytes], before: bytes
) -> None:
    found = imported(library, "a.jpeg" if before else "a.charx", before + charx(with_assets(*assets), files))
    assert texts(found) == ADA
    assert found.picture is not None
    assert found.picture.read_bytes() == png()


def test_an_icon_in_webp_becomes_png(library: Library) -> None:
    found = imported(library, "a.charx", charx(with_assets(icon("embeded://i.webp")), {"i.webp": picture("WEBP")}))
    assert found.picture is not None
    assert found.picture.read_bytes().startswith(PNG_MAGIC)


def test_without_an_icon_the_picture_before_the_archive_is_shown(library: Library) -> None:
    photo, card = picture("JPEG"), charx(with_assets(icon("ccdefault:")))
    found = imported(library, "a.jpeg", photo + card)
    assert found.picture is not None
    assert found.picture.read_bytes() == photo
    for before in (b"", b"\xff\xd8\xff\xe0" + bytes(64) + b"\xff\xd9"):
        assert imported(library, "a.charx", before + card).picture is None


def test_an_empty_or_broken_icon_is_no_failure(library: Library) -> None:
    for content in (b"", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 "):
        found = imported(library, "a.charx", charx(with_assets(icon(f"embeded://{ICON}")), {ICON: content}))
        assert (texts(found), found.picture) == (ADA, None)


def tampered(content: bytes, before: bytes, after: bytes) -> bytes:
    assert before in content
    return content.replace(before, after)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (charx(CARD, {"../out.txt": b"x"}), "leads out"),
        (charx(CARD, {"assets/../../out.txt": b"x"}), "leads out"),
        (charx(CARD, {"/etc/passwd": b"x"}), "leads out"),
        (charx(CARD, {"C:\\evil.txt": b"x"}), "leads out"),
        (charx(CARD, {"\\\\host\\share": b"x"}), "leads out"),
        (charx(b" " * (MAX_CARD_BYTES + 1)), "larger than 16 MiB"),
        (charx(CARD, dict.fromkeys(map(str, range(10_001)), b""), zipfile.ZIP_STORED), "more than 10,000 files"),
        (charx(CARD)[:-30], "damaged"),
        (tampered(charx(CARD), b"card.json", b"bard.json"), "no card.json"),
        (tampered(charx(TEXT, method=zipfile.ZIP_STORED), b"mathematician", b"MATHEMATICIAN"), "damaged"),
        (charx(b"[1]"), "must hold"),
        (charx(b"\xfe\xff\xff"), "not UTF-8"),
        (charx(CARD) + bytes(MAX_FILE_BYTES), "larger"),
    ],
)
@pytest.mark.parametrize("before", [b"", picture("JPEG")])
def test_archives_that_mean_harm_are_refused(
    library: Library, data: UserData, content: bytes, reason: str, before: bytes
) -> None:
    with pytest.raises(BadRequest, match=reason) as refusal:
        library.characters.import_file("a.charx", before + content)
    assert refusal.value.param == "character"
    assert list(data.characters.iterdir()) == []


def test_an_archive_that_unpacks_to_a_gigabyte_is_refused(library: Library) -> None:
    bomb = charx(CARD, {f"{number}.bin": bytes(2**26) for number in range(2)})
    size = struct.pack("<I", 2**26)
    assert bomb.count(size) >= 4
    with pytest.raises(BadRequest, match="unpacks to more"):
        library.characters.import_file("a.charx", tampered(bomb, size, struct.pack("<I", 2**30)))


def test_what_an_entry_says_of_its_size_is_not_believed(library: Library) -> None:
    real = b" " * (MAX_CARD_BYTES + 1)
    content = tampered(charx(real), struct.pack("<I", len(real)), struct.pack("<I", 10))
    with pytest.raises(BadRequest):
        library.characters.import_file("a.charx", content)


@pytest.mark.parametrize("wrap", ["json", "png", "zTXt", "charx"])
def test_a_large_lorebook_is_no_obstacle(library: Library, wrap: str) -> None:
    card = {**CARD, "data": {**FIELDS, "character_book": LORE}}
    text = json.dumps(card).encode()
    assert len(text) > 3 * 2**20
    content = {
        "json": lambda: text,
        "png": lambda: png(plain(packed(card))),
        "zTXt": lambda: png(chunk(b"zTXt", b"chara\0\0" + zlib.compress(packed(card)))),
        "charx": lambda: charx(text),
    }[wrap]()
    assert texts(imported(library, "a.json", content)) == ADA


def test_a_large_card_in_the_folder_is_read(library: Library, data: UserData) -> None:
    text = json.dumps({**CARD, "data": {**FIELDS, "character_book": LORE}})
    (data.characters / "Big.json").write_text(text)
    assert texts(library.characters.read("Big")) == ADA


def test_texts_beyond_what_is_read_back_are_refused(library: Library, data: UserData) -> None:
    card = {**FIELDS, "description": "x" * (2**20 + 1)}
    with pytest.raises(BadRequest, match="larger than 1024 KiB"):
        library.characters.import_file("a.json", json.dumps(card).encode())
    assert list(data.characters.iterdir()) == []


@pytest.mark.parametrize(
    ("card", "name"),
    [
        ({"spec": "chara_card_v2", "data": {"name": "", "first_mes": "Hi"}}, "Lost Card"),
        ({"spec": "chara_card_v2", "data": {"name": "  ", "first_mes": "Hi"}}, "Lost Card"),
        ({"spec": "chara_card_v2", "data": {"name": None, "first_mes": "Hi"}}, "Lost Card"),
        ({"spec": "chara_card_v2", "data": {"first_mes": "Hi"}}, "Lost Card"),
        ({"spec": "chara_card_v3", "data": {"name": "", "nickname": "Nick", "first_mes": "Hi"}}, "Nick"),
        ({"name": "Outside", "spec": "chara_card_v2", "data": {"name": "", "first_mes": "Hi"}}, "Outside"),
        ({"data": {"name": "Ada", "first_mes": "Hi"}}, "Ada"),
        ({"data": {"first_mes": "Hi"}}, "Lost Card"),
        ({"name": "", "first_mes": "Hi"}, "Lost Card"),
        ({"name": [], "first_mes": "Hi"}, "Lost Card"),
        ({"description": "d", "first_mes": "Hi"}, "Lost Card"),
        ({"char_name": "", "char_greeting": "Hi"}, "Lost Card"),
        ({"name": 42, "first_mes": "Hi"}, "42"),
        ({"name": "Ada", "data": None, "first_mes": "Hi"}, "Ada"),
        ({"name": "Ada", "data": {"other": 1}, "first_mes": "Hi"}, "Ada"),
        ({"spec": "chara_card_v2", "name": "Ada", "first_mes": "Hi"}, "Ada"),
    ],
)
@pytest.mark.parametrize("wrap", ["Lost Card.json", "Lost Card.png", "Lost Card.charx", "Lost Card.yaml"])
def test_a_character_without_a_name_is_called_as_its_file(library: Library, card: object, name: str, wrap: str) -> None:
    text = json.dumps(card).encode()
    contents = {".png": png(plain(base64.b64encode(text))), ".charx": charx(text)}
    found = imported(library, wrap, contents.get(PurePath(wrap).suffix, text))
    assert (found.name, found.greeting) == (name, "Hi")


def test_a_nickname_is_kept_beside_the_placeholders(library: Library) -> None:
    card = {"spec": "chara_card_v3", "data": {**FIELDS, "nickname": "Countess", "first_mes": "I am {{char}}, <BOT>."}}
    found = imported(library, "a.json", json.dumps(card).encode())
    assert texts(found) == ("Ada", "A mathematician.", "I am {{char}}, <BOT>.")
    assert found.nickname == "Countess"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["one", "two"], "one\ntwo"),
        (["one", None, 2, {}], "one\n2"),
        ([], ""),
        ({}, ""),
        (None, ""),
        (False, ""),
        (7, "7"),
        (1.5, "1.5"),
        ("half \ud83d and whole \ud83d\ude00", "half \ufffd and whole 😀"),
    ],
)
def test_what_stands_where_a_text_is_expected(library: Library, value: object, text: str) -> None:
    for card in ({"name": "N", "first_mes": value}, {"spec": "x", "data": {"name": "N", "first_mes": value}}):
        assert imported(library, "a.json", json.dumps(card).encode()).greeting == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("file", ["a.json", "a.yaml"])
def test_encodings_of_editors(library: Library, encoding: str, file: str) -> None:
    text = (
        '{"name": "Zoë", "first_mes": "Good\nday 😀"}'
        if file == "a.json"
        else "name: Zoë\ngreeting: |\n  Good\n  day 😀\n"
    )
    found = imported(library, file, text.encode(encoding))
    assert (found.name, found.greeting) == ("Zoë", "Good\nday 😀")


def test_yaml_holds_cards_too(library: Library) -> None:
    text = b"spec: chara_card_v2\ndata:\n  name: Ada\n  description: A mathematician.\n  first_mes: Good day.\n"
    assert texts(imported(library, "a.yml", text)) == ADA
