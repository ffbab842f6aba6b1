"""What is recommended for a model: its files first, then its family, then general values."""

import pytest

from modules.engine.types import ModelCard
from modules.models.recommended_sampling import FAMILIES, RECOMMENDABLE, family_of, recommended_for
from modules.sampling import Sampling
from modules.settings.values import Settings


def card(name: str, **stated: float) -> ModelCard:
    return ModelCard(name=name, loader="x", context=10, vocabulary=10, recommended_sampling=tuple(stated.items()))


def test_files_go_above_the_family_and_what_they_leave_out_is_off() -> None:
    found = recommended_for("Qwen3-8B", card("Qwen3-8B", temperature=0.25, top_k=3))
    assert found.source == "the model's files"
    assert dict(found.values) == {
        **{name: getattr(Sampling(), name) for name in RECOMMENDABLE},
        "temperature": 0.25,
        "top_k": 3,
    }


@pytest.mark.parametrize("name", [None, "", "scripted", "story-writer.gguf", "notqwen3.gguf"])
def test_unknown_models_have_general_values(name: str | None) -> None:
    found = recommended_for(name, None)
    assert "general" in found.source
    assert (found.values["temperature"], found.values["top_p"]) == (0.7, 0.95)
    assert (found.values["top_k"], found.values["min_p"]) == (40, 0.05)


@pytest.mark.parametrize(
    ("name", "is_thinking", "values"),
    [
        ("Qwen3-8B-Q4_K_M.gguf", True, (0.6, 0.95, 20, 0)),
        ("folder/Qwen3-8B-Q4_K_M.gguf", False, (0.7, 0.8, 20, 0)),
        ("Qwen3-30B-A3B-Instruct-2507", True, (0.7, 0.8, 20, 0)),
        ("unsloth_Qwen3-4B-Thinking-2507-GGUF", False, (0.6, 0.95, 20, 0)),
        ("Qwen2.5-Coder-0.5B.gguf", True, (0.7, 0.8, 20, 0)),
        ("Meta-Llama-3.1-8B-Instruct.Q5_K_M.gguf", True, (0.6, 0.9, 0, 0)),
        ("gemma-3-270m-it-Q8_0.gguf", True, (1.0, 0.95, 64, 0)),
        ("gemma-2-9b-it", True, (1.0, 0.95, 64, 0)),
        ("Magistral-Small-2509", True, (0.7, 0.95, 0, 0)),
        ("Devstral-Small-2507", True, (0.15, 1.0, 0, 0)),
        ("Mistral-Small-3.2-24B", True, (0.15, 1.0, 0, 0)),
        ("Phi-4-mini-reasoning", True, (0.8, 0.95, 50, 0)),
        ("DeepSeek-R1-Distill-Qwen-7B", True, (0.6, 0.95, 0, 0)),
        ("vllm/deepseek-ai/DeepSeek-V3-0324", True, (0.3, 1.0, 0, 0)),
        ("GLM-4.6", True, (1.0, 0.95, 0, 0)),
        ("gpt-oss-20b-mxfp4.gguf", True, (1.0, 1.0, 0, 0)),
        ("SmolLM2-360M-Instruct-Q8_0.gguf", True, (0.2, 0.9, 0, 0)),
        ("LFM2-1.2B", True, (0.3, 1.0, 0, 0.15)),
        ("Kimi-K2-Instruct-0905", True, (0.6, 1.0, 0, 0)),
        ("granite-4.0-h-tiny", True, (0.0, 1.0, 0, 0)),
    ],
)
def test_families_are_known_by_their_names(name: str, is_thinking: bool, values: tuple[float, ...]) -> None:
    found = recommended_for(name, None, is_thinking=is_thinking).values
    assert tuple(found[each] for each in ("temperature", "top_p", "top_k", "min_p")) == values


def test_every_row_has_a_source_and_allowed_values() -> None:
    for row in FAMILIES:
        assert row.source
        for thinks in (True, False):
            Settings().with_changes(row.values(is_thinking=thinks))
    assert family_of("unknown") is None
