"""The names that number formats have in GGUF repositories: which text is one, and which one a file's name says."""

import re
from pathlib import PurePosixPath
from typing import Final

# llama.cpp's types, those of its forks and Unsloth's and mradermacher's prefixes: Q4_K_M, IQ4_XS, UD-Q4_K_XL, i1-Q6_K …
_NAME: Final = (
    r"(?:(?:UD|I1)[-_])?"
    r"(?:(?:I?Q[1-9]|TQ[12])(?:_(?:[A-Z]{1,3}|R?\d{1,2})(?![A-Z0-9]))*|MXFP\d+(?:_MOE)?|NVFP4|BF16|FP?(?:16|32|64))"
)
_WHOLE: Final = re.compile(_NAME, re.IGNORECASE)
_WITHIN: Final = re.compile(rf"(?<![A-Z0-9]){_NAME}(?![A-Z0-9])", re.IGNORECASE)
_PREFIX: Final = re.compile(r"(UD|I1)[-_]")
_DYNAMIC: Final = "UD-"


def is_quantization(text: str) -> bool:
    """Whether `text` looks like the name of a number format rather than like that of a branch."""
    return _WHOLE.fullmatch(text) is not None


def quantization_of(file_name: str) -> str | None:
    """What the file's name says of its number format, else what its folder's name says; in `normal` form."""
    path = PurePosixPath(file_name)
    for part in (path.name, *reversed(path.parts[:-1])):
        found = _WITHIN.findall(part)
        if found:
            return normal(found[-1])
    return None


def normal(quantization: str) -> str:
    """One spelling for all of a format's: `fp16` is F16, and that a file was made with an importance matrix (i1) is no
    difference."""
    name = quantization.upper().replace("FP16", "F16").replace("FP32", "F32")
    prefix = _PREFIX.match(name)
    if prefix is None:
        return name
    return name[prefix.end() :] if prefix[1] == "I1" else _DYNAMIC + name[prefix.end() :]


def dynamic(quantization: str) -> str:
    """Unsloth's variety of the format, for repositories that have only that one."""
    return _DYNAMIC + quantization
