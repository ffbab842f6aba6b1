"""A backend that is added at run time has everything: flag, key, menu, docs, list, estimate, refusal, a load."""

import sys
from functools import partial
from pathlib import Path

import gradio as gr
import pytest

from modules.errors import BadRequest, LoadFailed, SettingsError
from modules.models.gauge import SystemMemory
from modules.models.loading import launch_engine
from modules.models.options import LoadOptions
from modules.models.pool import ModelPool
from modules.models.roster import requested_spec
from modules.settings.document import settings_page
from modules.settings.flags import parse
from modules.settings.values import settings_with
from modules.ui.model.parameters import LoadParameters
from tests.backends.toy import WITH_TOY

KIND = settings_with(WITH_TOY)
MIB = 2**20


def test_toy_stays_small() -> None:
    assert len(Path(__file__).with_name("toy.py").read_text("utf-8").splitlines()) <= 60


async def test_options_become_flags_keys_fields_and_rows(tmp_path: Path) -> None:
    flags = ["--user-data-dir", str(tmp_path), "--toy-depth", "7", "--loader", "ToyBox"]
    assert parse(flags, {}, KIND).model_dump()["toy_depth"] == 7
    assert parse(flags, {}, KIND).loader == "toy"
    (tmp_path / "settings.yaml").write_text("toy-mood: wild\ndepth: 2\n", encoding="utf-8")
    stored = parse(["--user-data-dir", str(tmp_path)], {}, KIND).model_dump()
    assert (stored["toy_mood"], stored["toy_depth"]) == ("wild", 2)
    with pytest.raises(SettingsError, match="--toy-depth: '10' is not allowed"):
        parse(["--toy-depth", "10"], {}, KIND)
    assert "## Toy\n" in settings_page(KIND)
    assert "| `--toy-depth`<br>`--depth`<br>key `toy_depth` | `3` |" in settings_page(KIND)
    with gr.Blocks():
        parameters = LoadParameters(KIND())
    labels = {str(each.label) for each in parameters.components}
    assert {"Depth of play", "Toy mood"} <= labels
    assert ("toy", "toy") in parameters.loader.choices


async def test_toy_model_is_listed_estimated_refused_and_loaded(tmp_path: Path) -> None:
    (tmp_path / "m.toy").touch()
    settings = KIND.model_validate({"model_dir": tmp_path, "user_data_dir": tmp_path})
    command = (sys.executable, "-m", "tests.backends.toy")
    pool = ModelPool(settings, settings.user_data, partial(launch_engine, command=command))
    try:
        assert pool.list_models() == ["m.toy"]
        with pytest.raises(BadRequest, match="must be a whole number"):
            LoadOptions.parse({"toy_depth": "many"}, KIND)
        with pytest.raises(LoadFailed, match="too wild"):
            await pool.load("m", LoadOptions.parse({"toy_mood": "wild"}, KIND))
        options = LoadOptions.parse({"depth": 5}, KIND)
        needs = [
            SystemMemory(settings).need(requested_spec(pool._catalog, settings, "m", each)).host
            for each in (options, LoadOptions())
        ]
        assert needs[0] - needs[1] == 2 * MIB
        card = await pool.load("m", options)
        assert card.name == "m.toy"
    finally:
        await pool.aclose()
