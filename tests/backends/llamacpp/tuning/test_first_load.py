"""A model's first load on a machine measures it, the second does not, and replies stay the reference's."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.backends.llamacpp.tuning.choices import TunedChoice
from modules.backends.llamacpp.tuning.store import ChoiceStore
from modules.engine.types import Generation, LoadSpec, Prompt
from modules.sampling import Sampling
from tests.backends.llamacpp.reference import NEAR_TIE, assert_same, reference
from tests.backends.llamacpp.texts import PROMPTS
from tests.backends.loading import llama_engine, llama_spec
from tests.model_files import SMOLLM2
from tests.streams import whole

pytestmark = pytest.mark.model

COUNT = 16


def first_load(path: Path, folder: Path, **options: object) -> LoadSpec:
    return replace(llama_spec(path, **options), cache_folder=str(folder))


def loaded_tuning(loader: LlamaCppLoader, spec: LoadSpec) -> tuple[str, list[float]]:
    """What the card says of the choice, and the progress that was told."""
    told: list[float] = []
    backend = loader.load(spec, told.append)
    try:
        return backend.card.tuning, told
    finally:
        backend.close()


def test_measured_once_and_kept(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path) -> None:
    spec = first_load(model_file(SMOLLM2), tmp_path, ubatch_size=128)
    said, told = loaded_tuning(llama_cpp, spec)
    assert "flash attention" in said
    assert told == sorted(told)
    assert told[-1] == 1
    (file,) = tmp_path.rglob("*.json")
    # What is found there is believed, so nothing was measured again. A busy machine may have had no time for all of it.
    kept = file.read_text(encoding="utf-8").replace(said, "as it was")
    file.write_text(kept.replace('"is_complete": false', '"is_complete": true'), encoding="utf-8")
    assert loaded_tuning(llama_cpp, spec)[0] == "as it was"
    other = replace(spec, options={**spec.options, "cache_type": "bf16"})
    assert "flash attention" in loaded_tuning(llama_cpp, other)[0]


@pytest.mark.parametrize("options", [{"self_test": False}, {"flash_attn": "on", "ubatch_size": 64}])
def test_not_measured_where_there_is_nothing_to_choose(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path, options: dict[str, object]
) -> None:
    spec = first_load(model_file(SMOLLM2), tmp_path, **options)
    assert loaded_tuning(llama_cpp, spec)[0] == ""
    assert not list(tmp_path.rglob("*"))


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("flash", ["auto", "off"])
async def test_a_lone_greedy_reply_is_that_of_a_reference_with_the_same_setting(
    llama_cpp: LlamaCppLoader,
    model_file: Callable[[str], Path],
    tmp_path: Path,
    flash: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever a self-test chooses: here the choice stands in the file already."""
    monkeypatch.setattr(ChoiceStore, "get", lambda self, key: TunedChoice(flash, 64, 1, 2, "chosen"))
    near_tie = 0.0 if flash == "off" else NEAR_TIE
    with reference(model_file(SMOLLM2), flash=flash != "off") as expected:
        async with llama_engine(llama_cpp, first_load(model_file(SMOLLM2), tmp_path)) as engine:
            assert engine.card.tuning == "chosen"
            for text in PROMPTS[:3]:
                tokens = tuple(await engine.tokenize(text, special=True))
                generation = Generation(prompt=Prompt(tokens), sampling=Sampling(temperature=0), max_tokens=COUNT)
                reply = await whole(engine, generation)
                assert_same(reply.tokens, expected.greedy(tokens, COUNT), engine.card.eos_ids, near_tie=near_tie)
