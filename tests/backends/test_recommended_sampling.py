"""What model files recommend, as the card has it."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gguf
import pytest

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.backends.llamacpp.recommendations import recommendations
from modules.backends.recommended_sampling import recommended_sampling
from modules.backends.registry import BACKENDS
from tests.backends.llamacpp.mixture import write_mixture
from tests.backends.loading import llama_spec, transformers_spec
from tests.model_files import SMOLLM2

STATED = {"temperature": 0.6, "top_p": 0.95, "top_k": 20, "min_p": 0.0, "repetition_penalty": 1.05}


@pytest.mark.parametrize(
    ("stated", "found"),
    [
        (STATED, STATED),
        ({"do_sample": True, "eos_token_id": 2, "temperature": 1}, {"temperature": 1.0}),
        ({"top_k": 40.0, "top_p": None, "min_p": "0.1"}, {"top_k": 40}),
        ({"temperature": float("nan"), "top_p": 1.5, "top_k": -1, "min_p": True, "repetition_penalty": 0}, {}),
        ({"temperature": float("inf"), "top_k": 10**400, "top_p": [0.5]}, {}),
        ({}, {}),
    ],
)
def test_what_can_be_meant_is_taken(stated: dict[str, object], found: dict[str, float]) -> None:
    assert dict(recommended_sampling(stated)) == found


@pytest.mark.parametrize("text", ["", "much", "nan", "inf", "-1"])
def test_metadata_that_are_no_numbers_are_passed_over(text: str) -> None:
    assert recommendations(lambda _key: text) == ()


def test_folders_say_it_in_their_generation_config(tmp_path: Path) -> None:
    from tests.backends.transformers.folders import tiny_folder  # noqa: PLC0415 - PyTorch is imported with it

    folder = tiny_folder(tmp_path / "tiny")
    card = BACKENDS.loader_for("Transformers").probe(transformers_spec(folder))
    assert card.recommended_sampling == ()
    config = json.loads((folder / "generation_config.json").read_text("utf-8"))
    (folder / "generation_config.json").write_text(json.dumps(config | STATED), encoding="utf-8")
    again = BACKENDS.loader_for("Transformers").probe(transformers_spec(folder))
    assert again == replace(card, recommended_sampling=tuple(STATED.items()))


@pytest.mark.model
def test_gguf_files_say_it_in_their_metadata(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path
) -> None:
    def stated(writer: gguf.GGUFWriter) -> None:
        writer.add_float32("general.sampling.temp", 0.6)
        writer.add_float32("general.sampling.top_p", 0.95)
        writer.add_int32("general.sampling.top_k", 20)
        writer.add_float32("general.sampling.penalty_repeat", 1.05)

    assert llama_cpp.probe(llama_spec(model_file(SMOLLM2))).recommended_sampling == ()
    path = write_mixture(tmp_path / "stated.gguf", model_file(SMOLLM2), metadata=stated)
    found = llama_cpp.probe(llama_spec(path)).recommended_sampling
    assert dict(found) == {name: value for name, value in STATED.items() if name != "min_p"}
