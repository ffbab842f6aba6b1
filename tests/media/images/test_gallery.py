"""The gallery: names as older versions wrote them, bounded listings, settings, deleting, foreign names."""

import json
import re
import struct
import zlib
from pathlib import Path

import pytest

from modules.errors import BadRequest, NotFound
from modules.media.images.gallery import ImageGallery
from modules.media.images.metadata import TEXT_KEY, settings_of, settings_text
from modules.media.images.requests import ImageFormat


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(text: bytes = b"", kind: bytes = b"tEXt") -> bytes:
    texts = chunk(kind, text) if text else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + texts + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")


def test_files_have_the_names_that_older_versions_gave(tmp_path: Path) -> None:
    gallery = ImageGallery(tmp_path)
    name = gallery.save(png(), ImageFormat.PNG, 42, 3, {"image_seed": 42})
    assert re.fullmatch(r"\d{4}-\d\d-\d\d/TGW_\d\d-\d\d-\d\d_0000000042_003\.png", name)
    assert gallery.path_of(name).read_bytes() == png()
    # The file does not say how it was made: another one beside it does.
    assert gallery.settings(name)["image_seed"] == 42
    assert gallery.save(png(), ImageFormat.PNG, 42, 3, {}) != name


def test_pages_are_bounded_and_newest_first(tmp_path: Path) -> None:
    for day in ("2026-01-01", "2026-01-02"):
        (tmp_path / day).mkdir()
        for second in range(3):
            (tmp_path / day / f"TGW_10-00-0{second}_0000000001_000.png").write_bytes(png())
    (tmp_path / "2026-01-02" / "notes.txt").write_text("x")
    (tmp_path / "other").mkdir()
    gallery = ImageGallery(tmp_path)
    first = gallery.page(0, 4)
    assert first.has_more
    assert [name[:10] for name in first.names] == ["2026-01-02"] * 3 + ["2026-01-01"]
    assert first.names[0].endswith("10-00-02_0000000001_000.png")
    rest = gallery.page(4, 4)
    assert len(rest.names) == 2
    assert not rest.has_more
    assert gallery.page(100, 4).names == ()


def test_deleting_takes_the_settings_along(tmp_path: Path) -> None:
    gallery = ImageGallery(tmp_path)
    name = gallery.save(b"jpeg", ImageFormat.JPEG, 1, 0, {"image_seed": 1})
    gallery.delete([name])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    with pytest.raises(NotFound):
        gallery.delete([name])


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/passwd", "2026-01-01/../../x.png", "2026-01-01\\x.png", "a.txt", "", "%2e%2e/x.png"]
)
def test_names_do_not_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    gallery = ImageGallery(tmp_path / "images")
    with pytest.raises((BadRequest, NotFound)):
        gallery.path_of(name)


@pytest.mark.parametrize("kind", [b"tEXt", b"iTXt"])
def test_settings_are_read_from_either_kind_of_text(kind: bytes) -> None:
    text = json.dumps({"image_prompt": "a tree", "image_seed": 5, "nested": {"x": 1}}).encode()
    between = b"\0" if kind == b"tEXt" else b"\0\0\0\0\0"
    assert settings_of(png(TEXT_KEY.encode() + between + text, kind)) == {"image_prompt": "a tree", "image_seed": 5}


def test_what_anybody_may_have_written_does_no_harm() -> None:
    whole = png(TEXT_KEY.encode() + b"\0" + settings_text({"image_prompt": "x"}).encode())
    assert settings_of(whole)["image_prompt"] == "x"
    for end in range(len(whole) - 20):
        settings_of(whole[:end])
    assert settings_of(png(TEXT_KEY.encode() + b"\0[1]")) == {}
    assert settings_of(png(TEXT_KEY.encode() + b"\0" + b"[" * 100_000)) == {}
    assert settings_of(b"\x89PNG\r\n\x1a\n" + b"\xff" * 100) == {}
