"""Which model a start begins with."""

import logging
from pathlib import Path
from typing import Any

import pytest

from modules.backends.base import read_options
from modules.backends.llamacpp.options import LlamaCppOptions, spec_of_draft
from modules.backends.registry import BACKENDS
from modules.engine.types import LoadSpec
from modules.errors import BadRequest, LoadFailed, SettingsError
from modules.models.catalog import Catalog
from modules.models.options import LoadOptions
from modules.models.roster import first_spec, requested_spec
from modules.settings.values import Settings
from tests.bert_file import write_bert


def start(folder: Path, **settings: Any) -> tuple[str, str, str] | None:
    spec = first_spec(Catalog(folder), Settings.model_validate(settings))
    return None if spec is None else (spec.name, spec.path, spec.loader)


def test_named_model(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").touch()
    (tmp_path / "b.gguf").touch()
    assert start(tmp_path, model="b.gguf") == ("b.gguf", str(tmp_path / "b.gguf"), "llama.cpp")


def test_operator_may_give_a_path(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "x.gguf"
    elsewhere.parent.mkdir()
    elsewhere.touch()
    assert start(tmp_path / "models", model=str(elsewhere)) == ("x.gguf", str(elsewhere), "llama.cpp")


def test_wrong_name_is_the_operators_error(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").touch()
    with pytest.raises(SettingsError, match=r"--model: .*did you mean a\.gguf"):
        start(tmp_path, model="aa.gguf")


def test_format_that_nobody_reads_is_the_operators_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SettingsError, match=r"--model: .*notes\.txt"):
        start(tmp_path, model=str(tmp_path / "notes.txt"))


def test_only_model_is_loaded_unasked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.gguf").touch()
    with caplog.at_level(logging.INFO):
        assert start(tmp_path) == ("a.gguf", str(tmp_path / "a.gguf"), "llama.cpp")
    assert "--model" in caplog.text


def test_of_several_models_none_is_guessed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.gguf").touch()
    (tmp_path / "b.gguf").touch()
    assert start(tmp_path) is None
    assert "there are 2" in caplog.text


def test_empty_folder_says_what_to_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert start(tmp_path) is None
    assert f"Put a {BACKENDS.formats} file there" in caplog.text
    assert "GGUF" in BACKENDS.formats


def test_scripted_loader_takes_any_name(tmp_path: Path) -> None:
    assert start(tmp_path, loader="scripted") == ("scripted", "", "scripted")
    assert start(tmp_path, loader="scripted", model="demo") == ("demo", "", "scripted")


def test_model_in_another_format_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").touch()
    with pytest.raises(LoadFailed, match="hf"):
        requested_spec(Catalog(tmp_path), Settings(), "hf", LoadOptions())


def folder_with_rules(tmp_path: Path, rules: str) -> Catalog:
    models = tmp_path / "models"
    models.mkdir()
    (models / "a.gguf").touch()
    (models / "config-user.yaml").write_text(rules, encoding="utf-8")
    return Catalog(models)


RULES = "a\\.gguf$:\n  ctx_size: 4096\n  n_gpu_layers: 3\n  threads: 2\n"


def test_stored_settings_apply_at_the_start(tmp_path: Path) -> None:
    catalog = folder_with_rules(tmp_path, RULES)
    spec = first_spec(catalog, Settings.model_validate({"user_data_dir": tmp_path, "threads": 5}))
    assert spec is not None
    assert (spec.context, spec.options["gpu_layers"], spec.options["threads"]) == (4096, 3, 5)


def test_a_request_goes_above_the_operator_and_he_above_what_is_stored(tmp_path: Path) -> None:
    catalog = folder_with_rules(tmp_path, RULES)
    settings = Settings.model_validate({"user_data_dir": tmp_path, "threads": 5, "gpu_layers": 9})
    spec = requested_spec(catalog, settings, "a.gguf", LoadOptions.parse({"threads": 6}))
    assert (spec.context, spec.options["gpu_layers"], spec.options["threads"]) == (4096, 9, 6)


def test_one_models_stored_settings_do_not_stay_for_the_next(tmp_path: Path) -> None:
    catalog = folder_with_rules(tmp_path, RULES)
    (tmp_path / "models" / "b.gguf").touch()
    settings = Settings.model_validate({"user_data_dir": tmp_path})
    requested_spec(catalog, settings, "a.gguf", LoadOptions())
    assert requested_spec(catalog, settings, "b.gguf", LoadOptions()).context == Settings().ctx_size


@pytest.mark.parametrize(("stored", "used"), [("scripted", "scripted"), ("Transformers", "llama.cpp")])
def test_the_stored_loader_is_used_where_there_is_one(tmp_path: Path, stored: str, used: str) -> None:
    catalog = folder_with_rules(tmp_path, f"a:\n  loader: {stored}\n")
    settings = Settings.model_validate({"user_data_dir": tmp_path})
    assert requested_spec(catalog, settings, "a.gguf", LoadOptions()).loader == used
    assert requested_spec(catalog, settings, "a", LoadOptions.parse({"loader": "llama.cpp"})).loader == "llama.cpp"


def test_stored_settings_that_cannot_be_read_end_a_start_with_the_place(tmp_path: Path) -> None:
    catalog = folder_with_rules(tmp_path, "a: {}\nb: [\n")
    with pytest.raises(SettingsError, match=r"config-user\.yaml.*line 3"):
        first_spec(catalog, Settings.model_validate({"user_data_dir": tmp_path}))


def draft_of(
    folder: Path, name: str | None = None, args: dict[str, object] | None = None, **settings: Any
) -> str | None:
    """The draft model that goes with what is loaded at start, or with the named model."""
    catalog, given = Catalog(folder), Settings.model_validate({"user_data_dir": folder / "none"} | settings)
    found = (
        first_spec(catalog, given)
        if name is None
        else requested_spec(catalog, given, name, LoadOptions.parse(args or {}))
    )
    return found.draft.name if found is not None and found.draft is not None else None


@pytest.fixture
def three(tmp_path: Path) -> Path:
    for name in ("big.gguf", "small.gguf", "other.gguf"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("main", ["big", "big.gguf"])
@pytest.mark.parametrize("draft", ["small", "small.gguf"])
def test_the_draft_model_is_that_of_the_main_one(three: Path, main: str, draft: str) -> None:
    assert draft_of(three, model=main, model_draft=draft) == "small.gguf"
    assert draft_of(three, "big.gguf", model=main, model_draft=draft) == "small.gguf"
    assert draft_of(three, "other.gguf", model=main, model_draft=draft) is None


def test_a_load_may_name_another_draft_model_or_none(three: Path) -> None:
    assert draft_of(three, "other", {"model_draft": "big"}, model="big", model_draft="small") == "big.gguf"
    assert draft_of(three, "big", {"model_draft": "none"}, model="big", model_draft="small") is None
    assert draft_of(three, "big", {"model_draft": None}, model="big", model_draft="small") == "small.gguf"


def test_how_the_draft_model_is_loaded(three: Path) -> None:
    args = {"model_draft": "small", "draft_max": 3, "ctx_size_draft": 512, "n_gpu_layers_draft": 0, "ctx_size": 4096}
    loaded = requested_spec(Catalog(three), Settings(), "big", LoadOptions.parse(args))
    assert loaded.draft is not None
    assert (loaded.draft.most, loaded.draft.context) == (3, 512)
    beside = spec_of_draft(loaded, read_options(LlamaCppOptions, loaded))
    assert beside is not None
    assert (beside.name, beside.path, beside.context) == ("small.gguf", str(three / "small.gguf"), 512)
    assert beside.options["gpu_layers"] == 0
    assert beside.draft is None


def test_without_a_main_model_the_draft_is_not_the_only_one(tmp_path: Path) -> None:
    for name in ("big.gguf", "small.gguf"):
        (tmp_path / name).touch()
    assert start(tmp_path, model_draft="small") == ("big.gguf", str(tmp_path / "big.gguf"), "llama.cpp")
    assert draft_of(tmp_path, model_draft="small") == "small.gguf"


@pytest.mark.parametrize(
    ("draft", "reason"), [("other.guf", r"did you mean other\.gguf"), ("bert", "does not write text")]
)
def test_wrong_draft_models_are_refused_before_anything_is_loaded(three: Path, draft: str, reason: str) -> None:
    write_bert(three / "bert.gguf")
    with pytest.raises(SettingsError, match=f"--model-draft: .*{reason}"):
        draft_of(three, model="big", model_draft=draft)
    with pytest.raises(BadRequest, match=f"--model-draft: .*{reason}") as refused:
        draft_of(three, "big", {"model_draft": draft})
    assert refused.value.param == "args.model_draft"


def test_what_guesses_is_chosen(three: Path) -> None:
    catalog, settings = Catalog(three), Settings.model_validate({"model": "big", "model_draft": "small"})

    def spec(**args: object) -> LoadSpec:
        return requested_spec(catalog, settings, "big", LoadOptions.parse(args))

    assert [spec(speculation=each).speculates for each in ("auto", "draft", "ngram", "off")] == [
        True,
        True,
        True,
        False,
    ]
    assert spec(spec_type="ngram-mod", draft=5).ngram_tokens == 5
    assert spec(spec_type="ngram-mod").draft is None
    assert spec(spec_type="none") == spec(speculation="off")
    with pytest.raises(BadRequest, match="needs a draft model"):
        requested_spec(catalog, Settings(), "big", LoadOptions.parse({"speculation": "draft"}))
