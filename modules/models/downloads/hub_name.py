"""Parses the names of models on a hub: repository, revision, quantization."""

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from modules.errors import BadRequest

# llama.cpp's types, those of its forks and Unsloth's and mradermacher's prefixes: Q4_K_M, IQ4_XS, UD-Q4_K_XL, i1-Q6_K …
_NAME: Final = (
    r"(?:(?:UD|I1)[-_])?"
    r"(?:(?:I?Q[1-9]|TQ[12])(?:_(?:[A-Z]{1,3}|R?\d{1,2})(?![A-Z0-9]))*|MXFP\d+(?:_MOE)?|NVFP4|BF16|FP?(?:16|32|64))"
)
_WHOLE: Final = re.compile(_NAME, re.IGNORECASE)
_WITHIN: Final = re.compile(rf"(?<![A-Z0-9]){_NAME}(?![A-Z0-9])", re.IGNORECASE)
# Unsloth writes UD- before its dynamic quantizations, mradermacher i1- before those with an importance matrix.
_PREFIX: Final = re.compile(r"(UD|I1)[-_]")
_DYNAMIC: Final = "UD-"
_PART_NUMBER: Final = re.compile(r"-\d{5}-of-\d{5}$")


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


def without_quantization(file_name: str) -> str:
    """The name of a model's file without its folder, its ending and its number format: the same for all formats."""
    stem = _PART_NUMBER.sub("", PurePosixPath(file_name).stem)
    return _WITHIN.sub("", stem).strip("-_. ")


def title_of(name: str) -> str:
    """What people call a model of that name: without its folder, and a file's ending and number format."""
    base = name.rpartition("/")[2]
    return (without_quantization(base) if base.lower().endswith(".gguf") else base) or base


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


MAIN: Final = "main"

_PARAM: Final = "model"
_MAX_LENGTH: Final = 1024
# Names of owners and repositories on the hub; no slash and no leading dot, for they become folders.
_PART: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_-])?")
# Names of Git branches and tags, and commits.
_REVISION: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}")
_PUBLIC_HOSTS: Final = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
_FILE_VIEWS: Final = frozenset({"resolve", "blob", "raw"})
# First parts of addresses on the hub that lead to no model.
_OTHER_KINDS: Final = frozenset({"datasets", "spaces", "kernels", "collections", "api"})
_HOW: Final = "Give a model as owner/name, owner/name:Q4_K_M or owner/name:branch, or as its address on the hub."
# How other programs say that a name is one of the hub.
_PREFIXES: Final = ("hf://", "hf:")
# Ollama's name for the default quantization.
_LATEST: Final = "latest"
_GGUF: Final = ".gguf"


@dataclass(frozen=True, slots=True)
class HubName:
    """A repository, `owner/name`, at a branch, tag or commit. `file` is what the name points at inside it, if it does:
    a file, or a folder when it ends in a slash; `quantization` is the number format it asks for."""

    repo: str
    revision: str = MAIN
    file: str | None = None
    quantization: str | None = None

    @property
    def folder(self) -> str:
        """What the model's folder is called on disk."""
        branch = "" if self.revision == MAIN else f"_{self.revision}"
        return f"{self.repo}{branch}".replace("/", "_")


def parse_hub_name(text: str, endpoint: str, branch: str | None = None) -> HubName:
    """Raises BadRequest for what names no model on the hub at `endpoint`. `branch` goes above the one in `text`.

    Nothing is ever fetched from an address in `text`: what it names is looked for on the hub.
    """
    text = text.strip()
    if len(text) > _MAX_LENGTH:
        raise _bad("The name is too long.")
    prefix = next((prefix for prefix in _PREFIXES if text.lower().startswith(prefix)), "")
    text = text[len(prefix) :]
    address = _address(text, urlsplit(endpoint))
    name = _from_path(address) if address is not None else _from_short(text)
    return _checked(replace(name, revision=branch) if branch else name)


def _address(text: str, hub: SplitResult) -> list[str] | None:
    """The decoded path of an address on the hub, in segments; None for what is no address. The scheme may be left out."""
    hosts = _PUBLIC_HOSTS | {hub.netloc.lower()}
    if "://" not in text and text.partition("/")[0].lower() not in hosts:
        return None
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError as error:
        raise _bad("This is no address.") from error
    if parts.scheme not in {"http", "https"} or parts.netloc.lower() not in hosts:
        raise _bad(f"Models come from {hub.hostname} only.")
    path = parts.path.removeprefix(hub.path) if parts.netloc.lower() == hub.netloc.lower() else parts.path
    segments = [unquote(segment) for segment in path.strip("/").split("/")]
    # What the hub's page has in its address while it shows what is in a file.
    shown = parse_qs(parts.query).get("show_file_info", [""])[0]
    revision = segments[3] if len(segments) == 4 else MAIN
    return [*segments[:2], "blob", revision, *shown.split("/")] if shown and len(segments) in {2, 4} else segments


def _from_path(segments: list[str]) -> HubName:
    match segments:
        case [kind, *_] if kind in _OTHER_KINDS:
            raise _bad("This is not the address of a model.")
        case [owner, name]:
            return _tagged(f"{owner}/{name}")
        case [owner, name, "tree", revision]:
            return HubName(f"{owner}/{name}", revision)
        case [owner, name, "tree", revision, *folder]:
            return HubName(f"{owner}/{name}", revision, "/".join(folder) + "/")
        case [owner, name, view, revision, *file] if view in _FILE_VIEWS and file:
            return HubName(f"{owner}/{name}", revision, "/".join(file))
        case _:
            raise _bad("This is not the address of a model or of one of its files.")


def _from_short(text: str) -> HubName:
    """With a file's path below the repository's name too, as some programs write it."""
    segments = text.split("/")
    if len(segments) > 2 and ":" not in text and text.lower().endswith(_GGUF):
        return HubName("/".join(segments[:2]), file="/".join(segments[2:]))
    return _tagged(text)


def _tagged(text: str) -> HubName:
    """`owner/name`, and after a colon a quantization, a GGUF file, or else a branch."""
    repo, colon, tag = text.partition(":")
    if not colon or tag.lower() == _LATEST:
        return HubName(repo)
    if is_quantization(tag):
        return HubName(repo, quantization=tag.upper())
    return HubName(repo, file=tag) if tag.lower().endswith(_GGUF) else HubName(repo, tag)


def _checked(name: HubName) -> HubName:
    parts = name.repo.split("/")
    if len(parts) != 2 or not all(_PART.fullmatch(part) and ".." not in part for part in parts):
        raise _bad("This is not the name of a model.")
    if not _REVISION.fullmatch(name.revision) or ".." in name.revision or name.revision.endswith(("/", ".")):
        raise _bad("This is not the name of a branch.")
    return name


def _bad(complaint: str) -> BadRequest:
    return BadRequest(f"{complaint} {_HOW}", param=_PARAM)
