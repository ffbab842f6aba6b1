"""Where a model goes: every option loads, changes nothing of what is computed, or is refused before the weights."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modules.backends.llamacpp.gguf_header import read_gguf
from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.backends.llamacpp.memory.estimate import placed_shape
from modules.backends.llamacpp.options import LlamaCppOptions
from modules.engine.types import Generation, Prompt
from modules.errors import BadRequest, LoadFailed
from modules.models.options import LoadOptions
from modules.sampling import Sampling
from tests.backends.llamacpp.mixture import EXPERTS, HIDDEN, LAYERS, WIDTH, write_mixture
from tests.backends.loading import llama_engine, llama_spec
from tests.model_files import SMOLLM2
from tests.streams import whole

pytestmark = pytest.mark.model

GENERATION = Generation(prompt=Prompt((504, 253, 1036, 282)), sampling=Sampling(temperature=0), max_tokens=8)
EXPERT_BYTES = 3 * EXPERTS * HIDDEN * WIDTH * 4


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory, model_file: Callable[[str], Path]) -> Path:
    return write_mixture(tmp_path_factory.mktemp("mixture") / "mixture.gguf", model_file(SMOLLM2))


async def reply(loader: LlamaCppLoader, path: Path, **changes: Any) -> str:
    spec = llama_spec(path, context=256, **changes)
    loader.probe(spec)
    async with llama_engine(loader, spec) as engine:
        return (await whole(engine, GENERATION)).text


# Every option that says where a model's parts go; those of workers need some, and a build that knows them.
PLACES: list[dict[str, Any]] = [
    {"n_cpu_moe": 2},
    {"n_cpu_moe": 100},
    {"cpu_moe": True},
    {"override_tensor": (r"blk\.[01]\.ffn_.*=CPU", "attn=CPU")},
    {"override_tensor": r"\.ffn_(up|down)_exps=CPU,output=CPU"},
    {"gpu_layers": 0},
    {"gpu_layers": 2, "no_kv_offload": True},
    {"device": "none"},
    {"device": "None", "gpu_layers": 99},
    {"main_gpu": 3, "split_mode": "none"},
    {"tensor_split": (3.0, 1.0), "split_mode": "row"},
    {"tensor_split": (1.0,), "split_mode": "layer"},
    {"fit": False, "fit_target": 0},
    {"no_mmap": True, "mlock": True},
]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, model_file: Callable[[str], Path]) -> Path:
    """The same model in three files."""
    folder = tmp_path_factory.mktemp("parts")
    first = write_mixture(folder / "mixture.gguf", model_file(SMOLLM2), parts=3)
    assert [path.name for path in sorted(folder.iterdir())] == [
        f"mixture-0000{part}-of-00003.gguf" for part in (1, 2, 3)
    ]
    return first


@pytest.fixture(scope="module")
def said(llama_cpp: LlamaCppLoader, mixture: Path) -> str:
    """By the model as it is loaded by itself."""
    return asyncio.run(reply(llama_cpp, mixture))


@pytest.mark.parametrize("changes", PLACES, ids=str)
@pytest.mark.parametrize("files", ["mixture", "parts"])
async def test_places_change_nothing_of_what_is_said(
    llama_cpp: LlamaCppLoader, said: str, request: pytest.FixtureRequest, files: str, changes: dict[str, Any]
) -> None:
    assert await reply(llama_cpp, request.getfixturevalue(files), **changes) == said


def test_every_place_is_tried() -> None:
    tried = {name for changes in PLACES for name in changes}
    assert tried | {"rpc", "numa"} == {
        *("gpu_layers", "n_cpu_moe", "cpu_moe", "override_tensor", "device", "main_gpu", "split_mode", "tensor_split"),
        *("no_kv_offload", "no_mmap", "mlock", "numa", "fit", "fit_target", "rpc"),
    }
    assert tried <= LlamaCppOptions.model_fields.keys()


def test_a_part_that_is_missing_is_told_before_the_weights_are_read(
    llama_cpp: LlamaCppLoader, parts: Path, tmp_path: Path
) -> None:
    for path in parts.parent.iterdir():
        if "00002" not in path.name:
            (tmp_path / path.name).symlink_to(path)
    with pytest.raises(LoadFailed, match="cannot load"):
        llama_cpp.probe(llama_spec(tmp_path / parts.name))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"override_tensor": ("attn",)}, "PATTERN=BUFFER"),
        ({"override_tensor": ("=CPU",)}, "PATTERN=BUFFER"),
        ({"override_tensor": ("attn=Moon",)}, "buffer 'Moon'. Choose one of: .*CPU"),
        ({"override_tensor": ("(((=CPU",)}, "override-tensor: .*Mismatched"),
        ({"override_tensor": ("a{,5}=CPU",)}, "override-tensor: .*Invalid range"),
        ({"device": ("CUDA7",)}, "device 'CUDA7' is not there. Choose among: .*none"),
        ({"split_mode": "tensor"}, "needs a graphics card"),
        ({"rpc": ("nowhere",)}, "host:port"),
        ({"rpc": ("127.0.0.1:1",)}, "needs a build|does not answer"),
    ],
)
def test_what_is_not_there_is_refused_by_the_probe(
    llama_cpp: LlamaCppLoader, mixture: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(LoadFailed, match=words):
        llama_cpp.probe(llama_spec(mixture, **changes))


def test_weights_that_stay_in_main_memory_are_counted(mixture: Path) -> None:
    header = read_gguf(mixture)

    def host(override: str = "", *, on_cpu: bool = False) -> list[int]:
        shape = placed_shape(header, LlamaCppOptions(override_tensor=(override,) if override else ()))
        return [layer.host_weights(experts_on_cpu=on_cpu) for layer in shape.layers]

    assert host() == [0] * LAYERS
    assert host(on_cpu=True) == [EXPERT_BYTES] * LAYERS
    assert host(r"blk\.1\.attn_q=CPU") == [0, WIDTH * WIDTH * 4, 0, 0]
    assert host(r"blk\.1\.attn_q=CUDA0") == [0] * LAYERS
    assert host(r"ffn_up_exps=CPU", on_cpu=True) == [EXPERT_BYTES] * LAYERS


def test_requests_cannot_name_workers() -> None:
    with pytest.raises(BadRequest, match="rpc"):
        LoadOptions.parse({"rpc": ["192.0.2.1:50052"]})
    parsed = LoadOptions.parse({"n_cpu_moe": 4, "override_tensor": "a=CPU,b=CPU"})
    assert parsed.changes == {"n_cpu_moe": 4, "override_tensor": "a=CPU,b=CPU"}
