"""Control vectors change what a model says by their scale and layers; those of other models are refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.backends.llamacpp.spec import LlamaCpp
from modules.engine.types import Generation, Prompt
from modules.errors import LoadFailed
from modules.paths import UserData
from modules.sampling import Sampling
from tests.backends.loading import llama_engine, llama_spec
from tests.model_files import SMOLLM2
from tests.streams import whole

pytestmark = pytest.mark.model

LAYERS, WIDTH = 30, 576
GENERATION = Generation(prompt=Prompt((504, 253, 1036, 282)), sampling=Sampling(temperature=0), max_tokens=12)


def write_vector(path: Path, *, width: int = WIDTH, architecture: str = "controlvector", sign: int = 1) -> Path:
    random = np.random.default_rng(11)
    writer = gguf.GGUFWriter(path, architecture)
    for layer in range(1, LAYERS):
        writer.add_tensor(f"direction.{layer}", (sign * random.normal(size=width)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def data(tmp_path: Path) -> UserData:
    data = UserData(tmp_path)
    data.loras.mkdir(parents=True)
    write_vector(data.loras / "loud.gguf")
    write_vector(data.loras / "quiet.gguf", sign=-1)
    return data


@pytest.fixture
def reply(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], data: UserData) -> Any:
    async def asked(*vectors: str, layers: tuple[float, ...] = ()) -> str:
        # A self-test of each load may choose another kernel, and with it another word, and takes two seconds.
        changes = {"control_vector": vectors, "control_vector_layers": layers, "self_test": False}
        spec = LlamaCpp().completed(llama_spec(model_file(SMOLLM2), **changes), data)
        llama_cpp.probe(spec)
        async with llama_engine(llama_cpp, spec) as engine:
            return (await whole(engine, GENERATION)).text

    return asked


async def test_scales_and_layers_count(reply: Any) -> None:
    plain = await reply()
    loud = await reply("loud")
    assert loud != plain
    assert await reply("loud.gguf=1") == loud
    assert await reply("loud=0") == plain
    assert await reply("loud", "quiet") == plain
    assert await reply("loud=0.5", "loud=0.5") == loud
    assert await reply("loud", layers=(1, LAYERS)) == loud
    assert await reply("loud", layers=(29, 29)) != loud


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (("loud=much",), "FILE=SCALE"),
        (("missing",), "no control vector 'missing'"),
        (("narrow",), "another width"),
        (("adapter",), "is no control vector"),
    ],
)
def test_others_are_refused_by_the_probe(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], data: UserData, vectors: tuple[str, ...], words: str
) -> None:
    write_vector(data.loras / "narrow.gguf", width=64)
    write_vector(data.loras / "adapter.gguf", architecture="llama")
    with pytest.raises(LoadFailed, match=words):
        llama_cpp.probe(LlamaCpp().completed(llama_spec(model_file(SMOLLM2), control_vector=vectors), data))


@pytest.mark.parametrize("name", ["../loras/loud.gguf", "/loud.gguf", "..\\loud", "C:loud"])
def test_requests_name_files_of_the_folder_only(model_file: Callable[[str], Path], data: UserData, name: str) -> None:
    spec = llama_spec(model_file(SMOLLM2), control_vector=(name,))
    with pytest.raises(LoadFailed, match="without the folder"):
        LlamaCpp().completed(spec, data, requested={"control_vector"})


def test_layers_are_two(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]) -> None:
    with pytest.raises(LoadFailed, match="first and the last layer"):
        llama_cpp.probe(llama_spec(model_file(SMOLLM2), control_vector_layers=(3.0,)))
