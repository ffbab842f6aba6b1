"""The options that all backends of encoder folders have."""

from typing import ClassVar

from modules.settings.options import SettingsGroup, setting


class EncoderOptions(SettingsGroup, frozen=True):
    title: ClassVar[str] = "Embeddings and reranking"

    openai_embedding_device: str = setting(
        "cpu",
        "Device of embedding and rerank models that are folders: cpu, cuda, cuda:1, mps, or auto for CUDA where there is "
        "one. What the loader of a folder cannot use goes to sentence-transformers, where that is installed.",
        label="Embedding device",
        key="openai-embedding_device",
        env="OPENEDAI_EMBEDDING_DEVICE",
    )
