"""Encoders on PyTorch give what the library gives for whole texts. PyTorch runs in processes of its own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from modules.engine.process import ProcessEngine
from modules.engine.types import Generation, LoadSpec, ModelKind, Prompt
from modules.errors import LoadFailed
from modules.paths import PROGRAM_FOLDER
from tests.encoder_folder import write_encoder

pytestmark = pytest.mark.extended

MAKER: Final = """
from modules.backends.pytorch import prepare_pytorch
prepare_pytorch(1)
from tests.backends.sentence_transformers.make_folders import main
main()
"""
TEXTS: Final = ("hello", "a rather long line of words", "b", "the same words again and again")
PAIRS: Final = (("hello", "a rather long line"), ("b", "c"), ("words", "the same words"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Tiny models of several architectures, with what the library makes of the texts and pairs."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("modernbert", "qwen3", "t5"):
        write_encoder(folder / name)
    write_encoder(folder / "bert")
    write_encoder(folder / "classifier", labels=1)
    write_encoder(folder / "modernbert_classifier", labels=1)
    given = json.dumps({"folder": str(folder), "texts": TEXTS, "pairs": PAIRS})
    command = [sys.executable, "-c", MAKER]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, cwd=PROGRAM_FOLDER)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder, json.loads(done.stdout.splitlines()[-1])


async def rows(engine: ProcessEngine, prompts: Sequence[tuple[int, ...]], *, raw: bool) -> list[Any]:
    found = []
    for prompt in prompts:
        generation = Generation(prompt=Prompt(prompt), embedding=0, raw_embedding=raw)
        async with aclosing(engine.generate(generation)) as chunks:
            parts = [chunk.embedding async for chunk in chunks if chunk.embedding]
        found.append(np.frombuffer(parts[0], "<f4"))
    return found


async def loaded(folder: Path, kind: ModelKind, **fields: Any) -> ProcessEngine:
    spec = LoadSpec(name=folder.name, path=str(folder), loader="sentence-transformers", kind=kind, **fields)
    engine = await ProcessEngine.probe(spec)
    await engine.load(lambda _fraction: None)
    return engine


@pytest.mark.parametrize("name", ["bert", "modernbert", "qwen3", "t5"])
async def test_vectors_are_the_library_s(made: tuple[Path, dict[str, Any]], name: str) -> None:
    folder, values = made
    engine = await loaded(folder / name, ModelKind.EMBEDDING)
    begin, end = engine.card.embedding_frame
    prompts = [(*begin, *await engine.tokenize(text, special=False), *end) for text in TEXTS]
    vectors = await rows(engine, prompts, raw=False)
    await engine.aclose()
    for vector, wanted in zip(vectors, values[name], strict=True):
        assert np.allclose(vector, wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["classifier", "modernbert_classifier"])
async def test_scores_are_those_of_a_cross_encoder(made: tuple[Path, dict[str, Any]], name: str) -> None:
    folder, values = made
    engine = await loaded(folder / name, ModelKind.RERANK)
    begin, middle, end = engine.card.pair_frame
    prompts = []
    for pair in PAIRS:
        first, second = [await engine.tokenize(text, special=False) for text in pair]
        prompts.append((*begin, *first, *middle, *second, *end))
    scores = [float(row[0]) for row in await rows(engine, prompts, raw=True)]
    await engine.aclose()
    assert np.allclose(scores, values[name], atol=1e-4)


async def test_a_device_that_is_not_there_is_refused(made: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = made
    with pytest.raises(LoadFailed, match="MPS"):
        await loaded(folder / "bert", ModelKind.EMBEDDING, options={"openai_embedding_device": "mps"})


async def test_a_damaged_file_is_refused_in_words(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"junk")
    with pytest.raises(LoadFailed, match="cannot load") as failure:
        await loaded(folder, ModelKind.EMBEDDING)
    assert str(tmp_path) not in failure.value.message
