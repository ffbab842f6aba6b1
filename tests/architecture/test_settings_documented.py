"""docs/SETTINGS.md is the settings as they are."""

from modules.settings.document import SETTINGS_PAGE, settings_page
from modules.settings.options import Option
from modules.settings.values import OPTIONS


def test_the_page_is_in_step_with_the_settings() -> None:
    assert SETTINGS_PAGE.read_text(encoding="utf-8") == settings_page(), "run: python -m modules.settings.document"


def test_every_setting_has_one_row_with_all_its_names() -> None:
    rows = [line for line in settings_page().splitlines() if line.startswith("| `--")]
    for option in OPTIONS.values():
        (row,) = [row for row in rows if row.startswith(f"| `{option.flag}`")]
        assert all(name in row for name in names(option)), option.name
        assert option.description in row


def names(option: Option) -> list[str]:
    return [*option.flags, option.negation or "", option.env, option.key if option.stored else ""]
