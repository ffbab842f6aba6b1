"""The sampling parameters that a file's metadata recommend."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from modules.backends.recommended_sampling import Recommended, recommended_sampling

# Source: gguf-py's constants.py, "Recommended Sampler Parameters".
_KEYS: Final = MappingProxyType(
    {
        "temperature": "general.sampling.temp",
        "top_p": "general.sampling.top_p",
        "top_k": "general.sampling.top_k",
        "min_p": "general.sampling.min_p",
        "repetition_penalty": "general.sampling.penalty_repeat",
    }
)


def recommendations(metadata: Callable[[str], str | None]) -> Recommended:
    """`metadata` are asked for by their keys. What can be no such value is left out."""
    return recommended_sampling({name: _read(metadata(key)) for name, key in _KEYS.items()})


def _read(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
