"""What the folder of a pipeline says, what is refused, and what memory it takes. PyTorch is not needed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from modules.backends.diffusers.folder import read_pipeline_folder
from modules.backends.diffusers.spec import Diffusers
from modules.backends.registry import BACKENDS
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed


def write(folder: Path, pipeline: str = "StableDiffusionPipeline", **components: dict[str, Any]) -> Path:
    """With weights of four numbers in the part that removes noise, and the decoder."""
    parts: dict[str, dict[str, Any]] = {"unet": {"_class_name": "UNet2DConditionModel", "sample_size": 64}, "vae": {}}
    index: dict[str, Any] = {"_class_name": pipeline, "scheduler": ["diffusers", "DDIMScheduler"]}
    for name, config in (parts | components).items():
        place = folder / name
        place.mkdir(parents=True)
        (place / "config.json").write_text(json.dumps(config), "utf-8")
        save_file({"weight": np.zeros(4, np.float32)}, place / "diffusion_pytorch_model.safetensors")
        index[name] = ["diffusers", "Part"]
    (folder / "scheduler").mkdir()
    (folder / "model_index.json").write_text(json.dumps(index), "utf-8")
    return folder


def changed(folder: Path, **values: object) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def spec_of(folder: Path, **options: Any) -> LoadSpec:
    return LoadSpec(name=folder.name, path=str(folder), loader="diffusers", kind=ModelKind.IMAGE, options=options)


def test_a_folder_is_one_model_for_pictures(tmp_path: Path) -> None:
    folder = write(tmp_path / "model")
    assert BACKENDS.reader_of(folder).name == "diffusers"
    assert BACKENDS.kind_of(folder) is ModelKind.IMAGE
    assert BACKENDS.is_whole_folder(folder)


@pytest.mark.parametrize(
    ("name", "pipeline", "parts", "expected"),
    [
        ("sd", "StableDiffusionPipeline", {"vae": {"block_out_channels": [1, 1, 1, 1]}}, ("sd", 512, 25, 7.5)),
        ("tiny", "StableDiffusionPipeline", {"vae": {"block_out_channels": [1, 1]}}, ("sd", 128, 25, 7.5)),
        ("sdxl-turbo", "StableDiffusionXLPipeline", {}, ("sdxl", 512, 4, 0.0)),
        ("FLUX.1-dev", "FluxPipeline", {"transformer": {"guidance_embeds": True}}, ("flux", 512, 28, 3.5)),
        ("FLUX.1-x", "FluxPipeline", {"transformer": {"guidance_embeds": False}}, ("flux", 512, 4, 0.0)),
        ("Z-Image-Turbo", "ZImagePipeline", {}, ("z-image", 512, 9, 0.0)),
        ("Z-Image", "ZImagePipeline", {}, ("z-image", 512, 28, 4.0)),
        ("Qwen-Image-Edit", "QwenImageEditPipeline", {}, ("qwen-image-edit", 512, 40, 4.0)),
        ("own", "SomethingNewPipeline", {}, ("", 512, 28, 5.0)),
    ],
)
def test_what_it_draws_best_with(
    tmp_path: Path, name: str, pipeline: str, parts: dict[str, Any], expected: tuple[str, int, int, float]
) -> None:
    found = read_pipeline_folder(write(tmp_path / name, pipeline, **parts))
    assert (found.family.name, found.side, found.steps, found.guidance) == expected


def test_without_a_stated_size_it_is_the_family_s(tmp_path: Path) -> None:
    folder = write(tmp_path / "model", "FluxPipeline")
    (folder / "unet" / "config.json").write_text("{}", "utf-8")
    assert read_pipeline_folder(folder).side == 1024


@pytest.mark.parametrize("pipeline", ["StableVideoDiffusionPipeline", "AudioLDMPipeline", "Something", ""])
def test_what_makes_no_pictures_is_not_listed(tmp_path: Path, pipeline: str) -> None:
    assert not Diffusers().reads(write(tmp_path / "model", pipeline))


def test_pickles_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "model")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(LoadFailed, match=r"unet/diffusion_pytorch_model\.bin is a pickle"):
        read_pipeline_folder(folder)


@pytest.mark.parametrize(
    "values", [{"_class_name": ["pipeline", "OwnPipeline"]}, {"text_encoder": ["modeling_own", "OwnEncoder"]}]
)
def test_code_that_a_folder_brings_is_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    folder = write(tmp_path / "model")
    changed(folder, **values)
    with pytest.raises(LoadFailed, match="not run"):
        read_pipeline_folder(folder)


def test_a_part_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "model")
    changed(folder, text_encoder=["transformers", "CLIPTextModel"])
    with pytest.raises(LoadFailed, match="text_encoder is missing"):
        read_pipeline_folder(folder)


@pytest.mark.parametrize("content", [b"junk", b"", b"\xff" * 64])
def test_damaged_weights_are_found_before_loading(tmp_path: Path, content: bytes) -> None:
    folder = write(tmp_path / "model")
    (folder / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(content)
    with pytest.raises(LoadFailed, match="damaged") as failure:
        read_pipeline_folder(folder)
    assert str(tmp_path) not in failure.value.message


def test_a_cut_off_file_is_found_before_loading(tmp_path: Path) -> None:
    folder = write(tmp_path / "model")
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(LoadFailed, match="incomplete"):
        read_pipeline_folder(folder)


def test_files_of_a_variant_count_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "model")
    plain = read_pipeline_folder(folder)
    for name in ("unet", "vae"):
        save_file({"weight": np.zeros(4, np.float16)}, folder / name / "diffusion_pytorch_model.fp16.safetensors")
    assert (read_pipeline_folder(folder).variant, read_pipeline_folder(folder).size) == ("", plain.size)
    for name in ("unet", "vae"):
        (folder / name / "diffusion_pytorch_model.safetensors").unlink()
    only = read_pipeline_folder(folder)
    assert (only.variant, only.is_half) == ("fp16", True)


def test_memory_follows_the_type_and_the_quantisation(tmp_path: Path) -> None:
    folder = write(tmp_path / "model")
    weights = dict(Diffusers().estimate(spec_of(folder)).parts)["weights"]
    half = dict(Diffusers().estimate(spec_of(folder, image_dtype="bfloat16")).parts)["weights"]
    quarter = dict(Diffusers().estimate(spec_of(folder, image_dtype="bfloat16", image_quant="bnb-8bit")).parts)[
        "weights"
    ]
    assert (half, quarter) == (weights // 2, weights // 4)


def test_an_unsafe_checker_of_pictures_is_left_out(tmp_path: Path) -> None:
    folder = write(tmp_path / "model")
    before = read_pipeline_folder(folder).size
    changed(folder, safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"])
    assert read_pipeline_folder(folder).size == before
