"""Small models that are known to be good, for machines that have none yet."""

from dataclasses import dataclass
from typing import Final

from modules.models.downloads.plan import LOADABLE
from modules.models.gauge import GIB, Room

_MOST: Final = 4
# What a model takes beside its file, for a context of some thousand tokens.
_BESIDE: Final = 1.25


@dataclass(frozen=True, slots=True)
class SuggestedModel:
    """`repository` is its name on the hub without the format; `gib` the size of the file."""

    title: str
    repository: str
    quantization: str
    gib: float

    @property
    def source(self) -> str:
        """What the download section takes."""
        return f"{self.repository}-{LOADABLE}:{self.quantization}"


# Repositories on huggingface.co, the largest first.
SUGGESTED: Final = (
    SuggestedModel("Qwen3 32B", "Qwen/Qwen3-32B", "Q4_K_M", 18.4),
    SuggestedModel("Mistral Small 3.2 24B", "unsloth/Mistral-Small-3.2-24B-Instruct-2506", "Q4_K_M", 13.4),
    SuggestedModel("Qwen3 14B", "Qwen/Qwen3-14B", "Q4_K_M", 8.4),
    SuggestedModel("Gemma 3 12B", "ggml-org/gemma-3-12b-it", "Q4_K_M", 6.8),
    SuggestedModel("Qwen3 8B", "Qwen/Qwen3-8B", "Q4_K_M", 4.7),
    SuggestedModel("Gemma 3 4B", "ggml-org/gemma-3-4b-it", "Q4_K_M", 2.3),
    SuggestedModel("Qwen3 4B", "Qwen/Qwen3-4B", "Q4_K_M", 2.3),
    SuggestedModel("SmolLM3 3B", "ggml-org/SmolLM3-3B", "Q4_K_M", 1.8),
    SuggestedModel("Qwen3 1.7B", "Qwen/Qwen3-1.7B", "Q8_0", 1.7),
    SuggestedModel("Gemma 3 1B", "ggml-org/gemma-3-1b-it", "Q4_K_M", 0.8),
    SuggestedModel("Qwen3 0.6B", "Qwen/Qwen3-0.6B", "Q8_0", 0.6),
)


def suggested(room: Room) -> tuple[SuggestedModel, ...]:
    """The largest that have room on the graphics cards, or in main memory where there are none."""
    free = room.gpu_total or room.host_free
    return tuple(model for model in SUGGESTED if model.gib * GIB * _BESIDE <= free)[:_MOST]
