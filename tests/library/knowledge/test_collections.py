"""Folders of documents: which names and files count, and that nothing outside is reached."""

from pathlib import Path

import pytest

from modules.errors import BadRequest
from modules.library.knowledge.collections import Collections

BAD_NAMES = ("../x", "..", "", "a/b", "C:\\x", "%2e%2e%2f", "\0", "x" * 5000, ".hidden")


@pytest.fixture
def collections(tmp_path: Path) -> Collections:
    return Collections(tmp_path / "knowledge")


def test_files_below_any_folder_are_listed(collections: Collections, tmp_path: Path) -> None:
    collections.create("manual")
    deep = tmp_path / "knowledge" / "manual" / "part one"
    deep.mkdir()
    (deep / "a.md").write_text("x")
    (deep / "a.exe").write_text("x")
    (deep / ".hidden.md").write_text("x")
    collections.add("manual", "b.txt", b"words")
    assert [(file.path, file.size) for file in collections.files("manual")] == [("b.txt", 5), ("part one/a.md", 1)]
    assert collections.names() == ["manual"]


def test_links_that_lead_out_are_left_out(collections: Collections, tmp_path: Path) -> None:
    collections.create("manual")
    (tmp_path / "secret.txt").write_text("canary")
    (tmp_path / "knowledge" / "manual" / "link.txt").symlink_to(tmp_path / "secret.txt")
    assert collections.files("manual") == []
    with pytest.raises(BadRequest):
        collections.file("manual", "link.txt")


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_lead_out_are_refused(collections: Collections, tmp_path: Path, name: str) -> None:
    canary = tmp_path / "canary.md"
    canary.write_text("x")
    collections.create("manual")
    for act in (
        lambda: collections.create(name),
        lambda: collections.delete(name),
        lambda: collections.files(name),
        lambda: collections.add("manual", f"{name}/../x", b""),
        lambda: collections.remove("manual", f"{name}/../../../canary.md"),
    ):
        with pytest.raises(BadRequest):
            act()
    assert canary.read_text() == "x"
    assert collections.names() == ["manual"]


@pytest.mark.parametrize("name", ["run.exe", "x.pth", "settings", "x.py/../y"])
def test_other_kinds_of_files_are_not_taken(collections: Collections, name: str) -> None:
    collections.create("manual")
    with pytest.raises(BadRequest):
        collections.add("manual", name, b"x")


def test_an_unknown_collection_names_those_there_are(collections: Collections) -> None:
    collections.create("manual")
    with pytest.raises(BadRequest, match=r"did you mean manual.*There are: manual"):
        collections.files("manuel")


def test_a_deleted_collection_is_gone(collections: Collections) -> None:
    collections.create("manual")
    collections.add("manual", "a.txt", b"x")
    collections.remove("manual", "a.txt")
    assert collections.files("manual") == []
    collections.delete("manual")
    assert collections.names() == []
