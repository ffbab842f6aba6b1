"""What a GGUF file is for, told by the beginning of its header."""

from pathlib import Path
from typing import Final

from modules.backends.llamacpp.gguf_header import read_traits
from modules.engine.types import ModelKind
from modules.errors import LoadFailed

# Encoders: they read a text and write none.
_ENCODERS: Final = frozenset(
    "bert nomic-bert nomic-bert-moe jina-bert-v2 jina-bert-v3 modern-bert neo-bert eurobert gemma-embedding "
    "llama-embed".split()
)
_RANK: Final = 4  # llama.h, enum llama_pooling_type
_POOLINGS: Final = (1, 2, 3)


def kind_of_gguf(path: Path) -> ModelKind:
    """CHAT for what cannot be read: whoever loads it is told why."""
    try:
        traits = read_traits(path)
    except LoadFailed:
        return ModelKind.CHAT
    architecture = traits.get("general.architecture")
    pooling = traits.get(f"{architecture}.pooling_type")
    if pooling == _RANK:
        return ModelKind.RERANK
    return ModelKind.EMBEDDING if pooling in _POOLINGS or architecture in _ENCODERS else ModelKind.CHAT
