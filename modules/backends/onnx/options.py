"""The options of the ONNX backend."""

from typing import ClassVar

from modules.settings.options import SettingsGroup, setting


class OnnxOptions(SettingsGroup, frozen=True):
    title: ClassVar[str] = "ONNX Runtime: embeddings and reranking"

    openai_embedding_device: str = setting(
        "cpu",
        "Device of embedding and rerank models that are folders: cpu, cuda, cuda:1, or auto for CUDA where there is one.",
        label="Embedding device",
        key="openai-embedding_device",
        env="OPENEDAI_EMBEDDING_DEVICE",
    )
