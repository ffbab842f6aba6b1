"""Names become files of one folder, or nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from modules.errors import BadRequest
from modules.library.folder import Folder
from tests.library.names import HOSTILE


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "things").mkdir()
    return Folder(tmp_path / "things", "thing", (".yml", ".yaml"))


def put(folder: Folder, *names: str) -> None:
    for name in names:
        (folder.path / name).touch()


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:20]))
def test_hostile_names_are_refused(folder: Folder, name: str) -> None:
    acts: tuple[Callable[[], object], ...] = (
        lambda: folder.find(name, param="thing"),
        lambda: folder.existing(name, param="thing"),
        lambda: folder.new(name, ".yaml", param="thing"),
        lambda: folder.delete(name, param="thing"),
    )
    for act in acts:
        with pytest.raises(BadRequest) as refusal:
            act()
        assert refusal.value.param == "thing"
        assert refusal.value.message.isascii()


def test_names_are_those_of_the_kind_without_suffix_each_once(folder: Folder) -> None:
    put(folder, "b.yaml", "A.yml", "A.yaml", "c.txt", ".hidden.yaml", "v1.5.yaml", "con.yaml")
    (folder.path / "folder.yaml").mkdir()
    assert folder.names() == ["A", "b", "v1.5"]


def test_what_is_listed_is_found(folder: Folder) -> None:
    put(folder, "a.yaml", "b.yaml.yaml", "c", "日本.yml", "d .yaml", "%41.yaml")
    assert [folder.existing(name) for name in folder.names()]
    assert "b.yaml" in folder.names()


def test_a_missing_folder_is_an_empty_one(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "nowhere", "thing", (".yaml",))
    assert folder.names() == []
    assert folder.find("a") is None
    with pytest.raises(BadRequest, match="none in the folder nowhere"):
        folder.existing("a")


def test_the_first_suffix_counts_and_one_may_be_given(folder: Folder) -> None:
    put(folder, "a.yml", "a.yaml")
    assert folder.existing("a").name == "a.yml"
    assert folder.existing("a.yaml").name == "a.yaml"


def test_an_unknown_name_is_told_what_there_is(folder: Folder) -> None:
    put(folder, *(f"number-{number:02}.yaml" for number in range(30)))
    with pytest.raises(BadRequest) as refusal:
        folder.existing("numbre-07", param="p")
    assert "did you mean number-07?" in refusal.value.message
    assert "number-19 and 10 more" in refusal.value.message
    assert "number-20" not in refusal.value.message
    assert refusal.value.param == "p"


def test_links_may_not_lead_out(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").touch()
    (folder.path / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    assert folder.names() == []
    with pytest.raises(BadRequest):
        folder.existing("link")
    with pytest.raises(BadRequest):
        folder.delete("link")
    assert (tmp_path / "secret.yaml").exists()


def test_deleting_takes_every_form_of_the_name_and_nothing_else(folder: Folder) -> None:
    put(folder, "a.yml", "a.yaml", "a.png", "a.txt", "ab.yaml")
    folder.delete("a.yaml", ".png")
    assert sorted(path.name for path in folder.path.iterdir()) == ["a.txt", "ab.yaml"]


def test_a_name_that_is_taken_gets_a_number(folder: Folder) -> None:
    assert folder.unused_name("a") == "a"
    put(folder, "A.yaml", "a_001.yml")
    assert folder.unused_name("a") == "a_002"


def test_renaming_keeps_the_file_and_takes_no_other_ones_place(folder: Folder) -> None:
    (folder.path / "a.yaml").write_text("1")
    (folder.path / "b.yaml").write_text("2")
    folder.rename("a", "c")
    assert (folder.path / "c.yaml").read_text() == "1"
    with pytest.raises(BadRequest, match="already"):
        folder.rename("c", "b")
    with pytest.raises(BadRequest):
        folder.rename("c", "../d")
    with pytest.raises(BadRequest, match="no thing"):
        folder.rename("a", "e")
    assert (folder.path / "b.yaml").read_text() == "2"
