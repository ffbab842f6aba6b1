"""User profiles."""

import pytest
import yaml

from modules.errors import BadRequest
from modules.library.library import Library
from modules.library.users import User
from modules.paths import UserData
from tests.library.names import CANARY, HOSTILE, write_old

JPEG = b"\xff\xd8\xff\xe0rest"


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:20]))
def test_hostile_names_are_refused(library: Library, name: str) -> None:
    for act in (
        lambda: library.users.read(name),
        lambda: library.users.save(name, User("x")),
        lambda: library.users.delete(name),
    ):
        with pytest.raises(BadRequest) as refusal:
            act()
        assert refusal.value.param == "user"
        assert CANARY not in refusal.value.message


def test_a_profile(library: Library, data: UserData) -> None:
    write_old(data.users / "Me.yaml", "name: Zoë\nuser_bio: |\n  Likes tea.\n")
    (data.users / "Me.jpg").write_bytes(JPEG)
    assert library.users.read("Me") == User("Zoë", "Likes tea.", data.users / "Me.jpg")
    assert library.users.names() == ["Me"]


def test_an_edit_is_seen_at_once(library: Library, data: UserData) -> None:
    write_old(data.users / "Me.yaml", "name: before")
    assert library.users.read("Me").name == "before"
    (data.users / "Me.yaml").write_text("name: after!", encoding="utf-8")
    assert library.users.read("Me").name == "after!"


def test_the_default_needs_no_file_and_no_name(library: Library, data: UserData) -> None:
    assert library.users.read("Default") == User("You")
    write_old(data.users / "Default.yaml", "user_bio: b")
    assert library.users.read("Default") == User("You", "b")
    with pytest.raises(BadRequest, match="There are: Default"):
        library.users.read("Nobody")


def test_saved_read_and_deleted(library: Library, data: UserData) -> None:
    library.users.save("Me", User("Zoë", "one\ntwo"), picture=JPEG)
    stored = yaml.safe_load((data.users / "Me.yaml").read_text(encoding="utf-8"))
    assert stored == {"name": "Zoë", "user_bio": "one\ntwo"}
    assert library.users.read("Me") == User("Zoë", "one\ntwo", data.users / "Me.jpg")
    library.users.delete("Me")
    assert list(data.users.iterdir()) == []


def test_a_bad_file_is_named_with_the_place(library: Library, data: UserData) -> None:
    write_old(data.users / "Me.yaml", "name: x\nuser_bio: [\n")
    with pytest.raises(BadRequest, match=r"Me\.yaml is not valid YAML \(line 3\)"):
        library.users.read("Me")
