"""The projector that belongs to a model, in its repository. Pure."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

from modules.models.downloads.hub import RemoteFile
from modules.models.downloads.hub_name import HubName, quantization_of, without_quantization

# bfloat16 is slow on older processors, and quantized projectors see less.
_PRECISIONS: Final = ("F16", "BF16", "Q8_0", "F32")
_SEPARATORS: Final = re.compile(r"[-_.\s]+")
# What a projector's name says besides the model's.
_OWN_WORDS: Final = frozenset(("mmproj", "model", "vision", "audio"))


def projector_of(model: str, projectors: Sequence[RemoteFile], models: Sequence[str]) -> RemoteFile | None:
    """The one of `projectors` for the file `model`. What is called more like another one of `models` is that one's."""
    own = [
        each
        for each in projectors
        if all(_common(other, each.name) <= _common(model, each.name) for other in models if other != model)
    ]
    return min(own, key=lambda each: (-_common(model, each.name), _precision(each.name), each.name), default=None)


def name_beside(model: str, projector: RemoteFile, source: HubName) -> str:
    """What the projector is called beside `model`. Many repositories call theirs mmproj-F16, so the names of the model and
    of the repository's owner are put in; all number formats of a model have one projector."""
    owner, _, repo = source.repo.partition("/")
    parts = ("mmproj", without_quantization(model) or repo, quantization_of(projector.name), owner)
    return "-".join(filter(None, parts)) + PurePosixPath(projector.name).suffix


def _common(model: str, projector: str) -> int:
    """How many letters of the model's name, word by word from its beginning, the projector's has too."""
    words = [word for word in _words(projector) if word not in _OWN_WORDS]
    length = 0
    for ours, theirs in zip(_words(model), words, strict=False):
        if ours != theirs:
            break
        length += len(ours)
    return length


def _words(name: str) -> list[str]:
    return _SEPARATORS.split(PurePosixPath(name).stem.lower())


def _precision(name: str) -> int:
    """The place among the better ones; what does not say is as good as the second."""
    found = quantization_of(name)
    return _PRECISIONS.index(found) if found in _PRECISIONS else len(_PRECISIONS) if found else 1
