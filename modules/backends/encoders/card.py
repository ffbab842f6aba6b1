"""What is true of the encoder of a folder."""

from modules.backends.encoders.folder import EncoderFolder
from modules.backends.encoders.tokenizer import FolderTokenizer
from modules.engine.types import LoadSpec, ModelCard, ModelKind


def encoder_card(spec: LoadSpec, folder: EncoderFolder, tokenizer: FolderTokenizer, size: int) -> ModelCard:
    """`size` is how many numbers a vector has, or how many scores a pair."""
    return ModelCard(
        name=spec.name,
        loader=spec.loader,
        context=folder.max_length,
        trained_context=folder.max_length,
        vocabulary=tokenizer.size,
        architecture=folder.architecture,
        size_bytes=sum(file.stat().st_size for file in folder.weights),
        kind=folder.kind,
        embedding_size=size,
        embedding_frame=tokenizer.frame,
        embedding_prompts=folder.prompts,
        pair_frame=tokenizer.pair_frame if folder.kind is ModelKind.RERANK else (),
        label_groups=folder.label_groups if folder.kind is ModelKind.MODERATION else (),
    )
