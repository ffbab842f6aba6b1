"""Which projector belongs to a model, and by what names it may be asked for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from modules.backends.llamacpp.media.projector_file import is_projector, read_projector
from modules.backends.llamacpp.options import PROJECTOR_FOUND
from modules.backends.llamacpp.spec import LlamaCpp
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed
from modules.models.catalog import Catalog
from modules.paths import UserData
from tests.gguf_file import write_gguf

WIDTH = 32
ASKED = ("mmproj",)


@pytest.fixture
def data(tmp_path: Path) -> UserData:
    data = UserData(tmp_path)
    data.models.mkdir()
    data.mmproj.mkdir()
    return data


def model(path: Path, width: int = WIDTH) -> Path:
    path.parent.mkdir(exist_ok=True)
    return write_gguf(path, {"general.architecture": "llama", "llama.embedding_length": width}, {"output.weight": 32})


def projector(path: Path, *, hears: bool = False) -> Path:
    path.parent.mkdir(exist_ok=True)
    kind = {"clip.has_audio_encoder" if hears else "clip.has_vision_encoder": True, "clip.projector_type": "mlp"}
    tensors = {"mm.2.bias": 128, "v.blk.0.ln1.bias": 256}
    return write_gguf(path, {"general.architecture": "clip", "clip.vision.image_size": 32, **kind}, tensors)


def completed(path: Path, data: UserData, name: str = "", *, is_asked: bool = False) -> str:
    spec = LoadSpec(name=path.name, path=str(path), loader="llama.cpp", options={"mmproj": name, "threads": 2})
    done = LlamaCpp().completed(spec, data, requested=ASKED if is_asked else ())
    assert done.options["threads"] == 2
    found = done.options["mmproj"]
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize(
    "name", ["mmproj.gguf", "mmproj-F16.gguf", "some-mmproj-q8_0.gguf", "m-vision-f16.gguf", "mmproj-m-F16-ann.gguf"]
)
def test_the_one_beside_the_model_is_found(data: UserData, name: str) -> None:
    beside = projector(data.models / name)
    assert completed(model(data.models / "m-Q4_K_M.gguf"), data) == PROJECTOR_FOUND + str(beside)


def test_the_one_in_the_folder_of_projectors_is_found(data: UserData) -> None:
    there = projector(data.mmproj / "anything.gguf")
    assert completed(model(data.models / "m.gguf"), data) == PROJECTOR_FOUND + str(there)


def test_beside_the_model_goes_first(data: UserData) -> None:
    projector(data.mmproj / "mmproj-m-f16.gguf")
    beside = projector(data.models / "own" / "mmproj.gguf")
    assert completed(model(data.models / "own" / "m.gguf"), data) == PROJECTOR_FOUND + str(beside)


@pytest.mark.parametrize(
    ("names", "best"),
    [
        (("mmproj-BF16.gguf", "mmproj-F16.gguf", "mmproj-F32.gguf"), "mmproj-F16.gguf"),
        (("mmproj-m-bf16.gguf", "mmproj-m-q8_0.gguf"), "mmproj-m-bf16.gguf"),
        (("mmproj-big-7b-f16.gguf", "mmproj-big-7b-it-q8_0.gguf"), "mmproj-big-7b-it-q8_0.gguf"),
        (("mmproj-other-f16.gguf", "big-7b-mmproj-bf16.gguf"), "big-7b-mmproj-bf16.gguf"),
    ],
)
def test_the_name_decides_then_the_precision(data: UserData, names: tuple[str, ...], best: str) -> None:
    for name in names:
        projector(data.mmproj / name)
    assert completed(model(data.models / "big-7b-it-Q4_K_M.gguf"), data) == PROJECTOR_FOUND + str(data.mmproj / best)


def test_what_belongs_to_another_model_is_left_to_it(data: UserData) -> None:
    own = projector(data.models / "mmproj-seeing-8b-f16.gguf")
    seeing, blind = model(data.models / "seeing-8b-Q4_0.gguf"), model(data.models / "blind-8b-Q4_0.gguf")
    assert completed(seeing, data) == PROJECTOR_FOUND + str(own)
    assert completed(blind, data) == ""


def test_another_width_does_not_fit(data: UserData) -> None:
    projector(data.models / "mmproj.gguf")
    assert completed(model(data.models / "m.gguf", width=64), data) == ""


def test_damaged_files_are_passed_over(data: UserData) -> None:
    (data.models / "mmproj-a.gguf").write_bytes(b"GGUF")
    good = projector(data.models / "mmproj-b.gguf")
    cut = projector(data.models / "mmproj-0.gguf")
    cut.write_bytes(cut.read_bytes()[:-300])
    assert completed(model(data.models / "m.gguf"), data) == PROJECTOR_FOUND + str(good)


@pytest.mark.parametrize("name", ["off", "OFF"])
def test_it_can_be_switched_off(data: UserData, name: str) -> None:
    projector(data.models / "mmproj.gguf")
    assert completed(model(data.models / "m.gguf"), data, name.lower()) == ""


@pytest.mark.parametrize("is_asked", [True, False])
@pytest.mark.parametrize("name", ["mmproj-x.gguf", "mmproj-x", "below/mmproj-y.gguf"])
def test_one_can_be_named(data: UserData, name: str, *, is_asked: bool) -> None:
    projector(data.mmproj / "mmproj-x.gguf")
    projector(data.mmproj / "below" / "mmproj-y.gguf")
    found = completed(model(data.models / "m.gguf"), data, name, is_asked=is_asked)
    assert Path(found).is_relative_to(data.mmproj)


def test_the_operator_may_name_any_path(data: UserData, tmp_path: Path) -> None:
    elsewhere = projector(tmp_path / "elsewhere" / "p.gguf")
    assert completed(model(data.models / "m.gguf"), data, str(elsewhere)) == str(elsewhere)


@pytest.mark.parametrize(
    "way", ["{0}", "../elsewhere/p.gguf", "..\\elsewhere\\p.gguf", "C:\\p.gguf", "/etc/passwd", "C:p"]
)
def test_a_request_names_no_path(data: UserData, tmp_path: Path, way: str) -> None:
    elsewhere = projector(tmp_path / "elsewhere" / "p.gguf")
    with pytest.raises(LoadFailed, match="without the folder") as refused:
        completed(model(data.models / "m.gguf"), data, way.format(elsewhere), is_asked=True)
    assert refused.value.param == "args.mmproj"


def test_one_that_is_not_there_is_refused(data: UserData) -> None:
    with pytest.raises(LoadFailed, match="There is no projector 'x'"):
        completed(model(data.models / "m.gguf"), data, "x")


def test_projectors_are_no_models(data: UserData) -> None:
    model(data.models / "m.gguf")
    for name in ("mmproj-m.gguf", "m-vision-f16.gguf", "m-encoder.gguf"):
        assert is_projector(projector(data.models / name))
    assert Catalog(data.models).names() == ["m.gguf"]


def test_other_kinds_have_none(data: UserData) -> None:
    projector(data.models / "mmproj.gguf")
    path = model(data.models / "m.gguf")
    spec = LoadSpec(name="m", path=str(path), loader="llama.cpp", kind=ModelKind.EMBEDDING, options={"mmproj": ""})
    assert LlamaCpp().completed(spec, data).options["mmproj"] == ""


def test_a_header_tells_what_it_is_for(data: UserData) -> None:
    assert read_projector(projector(data.mmproj / "a.gguf")).sees
    file = read_projector(projector(data.mmproj / "b.gguf", hears=True))
    assert (file.sees, file.hears, file.kind, file.widths) == (False, True, "mlp", frozenset([WIDTH]))
    with pytest.raises(LoadFailed, match="is no projector"):
        read_projector(model(data.models / "m.gguf"))


@pytest.mark.model
def test_the_estimate_counts_it(model_file: Callable[[str], Path], data: UserData) -> None:
    path = model_file("SmolLM2-135M-Instruct.Q4_1.gguf")
    own = projector(data.mmproj / "p.gguf")
    without = LoadSpec(name="m", path=str(path), loader="llama.cpp", context=512)
    estimates = [LlamaCpp().estimate(spec) for spec in (without, replace(without, options={"mmproj": str(own)}))]
    size = dict(estimates[1].parts)["projector"]
    assert size > own.stat().st_size // 2
    assert estimates[1].total == estimates[0].total + size
