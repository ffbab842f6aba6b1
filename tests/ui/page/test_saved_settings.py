"""What the page remembers: checked at once, written soon, by those who are alone with it."""

from pathlib import Path

import pytest

from modules.errors import SettingsError
from modules.settings.file import read_settings_file
from modules.settings.values import Settings
from modules.ui.page import saved_settings
from modules.ui.page.saved_settings import SavedSettings


def memory(folder: Path, **settings: object) -> SavedSettings:
    return SavedSettings(Settings(user_data_dir=folder).with_changes(settings))


async def test_a_change_is_written_when_the_page_closes(tmp_path: Path) -> None:
    page = memory(tmp_path)
    assert page.remember({"temperature": 0.3, "top_k": 0}).temperature == 0.3
    assert page.settings.temperature == 0.3
    await page.aclose()
    assert read_settings_file(tmp_path / "settings.yaml") == {"temperature": 0.3}


async def test_a_change_is_written_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_settings, "_QUIET_SECONDS", 0.0)
    page = memory(tmp_path)
    page.remember({"mode": "chat"})
    saving = page._saving
    assert saving is not None
    await saving
    assert read_settings_file(tmp_path / "settings.yaml") == {"mode": "chat"}
    await page.aclose()


async def test_what_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    page = memory(tmp_path)
    with pytest.raises(SettingsError):
        page.remember({"temperature": -1, "top_k": 5})
    assert page.settings.top_k == 0
    await page.aclose()
    assert not (tmp_path / "settings.yaml").exists()


async def test_other_keys_of_the_file_stay(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("gallery-open: true\n", encoding="utf-8")
    page = memory(tmp_path)
    page.remember({"seed": 5})
    await page.aclose()
    assert "gallery-open: true" in (tmp_path / "settings.yaml").read_text(encoding="utf-8")


async def test_visitors_are_not_remembered(tmp_path: Path) -> None:
    page = memory(tmp_path, multi_user=True)
    assert page.remember({"temperature": 0.3}).temperature == 0.3
    assert page.settings.temperature == 1.0
    await page.aclose()
    assert not (tmp_path / "settings.yaml").exists()
