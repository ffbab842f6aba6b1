"""What the picker tells browsers, and what it does for them."""

from contextlib import aclosing
from pathlib import Path

import pytest

from modules.errors import BadRequest, NotFound
from modules.models.gauge import GIB, Room
from modules.models.state import Status
from modules.ui.model.picker.picker import ModelPicker
from modules.ui.model.picker.suggestions import suggested
from tests.gguf_file import write_gguf
from tests.ui.open_page import open_page


def _model(folder: Path, name: str) -> None:
    (folder / "models").mkdir(exist_ok=True)
    write_gguf(folder / "models" / name, {"general.architecture": "llama"}, {})


async def test_rows_say_what_a_model_is(tmp_path: Path) -> None:
    _model(tmp_path, "Tiny-Q4_K_M.gguf")
    async with open_page(tmp_path) as page:
        told = await ModelPicker(page).listed()
    rows = {row["name"]: row for row in told["rows"]}
    assert rows["scripted"]["group"] == "loaded"
    assert rows["scripted"]["abilities"] == ["vision", "audio"]
    tiny = rows["Tiny-Q4_K_M.gguf"]
    assert (tiny["title"], tiny["quantization"], tiny["group"]) == ("Tiny", "Q4_K_M", "disk")
    assert tiny["size"] == (tmp_path / "models" / "Tiny-Q4_K_M.gguf").stat().st_size
    assert told["suggested"] == []


async def test_settings_are_previewed_remembered_and_refused(tmp_path: Path) -> None:
    _model(tmp_path, "Tiny-Q4_K_M.gguf")
    name = "Tiny-Q4_K_M.gguf"
    async with open_page(tmp_path) as page:
        picker = ModelPicker(page)
        fields = {field["name"]: field for field in (await picker.preview({"name": name}))["fields"]}
        assert fields["ctx_size"]["value"] == 8192
        assert fields["ctx_size"]["label"]
        assert await picker.load({"name": name, "args": {"ctx_size": 1024}, "remember": True}) == {}
        again = await picker.preview({"name": name})
        assert {field["name"]: field["value"] for field in again["fields"]}["ctx_size"] == 1024
        for asked, error in (
            ({}, BadRequest),
            ({"name": "../secret"}, NotFound),
            ({"name": name, "args": {"ctx_size": "many"}}, BadRequest),
            ({"name": name, "args": {"model_dir": "/"}}, BadRequest),
        ):
            with pytest.raises(error):
                await picker.load(asked)
        async with aclosing(page.runtime.models.changes()) as states:
            async for state in states:
                if (state.name, state.status) == (name, Status.READY):
                    break
        assert picker.state()["context"] == 1024


async def test_visitors_change_no_model(tmp_path: Path) -> None:
    async with open_page(tmp_path, multi_user=True) as page:
        picker = ModelPicker(page)
        assert picker.state()["mayChoose"] is False
        with pytest.raises(BadRequest, match="--multi-user"):
            await picker.load({"name": "scripted"})
        with pytest.raises(BadRequest, match="--multi-user"):
            await picker.unload({"name": "scripted"})


def test_bare_machines_are_offered_what_fits() -> None:
    small, large = suggested(Room(2 * GIB, 4 * GIB)), suggested(Room(64 * GIB, 64 * GIB))
    assert [model.title for model in small] == ["Gemma 3 1B", "Qwen3 0.6B"]
    assert large[0].title == "Qwen3 32B"
    assert len(large) == 4
