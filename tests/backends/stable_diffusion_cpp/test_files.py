"""Which files are image models, of which architecture, with which parts. The library is not needed."""

from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

from modules.backends.imaging.messages import Bitmap, DrawImages
from modules.backends.registry import BACKENDS
from modules.backends.stable_diffusion_cpp.families import ModelPart
from modules.backends.stable_diffusion_cpp.files import is_image_model, read_image_model, read_weights
from modules.backends.stable_diffusion_cpp.samplers import sampler_names, scheduler_names
from modules.backends.stable_diffusion_cpp.spec import StableDiffusionCpp
from modules.backends.stable_diffusion_cpp.steps import strength_of
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed
from modules.models.catalog import Catalog
from tests.backends.stable_diffusion_cpp.small_checkpoint import Shapes, affine, clip, conv, shapes, unet, write
from tests.gguf_file import write_gguf

FLUX: Shapes = {"double_blocks.0.img_attn.qkv.weight": (9, 3), "single_blocks.0.linear1.weight": (9, 3)}
GUIDED: Shapes = FLUX | {"guidance_in.in_layer.weight": (9, 3)}
Z_IMAGE: Shapes = {"noise_refiner.0.attention.qkv.weight": (9, 3), "cap_embedder.0.weight": (3,)}
T5: Shapes = {"encoder.block.0.layer.0.SelfAttention.q.weight": (4, 4)}
TEXT: Shapes = {"model.embed_tokens.weight": (9, 3), "model.layers.0.self_attn.q_proj.weight": (3, 3)}
DECODER: Shapes = conv("decoder.conv_in", 512, 16)


def spec_of(path: Path, **options: Any) -> LoadSpec:
    name = "stable-diffusion.cpp"
    return LoadSpec(name=path.name, path=str(path), loader=name, kind=ModelKind.IMAGE, options=options)


@pytest.mark.parametrize(
    ("tensors", "name", "expected"),
    [
        (shapes(), "sd-v1-5", ("sd", 512, 20, 7.0, False)),
        (unet(width=1024), "v2-1", ("sd2", 768, 20, 7.0, False)),
        (unet(width=1024), "sd_turbo-f16-q8_0", ("sd2", 512, 4, 0.0, False)),
        (unet(width=2048), "sd_xl_base", ("sdxl", 1024, 30, 7.0, False)),
        (unet(width=2048), "SDXL-Lightning", ("sdxl", 1024, 4, 0.0, False)),
        (unet(channels=8), "some", ("sd", 512, 20, 7.0, True)),
        (GUIDED, "flux1-dev", ("flux", 1024, 20, 3.5, False)),
        (GUIDED, "flux1-kontext-dev", ("flux", 1024, 20, 3.5, True)),
        (FLUX, "flux1", ("flux", 1024, 4, 0.0, False)),
        (GUIDED | {"double_stream_modulation_img.lin.weight": (3,)}, "flux2", ("flux2", 1024, 20, 4.0, True)),
        (FLUX | {"distilled_guidance_layer.in_proj.weight": (3,)}, "x", ("chroma", 1024, 26, 4.0, False)),
        ({"joint_blocks.0.x_block.attn.qkv.weight": (3,)}, "sd3", ("sd3", 1024, 28, 4.5, False)),
        (Z_IMAGE, "z_image_turbo", ("z-image", 1024, 9, 0.0, False)),
        ({"transformer_blocks.0.img_mod.1.weight": (3,)}, "qwen-image", ("qwen-image", 1024, 20, 2.5, False)),
        ({"transformer_blocks.0.img_mod.1.weight": (3,)}, "qwen-image-edit", ("qwen-image", 1024, 20, 2.5, True)),
    ],
)
def test_architectures_are_told_by_their_tensors(
    tmp_path: Path, tensors: Shapes, name: str, expected: tuple[str, int, int, float, bool]
) -> None:
    path = write(tmp_path / f"{name}.safetensors", tensors)
    family = read_weights(path).family
    assert family is not None
    assert (family.name, family.side, family.steps, family.guidance, family.is_editor) == expected
    assert BACKENDS.reader_of(path).name == "stable-diffusion.cpp"
    assert BACKENDS.kind_of(path) is ModelKind.IMAGE


@pytest.mark.parametrize("names", [("model.diffusion_model.",), ("",)])
@pytest.mark.parametrize("metadata", [{}, {"general.architecture": "sd1"}])
def test_containers_of_quantised_models_are_told_too(
    tmp_path: Path, names: tuple[str], metadata: dict[str, object]
) -> None:
    tensors = {f"{names[0]}{tensor}.weight": 128 for tensor in ("input_blocks.0.0", "output_blocks.0.0", "out.2")}
    path = write_gguf(tmp_path / "model.gguf", metadata, tensors)
    assert BACKENDS.reader_of(path).name == "stable-diffusion.cpp"
    assert BACKENDS.kind_of(path) is ModelKind.IMAGE


def test_text_models_are_not_taken_for_image_models(tmp_path: Path) -> None:
    text = write_gguf(tmp_path / "text.gguf", {"general.architecture": "llama"}, {"blk.0.attn_q.weight": 128})
    assert BACKENDS.reader_of(text).name == "llama.cpp"
    assert BACKENDS.kind_of(text) is ModelKind.CHAT
    # Even where its tensors have such names.
    odd = write_gguf(tmp_path / "odd.gguf", {"general.architecture": "qwen3"}, {"joint_blocks.0.x": 128})
    assert BACKENDS.reader_of(odd).name == "llama.cpp"
    assert not is_image_model(write(tmp_path / "text.safetensors", TEXT))


@pytest.mark.parametrize("folder_has", ["config.json", "model_index.json"])
def test_folders_of_other_loaders_stay_theirs(tmp_path: Path, folder_has: str) -> None:
    (tmp_path / folder_has).write_text("{}", "utf-8")
    assert not is_image_model(write(tmp_path / "model.safetensors", unet()))
    assert not is_image_model(tmp_path)


@pytest.mark.parametrize(
    "tensors",
    [
        T5,
        clip(),
        DECODER,
        {**unet(), "model.diffusion_model.input_blocks.1.1.time_stack.0.attn2.to_k.weight": (3, 768)},
        {**GUIDED, "txt_in.individual_token_refiner.blocks.0.weight": (3,)},
        {"control_model.input_blocks.0.0.weight": (320, 4, 3, 3), "control_model.zero_convs.0.0.weight": (3,)},
        {},
    ],
)
def test_what_makes_no_pictures_is_none(tmp_path: Path, tensors: Shapes) -> None:
    assert not is_image_model(write(tmp_path / "file.safetensors", tensors))


def test_a_whole_checkpoint_needs_nothing_else(tmp_path: Path) -> None:
    files = read_image_model(write(tmp_path / "sd.safetensors", shapes()))
    assert (files.family.name, files.parts, files.main.is_prefixed) == ("sd", {}, True)


def test_a_folder_of_parts_is_one_model(tmp_path: Path) -> None:
    folder = tmp_path / "flux"
    folder.mkdir()
    write(folder / "flux1-dev.safetensors", GUIDED)
    write(folder / "ae.safetensors", DECODER)
    write(folder / "clip_l.safetensors", clip(prefix="text_model."))
    write(folder / "t5xxl.safetensors", T5)
    catalog = Catalog(tmp_path / "models", further={tmp_path: frozenset((ModelKind.IMAGE,))})
    assert catalog.names() == ["flux"]
    files = read_image_model(folder)
    assert {part: file.path.name for part, file in files.parts.items()} == {
        ModelPart.CLIP_L: "clip_l.safetensors",
        ModelPart.T5: "t5xxl.safetensors",
        ModelPart.VAE: "ae.safetensors",
    }
    assert not files.main.is_prefixed
    assert BACKENDS.is_whole_folder(folder)


def test_a_language_model_can_be_a_part(tmp_path: Path) -> None:
    folder = tmp_path / "z-image"
    folder.mkdir()
    write(folder / "z_image_turbo.safetensors", Z_IMAGE)
    write(folder / "ae.safetensors", DECODER)
    write_gguf(folder / "Qwen3-4B.gguf", {"general.architecture": "qwen3"}, {"blk.0.attn_q.weight": 128})
    assert set(read_image_model(folder).parts) == {ModelPart.LLM, ModelPart.VAE}


def test_whole_checkpoints_in_a_folder_are_models_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    write(folder / "a.safetensors", shapes())
    write(folder / "vae.safetensors", DECODER)
    catalog = Catalog(tmp_path / "models", further={tmp_path: frozenset((ModelKind.IMAGE,))})
    assert catalog.names() == ["mine/a.safetensors"]
    write(folder / "b.safetensors", shapes())
    assert catalog.names() == ["mine/a.safetensors", "mine/b.safetensors"]
    assert catalog.find("mine/b").path == folder / "b.safetensors"


def test_missing_parts_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "flux1-dev.safetensors", GUIDED)
    assert is_image_model(path)
    with pytest.raises(LoadFailed, match=r"missing beside it: text encoder CLIP-L, text encoder T5-XXL, VAE\."):
        read_image_model(path)
    write(tmp_path / "ae.safetensors", DECODER)
    with pytest.raises(LoadFailed, match=r"CLIP-L, text encoder T5-XXL\."):
        read_image_model(path)


def test_clip_g_is_the_larger_one(tmp_path: Path) -> None:
    tensors: Shapes = {"text_model.embeddings.token_embedding.weight": (49408, 1280)}
    assert read_weights(write(tmp_path / "g.safetensors", tensors)).part is ModelPart.CLIP_G
    assert read_weights(write(tmp_path / "l.safetensors", clip(prefix="text_model."))).part is ModelPart.CLIP_L


@pytest.mark.parametrize("content", [b"", b"junk", b"\xff" * 64, b"\2\0\0\0\0\0\0\0[]", b"\2\0\0\0\0\0\0\0{}"])
@pytest.mark.parametrize("ending", ["gguf", "safetensors"])
def test_damaged_files_are_no_image_models(tmp_path: Path, content: bytes, ending: str) -> None:
    path = tmp_path / f"model.{ending}"
    path.write_bytes(content)
    assert not is_image_model(path)
    with pytest.raises(LoadFailed) as failure:
        read_image_model(path)
    assert str(tmp_path) not in failure.value.message


def test_a_cut_off_file_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "sd.safetensors", affine("joint_blocks.0.x", 8))
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(LoadFailed, match="incomplete"):
        read_image_model(path)


def test_memory_follows_the_type_and_the_size(tmp_path: Path) -> None:
    path = write(tmp_path / "sd.safetensors", shapes())
    estimate = StableDiffusionCpp().estimate
    kept = dict(estimate(spec_of(path)).parts)
    assert 1.3e9 < kept["weights"] < 1.7e9
    weights = [dict(estimate(spec_of(path, sd_cpp_type=kind)).parts)["weights"] for kind in ("f32", "f16", "q8_0")]
    assert weights == sorted(weights, reverse=True)
    tiled = dict(estimate(spec_of(path, sd_cpp_vae_tiling="on")).parts)
    assert tiled["buffers"] < kept["buffers"]
    with pytest.raises(LoadFailed, match="sd-cpp-type"):
        estimate(spec_of(path, sd_cpp_type="q9"))


class _Kind(IntEnum):
    EULER = 0
    EULER_A = 1
    DPMPP2M = 5
    COUNT = 6


class _Spacing(IntEnum):
    DISCRETE = 0
    KARRAS = 1


@pytest.mark.parametrize(("default", "first"), [(1, "euler_a"), (5, "dpm++_2m"), (99, "euler")])
def test_samplers_have_the_names_that_programs_know(default: int, first: str) -> None:
    found = sampler_names(_Kind, default)
    assert next(iter(found)) == first
    assert found == {"euler": 0, "euler_a": 1, "dpm++_2m": 5}
    assert scheduler_names(_Spacing, 0) == {"normal": 0, "karras": 1}


@pytest.mark.parametrize("steps", [1, 2, 3, 9, 20, 50])
def test_a_strength_computes_the_steps_that_are_told(steps: int) -> None:
    for hundredth in range(1, 101):
        request = DrawImages(
            prompt="x",
            width=64,
            height=64,
            steps=steps,
            guidance=1.0,
            seeds=(1,),
            source=Bitmap(1, 1, 3, b"abc"),
            strength=hundredth / 100,
        )
        # What the library computes of a strength.
        begun = min(int(steps * strength_of(request)), steps - 1)
        assert begun + 1 == request.steps_to_do
