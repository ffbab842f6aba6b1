"""EXL3 folders without what they need: listed, and refused in a sentence; the running model stays."""

import json
from pathlib import Path

import pytest

from modules.backends.registry import BACKENDS
from modules.errors import LoadFailed
from modules.settings.flags import parse
from tests.api.serving import CHAT, says, served


def exl3_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    config = {"architectures": ["LlamaForCausalLM"], "quantization_config": {"quant_method": "exl3", "bits": 4.0}}
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    header = json.dumps({"x.trellis": {"dtype": "I16", "shape": [2, 2, 64], "data_offsets": [0, 512]}}).encode()
    (path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(512))
    return path


@pytest.mark.parametrize("spelling", ["ExLlamav3", "exllamav3", "EXLLAMAV3", "exllamav3_hf"])
def test_the_loader_is_chosen_in_any_case(spelling: str) -> None:
    assert parse(["--loader", spelling], {}).loader == "ExLlamav3"


def test_its_folders_are_its_own(tmp_path: Path) -> None:
    assert BACKENDS.reader_of(exl3_folder(tmp_path / "a")).name == "ExLlamav3"


def test_what_is_missing_is_said() -> None:
    with pytest.raises(
        LoadFailed, match=r"ExLlamav3 loader cannot be used: .*(graphics card|package|version).* Take the"
    ):
        BACKENDS.loader_for("ExLlamav3")


async def test_the_running_model_stays(tmp_path: Path) -> None:
    exl3_folder(tmp_path / "models" / "a-exl3")
    async with served(tmp_path) as api:
        assert "a-exl3" in (await api.http.get("/v1/internal/model/list")).json()["model_names"]
        body = {"model_name": "a-exl3", "args": {"loader": "exllamav3"}}
        response = await api.post("/v1/internal/model/load", body)
        assert response.status_code >= 400
        assert "ExLlamav3 loader cannot be used" in response.json()["error"]["message"]
        reply = await api.post(CHAT, says("echo: still here"))
    assert reply.json()["choices"][0]["message"]["content"] == "still here"
