"""What `one_click.py fetch` offers: good small models of each kind, where they are, and what they need."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from installer.media_models import KOKORO, OPEN_NSFW, WHISPER_BASE, CarriedFiles
from installer.model_folders import MINILM, MPNET, CarriedFolder

# In the user data folder.
MODELS = "models"
IMAGE_MODELS = "image_models"
PROJECTORS = "mmproj"


@dataclass(frozen=True, slots=True)
class Offer:
    """`files` of a repository of the hub, which the program's own downloader checks; a slash at the end means all of a
    folder. Without `hub` they are in packages only. `carried` is the same model in packages. It goes into the folder `place`. `note` is for who fetches it. It needs the
    set `requirements` in place of the one of its kind."""

    hub: str
    files: tuple[str, ...]
    carried: CarriedFolder | CarriedFiles | None = None
    place: str = MODELS
    note: str = ""
    requirements: str = ""

    @property
    def name(self) -> str:
        return self.hub or (self.carried.name if self.carried else "")

    @property
    def folder_name(self) -> str:
        return self.name.replace("/", "_")

    @property
    def is_flat(self) -> bool:
        """Whether it is no folder of its own: GGUF files lie beside each other, and projectors in a folder of theirs."""
        return all(file.endswith(".gguf") for file in self.files)


_ENCODER = (
    "config.json",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)
_SENTENCE_ENCODER = (
    *_ENCODER,
    "1_Pooling/config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
)
_PIPELINE = (
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.fp16.safetensors",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.fp16.safetensors",
)

# The first of each kind is what is fetched when no model is named.
OFFERS: Mapping[str, Mapping[str, Offer]] = MappingProxyType(
    {
        "embedding": {
            "all-MiniLM-L6-v2": Offer(MINILM.hub, _SENTENCE_ENCODER, MINILM),
            "all-mpnet-base-v2": Offer(MPNET.hub, _SENTENCE_ENCODER, MPNET),
        },
        "rerank": {"ms-marco-MiniLM-L6-v2": Offer("cross-encoder/ms-marco-MiniLM-L6-v2", _ENCODER)},
        "speech": {
            "Kokoro-82M-v1.0-ONNX": Offer(KOKORO.hub, ("config.json", "onnx/model_quantized.onnx", "voices/"), KOKORO)
        },
        "transcription": {
            "faster-whisper-base": Offer(
                WHISPER_BASE.hub, ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt"), WHISPER_BASE
            ),
            "faster-whisper-small": Offer(
                "Systran/faster-whisper-small", ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt")
            ),
        },
        "vision": {
            "SmolVLM2-500M": Offer(
                "ggml-org/SmolVLM2-500M-Video-Instruct-GGUF",
                ("SmolVLM2-500M-Video-Instruct-Q8_0.gguf", "mmproj-SmolVLM2-500M-Video-Instruct-Q8_0.gguf"),
                note="0.5 GB, fast on processors. Choose it on the page or start with --model.",
            ),
            "Qwen3-VL-2B": Offer(
                "Qwen/Qwen3-VL-2B-Instruct-GGUF",
                ("Qwen3VL-2B-Instruct-Q4_K_M.gguf", "mmproj-Qwen3VL-2B-Instruct-Q8_0.gguf"),
                note="1.6 GB, reads text in pictures as well. Choose it on the page or start with --model.",
            ),
        },
        "moderation": {"open_nsfw": Offer(OPEN_NSFW.hub, ("open-nsfw.onnx",), OPEN_NSFW)},
        "image": {
            "SD-Turbo-GGUF": Offer(
                "Green-Sky/SD-Turbo-GGUF",
                ("sd_turbo-f16-q8_0.gguf",),
                place=IMAGE_MODELS,
                note="2 GB, one to four steps a picture, without PyTorch. Its licence is Stability AI's community licence.",
            ),
            "sd-turbo": Offer(
                "stabilityai/sd-turbo",
                _PIPELINE,
                place=IMAGE_MODELS,
                note="2.6 GB, the same as a folder for PyTorch. Its licence is Stability AI's community licence.",
                requirements="torch.txt",
            ),
        },
    }
)

# The requirement set that a kind needs beside the base.
REQUIREMENTS: Mapping[str, str] = MappingProxyType(
    {"speech": "speech.txt", "transcription": "transcription.txt", "image": "image.txt"}
)


def requirements_of(kind: str, offer: Offer) -> str | None:
    return offer.requirements or REQUIREMENTS.get(kind)


# Every one that some model needs.
EXTRA_SETS: tuple[str, ...] = tuple(
    dict.fromkeys(
        filter(None, (requirements_of(kind, offer) for kind, offers in OFFERS.items() for offer in offers.values()))
    )
)
