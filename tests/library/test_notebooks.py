"""Notebooks: kept as they are typed, under names that stay in their folder."""

import pytest

from modules.errors import BadRequest
from modules.library.notebooks import Notebooks
from modules.paths import UserData
from tests.library.names import CANARY, HOSTILE


@pytest.fixture
def notebooks(data: UserData) -> Notebooks:
    (data.root / "canary.txt").write_text(CANARY, encoding="utf-8")
    return Notebooks(data)


def test_what_is_saved_is_read(notebooks: Notebooks, data: UserData) -> None:
    notebooks.save("story", "Once\n\nupon ü")
    assert notebooks.read("story") == "Once\n\nupon ü"
    assert (data.notebook_logs / "story.txt").read_text("utf-8") == "Once\n\nupon ü"
    notebooks.save("story", "Twice")
    assert (notebooks.names(), notebooks.read("story")) == (["story"], "Twice")


def test_half_characters_do_not_stop_a_save(notebooks: Notebooks) -> None:
    notebooks.save("story", "a\ud800b")
    assert notebooks.read("story") == "a?b"


def test_new_ones_have_names_that_can_be_told_apart(notebooks: Notebooks) -> None:
    notebooks.save("untitled 3", "by hand")
    assert [notebooks.new() for _ in range(3)] == ["Untitled", "Untitled 2", "Untitled 4"]
    assert notebooks.read("Untitled 2")
    assert notebooks.read("untitled 3") == "by hand"


def test_renaming(notebooks: Notebooks) -> None:
    notebooks.save("a", "text")
    notebooks.save("other", "kept")
    assert notebooks.rename("a", " b ") == "b"
    assert notebooks.read("b") == "text"
    with pytest.raises(BadRequest, match="already") as caught:
        notebooks.rename("b", "other")
    assert caught.value.param == "name"
    assert notebooks.read("other") == "kept"
    assert notebooks.names() == ["b", "other"]


def test_deleting(notebooks: Notebooks) -> None:
    notebooks.save("a", "text")
    notebooks.delete("a")
    assert notebooks.names() == []
    with pytest.raises(BadRequest, match="no notebook named 'a'"):
        notebooks.read("a")


def test_sizes_are_bounded(notebooks: Notebooks) -> None:
    with pytest.raises(BadRequest, match="32 MiB"):
        notebooks.save("a", "x" * (2**25 + 1))
    assert notebooks.names() == []


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_in_the_folder(notebooks: Notebooks, data: UserData, name: str) -> None:
    notebooks.save("mine", "kept")
    before = sorted(data.root.rglob("*"))
    for act in (
        lambda: notebooks.read(name),
        lambda: notebooks.save(name, "x"),
        lambda: notebooks.delete(name),
        lambda: notebooks.rename(name, "x"),
        lambda: notebooks.rename("mine", f"../{name}"),
    ):
        with pytest.raises(BadRequest) as caught:
            act()
        assert CANARY not in caught.value.message
    assert sorted(data.root.rglob("*")) == before
