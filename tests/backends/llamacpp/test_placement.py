"""Where a model goes: every option loads, changes nothing of what is computed, or is refused before the weights."""

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


@pytest.mark.parametrize(
    "changes",
    [
        {"n_cpu_moe": 2},
        {"n_cpu_moe": 100},
        {"cpu_moe": True},
        {"override_tensor": (r"blk\.[01]\.ffn_.*=CPU", "attn=CPU")},
        {"override_tensor": r"\.ffn_(up|down)_exps=CPU,output=CPU"},
        {"device": "none"},
        {"device": "None", "gpu_layers": 99},
        {"main_gpu": 3, "split_mode": "none"},
        {"tensor_split": (3.0, 1.0), "split_mode": "row"},
        {"fit": False, "fit_target": 0},
    ],
    ids=str,
)
async def test_places_change_nothing_of_what_is_said(
    llama_cpp: LlamaCppLoader, mixture: Path, changes: dict[str, Any]
) -> None:
    assert await reply(llama_cpp, mixture, **changes) == await reply(llama_cpp, mixture)


async def test_model_in_three_files(
    llama_cpp: LlamaCppLoader, mixture: Path, model_file: Callable[[str], Path], tmp_path: Path
) -> None:
    first = write_mixture(tmp_path / "mixture.gguf", model_file(SMOLLM2), parts=3)
    assert first.name == "mixture-00001-of-00003.gguf"
    assert await reply(llama_cpp, first, n_cpu_moe=1) == await reply(llama_cpp, mixture)
    (tmp_path / "mixture-00002-of-00003.gguf").unlink()
    with pytest.raises(LoadFailed, match="cannot load"):
        llama_cpp.probe(llama_spec(first))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"override_tensor": ("attn",)}, "PATTERN=BUFFER"),
        ({"override_tensor": ("=CPU",)}, "PATTERN=BUFFER"),
        ({"override_tensor": ("attn=Moon",)}, "buffer 'Moon'. Choose one of: .*CPU"),
        ({"override_tensor": ("(((=CPU",)}, "override-tensor: .*Mismatched"),
        ({"override_tensor": ("a{,5}=CPU",)}, "override-tensor: .*Invalid range"),
        ({"device": ("CUDA7",)}, "device 'CUDA7' is not there. Choose among: .*none"),
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
