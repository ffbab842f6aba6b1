"""Encoders in the hub's cache, and in the folder of the user's data for them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from modules.backends.registry import BACKENDS
from modules.errors import NotFound
from modules.models.catalog import Catalog, model_catalog
from modules.models.hub_cache import cached_model, hub_cache_folder
from modules.paths import UserData
from tests.encoder_folder import write_encoder

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def cached(cache: Path, repository: str = "models--owner--model") -> Path:
    folder = write_encoder(cache / repository / "snapshots" / COMMIT)
    (cache / repository / "refs").mkdir()
    (cache / repository / "refs" / "main").write_text(f"{COMMIT}\n", "utf-8")
    return folder


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HF_HUB_CACHE": "/a"}, "/a"),
        ({"HF_HOME": "/b"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
        ({}, "~/.cache/huggingface/hub"),
    ],
)
def test_where_the_cache_is(environment: Mapping[str, str], folder: str) -> None:
    assert hub_cache_folder(environment) == Path(folder).expanduser()


def test_a_model_is_found_by_its_whole_name_and_not_listed(tmp_path: Path) -> None:
    folder = cached(tmp_path / "hub")
    cached(tmp_path / "hub", "models--sentence-transformers--all-x")
    catalog = Catalog(tmp_path / "models", hub_cache=tmp_path / "hub")
    found = catalog.find("owner/model")
    assert (found.name, found.path) == ("owner_model", folder)
    assert catalog.find("all-x").path.parts[-3] == "models--sentence-transformers--all-x"
    assert catalog.may_have("owner/model")
    assert catalog.names() == []


@pytest.mark.parametrize("name", ["owner/other", "../hub/model", "owner/../model", "a/b/c", "", "owner/", "x" * 200])
def test_other_names_find_nothing(tmp_path: Path, name: str) -> None:
    cached(tmp_path / "hub")
    catalog = Catalog(tmp_path / "models", hub_cache=tmp_path / "hub")
    assert not catalog.may_have(name) or not name
    with pytest.raises(NotFound):
        catalog.find(name)


def test_half_a_download_is_none(tmp_path: Path) -> None:
    folder = cached(tmp_path)
    (tmp_path / "models--owner--model" / "refs" / "main").write_text("../../..", "utf-8")
    assert cached_model(tmp_path, "owner/model") is None
    (tmp_path / "models--owner--model" / "refs" / "main").write_text("f" * 40, "utf-8")
    assert cached_model(tmp_path, "owner/model") is None
    assert folder.is_dir()


def test_only_encoders_are_taken_from_the_cache(tmp_path: Path) -> None:
    folder = cached(tmp_path)
    (folder / "modules.json").unlink()
    (folder / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}', "utf-8")
    assert not Catalog(tmp_path / "models", hub_cache=tmp_path).may_have("owner/model")


def test_the_folder_embeddings_holds_encoders(tmp_path: Path) -> None:
    write_encoder(tmp_path / "embeddings" / "small")
    (tmp_path / "embeddings" / "chat.gguf").write_bytes(b"GGUF")
    assert model_catalog(UserData(tmp_path), BACKENDS).names() == ["small"]
