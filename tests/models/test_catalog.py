"""What lies in the model folder, and that no name leads out of it."""

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from modules.errors import LoadFailed, NotFound
from modules.models.catalog import Catalog, ListedModel


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_files_are_in_natural_order_and_what_no_loader_reads_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "model-10.gguf", "model-9.GGUF", "sub/x.gguf", "B/config.json", "a/config.json", "notes.txt")
    assert Catalog(tmp_path).names() == ["model-9.GGUF", "model-10.gguf", "sub/x.gguf"]


def test_of_several_parts_the_first_is_the_model(tmp_path: Path) -> None:
    touch(tmp_path, *(f"big-0000{part}-of-00012.gguf" for part in range(1, 10)), "big-00011-of-00012.gguf")
    assert Catalog(tmp_path).names() == ["big-00001-of-00012.gguf"]


def test_what_is_no_model_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "mmproj-model-f16.gguf", ".hidden.gguf", ".cache/x.gguf", "empty/readme.md", "a/b/config.json")
    assert Catalog(tmp_path).names() == []


def test_missing_folder_is_empty(tmp_path: Path) -> None:
    assert Catalog(tmp_path / "none").names() == []


def test_names_lead_to_files(tmp_path: Path) -> None:
    touch(tmp_path, "sub/x.gguf", "hf/config.json")
    catalog = Catalog(tmp_path)
    file = ListedModel("sub/x.gguf", tmp_path / "sub/x.gguf")
    assert catalog.find("sub/x.gguf") == catalog.find("sub/x") == file
    with pytest.raises(LoadFailed, match=r"No loader can read 'hf'\. This version reads GGUF"):
        catalog.find("hf")


def test_links_of_the_operator_are_followed(tmp_path: Path) -> None:
    models, elsewhere = tmp_path / "models", tmp_path / "elsewhere"
    models.mkdir()
    touch(elsewhere, "big.gguf", "more/x.gguf")
    (models / "linked.gguf").symlink_to(elsewhere / "big.gguf")
    (models / "folder").symlink_to(elsewhere / "more")
    (models / "ring").symlink_to(models)
    catalog = Catalog(models)
    assert catalog.names() == ["folder/x.gguf", "linked.gguf"]
    assert catalog.find("linked.gguf").path.exists()


@pytest.mark.parametrize(
    "name",
    [
        "../secret.gguf",
        "../secret",
        "sub/../../secret.gguf",
        "..\\secret.gguf",
        "%2e%2e%2fsecret.gguf",
        "C:\\secret.gguf",
        "\\\\host\\share\\x.gguf",
        ".",
        "..",
        "",
        "/",
        "a.gguf\0",
        "a.gguf.",
        "./a.gguf",
        "x" * 5000,
        "a.gguf/",
        "A.GGUF/../a.gguf",
    ],
)
def test_names_do_not_lead_elsewhere(tmp_path: Path, name: str) -> None:
    models = tmp_path / "models"
    touch(models, "a.gguf", "sub/b.gguf")
    touch(tmp_path, "secret.gguf")
    with pytest.raises(NotFound) as caught:
        Catalog(models).find(name)
    assert str(tmp_path) not in caught.value.message
    assert len(caught.value.message) < 400


def test_absolute_paths_are_no_names(tmp_path: Path) -> None:
    touch(tmp_path, "a.gguf")
    with pytest.raises(NotFound):
        Catalog(tmp_path).find(str(tmp_path / "a.gguf"))


def test_similar_names_are_suggested(tmp_path: Path) -> None:
    touch(tmp_path, "SmolLM2-135M.gguf")
    with pytest.raises(NotFound, match=r"did you mean SmolLM2-135M\.gguf\?"):
        Catalog(tmp_path).find("SmolLM2-135.gguf")


def test_the_disk_is_walked_again_only_after_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.gguf", "sub/b.gguf")
    long_ago = 1_000_000_000 * 10**9
    for folder in (tmp_path / "sub", tmp_path):
        os.utime(folder, ns=(long_ago, long_ago))
    catalog, walk, walks = Catalog(tmp_path), os.walk, []

    def counted(*args: Any, **options: Any) -> Any:
        walks.append(args)
        return walk(*args, **options)

    monkeypatch.setattr(os, "walk", counted)
    for _ in range(3):
        assert catalog.names() == ["a.gguf", "sub/b.gguf"]
    assert len(walks) == 1
    touch(tmp_path, "sub/c.gguf")
    assert catalog.names() == ["a.gguf", "sub/b.gguf", "sub/c.gguf"]
    # What was changed a moment ago is looked at again, since another change may have the same time.
    touch(tmp_path, "sub/d.gguf")
    os.utime(tmp_path / "sub", ns=(time.time_ns(), (tmp_path / "sub").stat().st_mtime_ns))
    assert catalog.names() == ["a.gguf", "sub/b.gguf", "sub/c.gguf", "sub/d.gguf"]
    shutil.rmtree(tmp_path / "sub")
    assert catalog.names() == ["a.gguf"]
