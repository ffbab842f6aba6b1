"""What a folder of a Whisper model says about itself, read without any library."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modules.errors import LoadFailed

WEIGHTS: Final = "model.bin"
_CONFIG: Final = "config.json"
_VOCABULARIES: Final = ("vocabulary.json", "vocabulary.txt")
_TOKENIZER: Final = "tokenizer.json"
# CTranslate2's files begin with a version, four bytes, and the name of the model's class with its length.
_SIGN: Final = b"\x0c\x00WhisperSpec\x00"
_SIGN_AT: Final = 4
_MAX_BYTES: Final = 4 * 2**20
# Turbo and the distilled models have not learnt to translate. Their decoders have few layers, and attention that tells
# the times of words is in the last of them.
_LAST_LAYER_OF_DISTILLED: Final = 1
_LAST_LAYER_OF_TURBO: Final = 3
# Turbo was made from large-v3, which has as many; tiny, with as few layers as turbo, has one less.
_LANGUAGES_OF_TURBO: Final = 100


@dataclass(frozen=True, slots=True)
class WhisperFolder:
    """`weight_bytes` as they are on disk, usually in half precision. `can_translate` holds of models that know more than
    English."""

    path: Path
    weight_bytes: int
    can_translate: bool


def is_whisper_folder(path: Path) -> bool:
    """Whether CTranslate2's Whisper is in the folder."""
    try:
        with (path / WEIGHTS).open("rb") as file:
            return file.read(_SIGN_AT + len(_SIGN))[_SIGN_AT:] == _SIGN
    except OSError:
        return False


def read_whisper_folder(path: Path) -> WhisperFolder:
    """Raises LoadFailed where a file is missing or broken."""
    if not is_whisper_folder(path):
        raise LoadFailed(f"{path.name} is no folder of a Whisper model for CTranslate2.")
    missing = [name for name in (_CONFIG, _TOKENIZER) if not (path / name).is_file()]
    if not any((path / name).is_file() for name in _VOCABULARIES):
        missing.append(_VOCABULARIES[0])
    if missing:
        raise LoadFailed(f"{path.name} is incomplete: {', '.join(missing)} is missing. Download the model again.")
    weight_bytes = (path / WEIGHTS).stat().st_size
    return WhisperFolder(path, weight_bytes, can_translate=not _is_cut_down(path, _config(path)))


def _config(path: Path) -> dict[str, Any]:
    try:
        text = (path / _CONFIG).read_bytes()[:_MAX_BYTES]
        config = json.loads(text)
    except (OSError, ValueError):
        config = None
    if not isinstance(config, dict):
        raise LoadFailed(f"{path.name} is broken: its {_CONFIG} cannot be read. Download the model again.")
    return config


def _is_cut_down(path: Path, config: dict[str, Any]) -> bool:
    """Turbo and the distilled models: by name, or by the few layers that a decoder of a large model has."""
    if "turbo" in path.name.lower() or "distil" in path.name.lower():
        return True
    heads, languages = config.get("alignment_heads"), config.get("lang_ids")
    if not isinstance(heads, list) or not isinstance(languages, list):
        return False
    last = max((head[0] for head in heads if isinstance(head, list) and head), default=_LAST_LAYER_OF_TURBO + 1)
    few = _LAST_LAYER_OF_TURBO if len(languages) == _LANGUAGES_OF_TURBO else _LAST_LAYER_OF_DISTILLED
    return bool(last <= few)
