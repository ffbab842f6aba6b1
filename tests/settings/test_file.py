"""settings.yaml: what is read from it and what is written back."""

from pathlib import Path

import pytest
import yaml

from modules.errors import SettingsError
from modules.settings.file import read_settings_file, save_settings
from modules.settings.values import Settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.yaml"


def test_no_file_holds_no_settings(file: Path) -> None:
    assert read_settings_file(file) == {}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_file_holds_no_settings(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    assert read_settings_file(file) == {}


def test_keys_are_read_in_every_spelling(file: Path) -> None:
    file.write_text("api-port: 1\nctx_size: 2\nn_ctx: 3\nopenai-debug: 1\n", encoding="utf-8-sig")
    assert read_settings_file(file) == {"api_port": 1, "ctx_size": 3, "openai_debug": 1}


def test_a_key_without_a_value_is_absent(file: Path) -> None:
    file.write_text("api_port:\nmodel: null\n", encoding="utf-8")
    assert read_settings_file(file) == {}


def test_unknown_keys_are_ignored_with_one_warning(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text("api_prot: 1\nqqqqqq: 2\nsettings: x\ngallery-items_per_page: 50\napi_port: 5\n", encoding="utf-8")
    assert read_settings_file(file) == {"api_port": 5}
    assert caplog.messages == [
        "settings.yaml: keys that are ignored: "
        "api_prot (did you mean api_port?), qqqqqq, settings (works only as a flag)"
    ]


def test_a_file_with_known_keys_brings_no_warning(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text("api_port: 5\nopenai-embedding_model: m\n", encoding="utf-8")
    read_settings_file(file)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"api_port: 1\nb: [1, 2\napi_key: topsecret\n", r"not valid YAML in line \d"),
        (b"- a\n- b\n", "must hold one"),
        (b"just text\n", "must hold one"),
        (b"model: \xff\xfe\n", "cannot be read"),
        (b"!!python/object/apply:os.getcwd []\n", "not valid YAML"),
    ],
)
def test_a_broken_file_is_an_error_that_shows_none_of_it(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=message) as failure:
        read_settings_file(file)
    assert "topsecret" not in failure.value.message


def test_a_folder_in_its_place_is_an_error(file: Path) -> None:
    file.mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings_file(file)


def test_saving_writes_only_what_differs_from_the_default(file: Path) -> None:
    save_settings(file, Settings(temperature=0.5, top_k=0, listen=True), ["temperature", "top_k"])
    assert yaml.safe_load(file.read_text(encoding="utf-8")) == {"temperature": 0.5}


def test_saving_keeps_what_it_does_not_know_or_was_not_told_to_change(file: Path) -> None:
    file.write_text("dark_theme: true\ngallery-open: false\napi-port: 5001\ntop-k: 3\nn_ctx: 9\n", encoding="utf-8")
    save_settings(file, Settings(top_k=4, ctx_size=8192), ["top_k", "ctx_size"])
    saved = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert saved == {"dark_theme": True, "gallery-open": False, "api-port": 5001, "top_k": 4}


def test_what_is_saved_is_read_back_as_it_was(file: Path) -> None:
    settings = Settings.model_validate(
        {
            "extensions": ("eins", "zwei, drei"),
            "tensor_split": (3.0, 1.0),
            "dry_sequence_breakers": ("\n", ","),
            "flash_attn": "off",
            "model": "Ünï: yes # no",
            "model_dir": Path("m o"),
            "openai_embedding_model": "e",
            "api_key": "12345",
            "idle_timeout": 0.5,
        }
    )
    save_settings(file, settings, settings.explicit)
    assert Settings.model_validate(read_settings_file(file)) == settings
    assert "openai-embedding_model: e" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["user_data_dir", "settings", "nonsense"])
def test_what_the_file_cannot_hold_is_not_saved(file: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} cannot be saved"):
        save_settings(file, Settings(), [name])
    assert not file.exists()


def test_a_broken_file_is_not_overwritten(file: Path) -> None:
    file.write_text("a: [", encoding="utf-8")
    with pytest.raises(SettingsError):
        save_settings(file, Settings(top_k=4), ["top_k"])
    assert file.read_text(encoding="utf-8") == "a: ["
