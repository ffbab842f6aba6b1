"""Pictures in a process of its own: a projector that does not fit harms nobody, and nothing else is started for one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modules.engine.process import ProcessEngine
from modules.engine.types import Constraint, Generation, Media, Prompt
from modules.errors import LoadFailed
from modules.sampling import Sampling
from tests.backends.loading import llama_spec
from tests.media_samples import picture
from tests.model_files import SMOLLM2
from tests.projectors import COLOURS, write_colour_projector, write_random_projector
from tests.streams import whole

pytestmark = pytest.mark.model


async def colour_of(engine: ProcessEngine, media: Media) -> str:
    before, cells, after = (
        await engine.tokenize("<|im_start|>user\nWhat colour is this?", special=True),
        await engine.media_tokens(media.shape),
        await engine.tokenize("<|im_end|>\n<|im_start|>assistant\nIt is", special=True),
    )
    generation = Generation(
        prompt=Prompt((*before, *cells, *after), (media,)),
        sampling=Sampling(temperature=0),
        max_tokens=2,
        constraint=Constraint(kind="regex", text=f" ({'|'.join(COLOURS)})"),
    )
    return (await whole(engine, generation)).text.strip()


async def test_a_crashing_projector_leaves_the_loaded_model(
    model_file: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary, started = tmp_path / "bin" / "ffmpeg", tmp_path / "started"
    canary.parent.mkdir()
    canary.write_text(f"#!/bin/sh\ntouch {started}\n")
    canary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{canary.parent}{os.pathsep}{os.environ['PATH']}")
    model = model_file(SMOLLM2)
    seeing = write_colour_projector(tmp_path / "mmproj-colour.gguf", model)
    crashing = write_random_projector(tmp_path / "mmproj-crash.gguf", "idefics3", width=576)
    engine = await ProcessEngine.probe(llama_spec(model, mmproj=str(seeing), context=256))
    try:
        await engine.load(lambda fraction: None)
        assert await colour_of(engine, picture(COLOURS["red"])) == "red"
        with pytest.raises(LoadFailed, match="cannot be loaded with the projector mmproj-crash"):
            await ProcessEngine.probe(llama_spec(model, mmproj=str(crashing), context=256))
        assert await colour_of(engine, picture(COLOURS["blue"])) == "blue"
    finally:
        await engine.aclose()
    assert not started.exists()
