"""--prefix-repair as a flag and in settings.yaml."""

from pathlib import Path

import pytest

from modules.errors import SettingsError
from modules.requests import PREFIX_REPAIRS
from modules.settings.flags import parse
from modules.settings.values import Settings


def from_flags(*flags: str) -> tuple[str, ...]:
    return parse(flags, {}).prefix_repair


def test_times_are_rounded_only_where_it_is_asked_for() -> None:
    assert set(Settings().prefix_repair) == set(PREFIX_REPAIRS) - {"times"}


@pytest.mark.parametrize("flags", [("off",), ("",)])
def test_all_of_it_can_be_off(flags: tuple[str, ...]) -> None:
    assert from_flags("--prefix-repair", *flags) == ()


def test_a_list_is_read_in_both_ways() -> None:
    assert from_flags("--prefix-repair", "tools,json") == from_flags("--prefix-repair", "tools", "json")
    assert from_flags("--prefix-repair=times") == ("times",)


def test_what_there_is_not_is_named() -> None:
    with pytest.raises(SettingsError, match=r"prefix-repair.* off, or a list of names among billing"):
        from_flags("--prefix-repair", "dates")


@pytest.mark.parametrize("written", ["off", "[]", '"off"'])
def test_a_file_can_say_off(tmp_path: Path, written: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(f"prefix_repair: {written}\n")
    assert parse(("--settings", str(path)), {}).prefix_repair == ()
