"""What the page remembers: checked at once, written soon, by those who are alone with it."""

from pathlib import Path

import pytest

from modules.errors import SettingsError
from modules.models.recommended_sampling import RecommendedSampling, recommended_for
from modules.sampling import Sampling
from modules.settings.file import read_settings_file
from modules.settings.values import Settings
from modules.ui.page import saved_settings
from modules.ui.page.saved_settings import SavedSettings


def memory(folder: Path, **settings: object) -> SavedSettings:
    return SavedSettings(Settings(user_data_dir=folder).with_changes(settings))


async def test_a_change_is_written_when_the_page_closes(tmp_path: Path) -> None:
    page = memory(tmp_path)
    assert page.remember({"max_new_tokens": 30, "seed": -1}).max_new_tokens == 30
    assert page.settings.max_new_tokens == 30
    await page.aclose()
    assert read_settings_file(tmp_path / "settings.yaml") == {"max_new_tokens": 30}


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
        page.remember({"temperature": -1, "tfs": 0.5})
    assert page.settings.tfs == 1
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
    assert page.settings.temperature == 0.7
    await page.aclose()
    assert not (tmp_path / "settings.yaml").exists()


def _recommended(name: str | None, is_thinking: bool) -> RecommendedSampling:
    return recommended_for(name or "SmolLM2-360M-Instruct", None, is_thinking=is_thinking)


def follower(folder: Path, **values: object) -> SavedSettings:
    found = read_settings_file(folder / "settings.yaml")
    return SavedSettings(Settings.model_validate({"user_data_dir": folder, **found, **values}), _recommended)


async def test_recommended_values_are_used_and_never_saved(tmp_path: Path) -> None:
    page = follower(tmp_path)
    sampling = page.settings.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.min_p) == (0.2, 0.9, 0, 0.0)
    # What the page shows comes back with every event, also when it was recommended for the model before.
    shown = {"temperature": 0.2, "top_p": 0.8, "top_k": 20, "min_p": 0}
    assert page.remember(shown).sampling == sampling
    assert page.remember(shown, model="Qwen3-8B-Q4_K_M.gguf").sampling.temperature == 0.6
    assert page.remember({**shown, "enable_thinking": False}, model="Qwen3-8B-Q4_K_M.gguf").sampling.top_p == 0.8
    await page.aclose()
    assert read_settings_file(tmp_path / "settings.yaml") == {"enable_thinking": False}


async def test_value_set_by_hand_stays_whatever_the_model_and_after_a_restart(tmp_path: Path) -> None:
    page = follower(tmp_path)
    assert page.set_by_hand("temperature", 1.0).temperature == 1.0
    # Nothing has it in its table, so somebody typed it and sent at once.
    assert page.remember({"top_k": 17}).top_k == 17
    await page.aclose()
    again = follower(tmp_path)
    assert again.follows_model
    assert again.own_sampling == ("temperature", "top_k")
    values = again.remember({"temperature": 1.0, "top_k": 17, "top_p": 0.9}, model="Qwen3-8B")
    assert (values.temperature, values.top_k, values.top_p) == (1.0, 17, 0.95)
    assert again.follow_model().temperature == 0.2
    await again.aclose()


@pytest.mark.parametrize("name", ["temperature", "preset", "dry_multiplier"])
async def test_saved_sampling_of_older_versions_stays_as_it_is(tmp_path: Path, name: str) -> None:
    value = {"temperature": 0.4, "preset": "Mine", "dry_multiplier": 0.8}[name]
    page = follower(tmp_path, **{name: value})
    assert not page.follows_model
    assert page.settings == Settings(user_data_dir=tmp_path).with_changes({name: value})
    assert page.remember({"temperature": 0.2, "top_p": 0.9}).temperature == 0.2
    await page.aclose()


async def test_neutral_samplers_stay_neutral_after_a_restart(tmp_path: Path) -> None:
    page = follower(tmp_path)
    assert page.leave_model({"preset": "", "temperature": 1.0}).sampling == Sampling()
    await page.aclose()
    assert follower(tmp_path).settings.sampling == Sampling()
