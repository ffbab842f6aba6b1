"""Chooses a repository's files that make up the wanted model, and their places on disk. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import PurePosixPath
from typing import Final

from modules.errors import BadRequest
from modules.models.downloads.hub import RemoteFile, RepoFiles
from modules.models.downloads.hub_name import dynamic, normal, quantization_of
from modules.models.downloads.projectors import name_beside, projector_of
from modules.settings.options import did_you_mean

MODELS: Final = "models"
PROJECTORS: Final = "mmproj"
# What can be loaded of what is downloaded, for messages.
LOADABLE: Final = "GGUF"

_PARAM: Final = "files"
_PART_NUMBER: Final = re.compile(r"-\d{5}-of-(\d{5})(?=\.gguf$)", re.IGNORECASE)
# What is left of a model that was cut up to get below a limit on sizes; only joined together it can be loaded.
_PIECE: Final = re.compile(r"\.gguf(?:[.-](?:part|split)[-_.]?\w+|[.-]\d+|[.-][a-z]{1,2})$", re.IGNORECASE)
# Loading a pickle runs code that is in it.
_PICKLES: Final = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})
# Configuration, tokenizers and templates: small, and some loaders need them beside the weights.
_TEXTS: Final = frozenset({".json", ".txt", ".md", ".jinja", ".model", ".tiktoken", ".yaml", ".yml", ".vocab", ".spm"})
# Folders with the same weights once more, for other programs.
_COPIES: Final = frozenset({"original", "metal", "onnx", "openvino", "coreml", "gguf"})
# Kokoro's voices: 510 styles of 256 numbers.
_VOICES: Final = "voices"
_VOICE_BYTES: Final = 510 * 256 * 4
_WEIGHTS: Final = "model.bin"
_VOCABULARIES: Final = frozenset({"vocabulary.txt", "vocabulary.json"})
# More lines push the message itself off a terminal.
_SHOWN: Final = 40


class FileKind(Enum):
    """What a file is, by its name."""

    SAFETENSORS = auto()
    GGUF = auto()
    PROJECTOR = auto()
    PICKLE = auto()
    CODE = auto()
    TEXT = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Weights:
    """One model in a repository, in as many files as it was cut into; `name` is the first one's."""

    name: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def is_whole(self) -> bool:
        """Whether all the parts are there that the names of the parts speak of."""
        part = _PART_NUMBER.search(self.name)
        return part is None or len(self.files) == int(part[1])


@dataclass(frozen=True, slots=True)
class Wish:
    """`files` are names in the repository, folders with a slash at the end; empty means what the model needs.

    `quantization` is the number format it has to be, above the one that the repository's name asks for;
    `default_quantization` chooses among several GGUF models when none is asked for. `exclude` is a regular expression
    for names that are left out. `with_code` lets Python files come along. `with_projector` lets a model's projector come
    along, where the repository has one and none is named.
    """

    files: tuple[str, ...] = ()
    text_only: bool = False
    quantization: str | None = None
    default_quantization: str | None = None
    exclude: str | None = None
    with_code: bool = False
    with_projector: bool = True


@dataclass(frozen=True, slots=True)
class ChosenFile:
    """A file and where it goes: into one of the user's folders, `MODELS` or `PROJECTORS`, under a relative `path`."""

    file: RemoteFile
    place: str
    path: str


@dataclass(frozen=True, slots=True)
class DownloadChoice:
    """`target` is the name that the model list has for the result; it is a folder if `is_folder`."""

    repo: RepoFiles
    files: tuple[ChosenFile, ...]
    target: str
    is_folder: bool

    @property
    def size(self) -> int:
        return sum(chosen.file.size for chosen in self.files)


def kind_of(name: str) -> FileKind:
    path = PurePosixPath(name.lower())
    if path.suffix == ".gguf":
        if path.stem.endswith("imatrix") and quantization_of(path.name) is None:
            return FileKind.OTHER
        return FileKind.PROJECTOR if "mmproj" in path.name else FileKind.GGUF
    if path.suffix == ".safetensors":
        return FileKind.SAFETENSORS
    if path.suffix in _PICKLES:
        return FileKind.PICKLE
    if path.suffix == ".py":
        return FileKind.CODE
    return FileKind.TEXT if path.suffix in _TEXTS else FileKind.OTHER


def loadable_weights(files: Iterable[RemoteFile]) -> list[Weights]:
    """The models among `files` that can be loaded, those in several parts as one, smallest first."""
    groups: dict[str, list[RemoteFile]] = {}
    for file in files:
        if kind_of(file.name) is FileKind.GGUF:
            groups.setdefault(_PART_NUMBER.sub(r"-of-\1", file.name), []).append(file)
    found = (sorted(group, key=lambda file: file.name) for group in groups.values())
    return sorted((Weights(group[0].name, tuple(group)) for group in found), key=lambda weights: weights.size)


def choose(repo: RepoFiles, wish: Wish) -> DownloadChoice:
    """Raises BadRequest that says what there is, when what is wanted is not there, not clear or not safe."""
    allowed = RepoFiles(repo.source, repo.commit, tuple(_without(repo.files, wish.exclude)))
    files = _wanted(allowed, wish)
    if not files:
        raise BadRequest("There is nothing to download: every file is left out.", param=_PARAM)
    if any(kind_of(file.name) is FileKind.CODE for file in files) and not wish.with_code:
        raise BadRequest(
            "Python files are downloaded only when the program was started with --trust-remote-code.", param=_PARAM
        )
    choice = _placed(repo, files)
    return _with_projector(choice, allowed) if wish.with_projector else choice


def _wanted(repo: RepoFiles, wish: Wish) -> list[RemoteFile]:
    if wish.files:
        return _named(repo, wish.files)
    if repo.source.file is None:
        return _needed(repo, wish)
    files = _named(repo, (repo.source.file,))
    if any(kind_of(file.name) is FileKind.SAFETENSORS for file in files):
        raise _safetensors_refused(repo)
    return files


def _without(files: Sequence[RemoteFile], exclude: str | None) -> Iterator[RemoteFile]:
    try:
        pattern = re.compile(exclude) if exclude else None
    except re.error as error:
        raise BadRequest(f"The pattern to exclude is not a regular expression: {error}.", param="exclude") from error
    yield from (file for file in files if pattern is None or not pattern.search(file.name))


def _named(repo: RepoFiles, names: Sequence[str]) -> list[RemoteFile]:
    chosen: dict[str, RemoteFile] = {}
    for name in names:
        found = _matching(repo, name)
        if any(kind_of(file.name) is FileKind.PICKLE and not _is_plain(repo, file) for file in found):
            raise _pickle_refused(repo)
        chosen |= {file.name: file for file in found}
    return list(chosen.values())


def _matching(repo: RepoFiles, name: str) -> Sequence[RemoteFile]:
    """With one part of a model all parts are meant."""
    if name.endswith("/"):
        found = [
            file
            for file in repo.files
            if file.name.startswith(name)
            and (
                kind_of(file.name) in {FileKind.SAFETENSORS, FileKind.GGUF, FileKind.PROJECTOR, FileKind.TEXT}
                or _is_plain(repo, file)
            )
        ]
    else:
        found = [file for file in repo.files if name in {file.name, PurePosixPath(file.name).name}]
        found = [file for file in found if file.name == name] or found
    if not found or (len(found) > 1 and not name.endswith("/")):
        raise _not_there(repo, name)
    if len(found) == 1:
        weights = next((each for each in loadable_weights(repo.files) if found[0] in each.files), None)
        if weights is not None and not weights.is_whole:
            raise BadRequest(f"{repo.source.repo} does not have all parts of {weights.name}.", param=_PARAM)
        return weights.files if weights is not None else found
    return found


def _is_plain(repo: RepoFiles, file: RemoteFile) -> bool:
    """Whether the file, by its name one that could be a pickle, holds numbers that its readers take as they are: weights
    of CTranslate2, whose vocabulary lies beside them, or a voice, one array in a folder of such."""
    path = PurePosixPath(file.name)
    if path.parent.name == _VOICES and path.suffix == ".bin":
        return file.size == _VOICE_BYTES
    names = {other.name for other in repo.files}
    return file.name == _WEIGHTS and bool(names & _VOCABULARIES)


def _needed(repo: RepoFiles, wish: Wish) -> list[RemoteFile]:
    if wish.text_only:
        return [file for file in repo.files if _is_text(file, wish)]
    models = [each for each in loadable_weights(repo.files) if each.is_whole]
    quantization = wish.quantization or repo.source.quantization
    if models or (quantization and _pieces(repo)):
        return list(_one_of(repo, models, quantization, wish.default_quantization).files)
    raise _no_model(repo)


def _is_text(file: RemoteFile, wish: Wish) -> bool:
    kind = kind_of(file.name)
    return not _is_copy(file) and (kind is FileKind.TEXT or (kind is FileKind.CODE and wish.with_code))


def _is_copy(file: RemoteFile) -> bool:
    folders = PurePosixPath(file.name.lower()).parts[:-1]
    return bool(folders) and (folders[0] in _COPIES or any(folder.startswith(".") for folder in folders))


def _one_of(repo: RepoFiles, models: Sequence[Weights], wished: str | None, default: str | None) -> Weights:
    """A wished quantization is never replaced by another one."""
    quantization = wished or default
    fitting = _quantized(models, quantization) if quantization else []
    if wished and not fitting:
        raise BadRequest(_missing(repo, models, normal(wished)), param=_PARAM)
    models = fitting if wished or len(fitting) == 1 else models
    if len(models) > 1:
        those = f"{normal(wished)} models" if wished else "GGUF models"
        raise BadRequest(
            f"There are {len(models)} {those} in this repository; choose one by its file name:\n{_listed(models)}",
            param=_PARAM,
        )
    return models[0]


def _quantized(models: Sequence[Weights], quantization: str) -> list[Weights]:
    """Unsloth's varieties count as the format they are named after where there is no plain one."""
    name = normal(quantization)
    found = [each for each in models if quantization_of(each.name) == name]
    return found or [each for each in models if quantization_of(each.name) == dynamic(name)]


def _missing(repo: RepoFiles, models: Sequence[Weights], quantization: str) -> str:
    pieces = [name for name in _pieces(repo) if quantization_of(name) in {quantization, dynamic(quantization)}]
    why = f": {pieces[0]} has to be joined with other pieces first" if pieces else ""
    there = f" Choose another one:\n{_listed(models)}" if models else ""
    return f"{repo.source.repo} has no {quantization} GGUF that can be loaded{why}.{there}"


def _pieces(repo: RepoFiles) -> list[str]:
    """Files with less than a whole model in them."""
    parts = (file.name for each in loadable_weights(repo.files) if not each.is_whole for file in each.files)
    return [*(file.name for file in repo.files if _PIECE.search(file.name)), *parts]


def _no_model(repo: RepoFiles) -> BadRequest:
    pieces, kinds = _pieces(repo), {kind_of(file.name) for file in repo.files}
    if pieces:
        return BadRequest(
            f"{repo.source.repo} has GGUF models in pieces only, such as {pieces[0]}, which cannot be loaded; look for a "
            "GGUF repository with whole ones.",
            param="model",
        )
    if FileKind.SAFETENSORS in kinds:
        return _safetensors_refused(repo)
    if FileKind.PICKLE in kinds:
        return _pickle_refused(repo)
    return BadRequest(f"{repo.source.repo} holds no model in a format that can be loaded.", param="model")


def _placed(repo: RepoFiles, files: Sequence[RemoteFile]) -> DownloadChoice:
    kinds = {kind_of(file.name) for file in files}
    if kinds <= {FileKind.GGUF, FileKind.PROJECTOR}:
        chosen = tuple(_placed_flat(file) for file in files)
        models = [each.path for each in chosen if each.place == MODELS]
        choice = DownloadChoice(repo, chosen, min(models or [each.path for each in chosen]), is_folder=False)
    else:
        folder = repo.source.folder
        chosen = tuple(ChosenFile(file, MODELS, f"{folder}/{file.name}") for file in files)
        choice = DownloadChoice(repo, chosen, folder, is_folder=True)
    if len({each.path.lower() for each in choice.files}) < len(choice.files):
        raise BadRequest("Two of these files would have the same name on disk; choose one of them.", param=_PARAM)
    return choice


def _placed_flat(file: RemoteFile) -> ChosenFile:
    place = PROJECTORS if kind_of(file.name) is FileKind.PROJECTOR else MODELS
    return ChosenFile(file, place, PurePosixPath(file.name).name)


def _with_projector(choice: DownloadChoice, repo: RepoFiles) -> DownloadChoice:
    """A model goes into the folder of models with the projector beside it, where it is found by itself."""
    if any(kind_of(each.file.name) is not FileKind.GGUF for each in choice.files):
        return choice
    model = choice.files[0].file.name
    projectors = [file for file in repo.files if kind_of(file.name) is FileKind.PROJECTOR]
    found = projector_of(model, projectors, [each.name for each in loadable_weights(repo.files)])
    if found is None:
        return choice
    beside = ChosenFile(found, MODELS, name_beside(model, found, repo.source))
    return replace(choice, files=(*choice.files, beside))


def _safetensors_refused(repo: RepoFiles) -> BadRequest:
    return BadRequest(
        f"The weights of {repo.source.repo} are safetensors, which no loader here reads; look for a GGUF repository of "
        f"the same model, which is often called {repo.source.repo.partition('/')[2]}-GGUF.",
        param="model",
    )


def _pickle_refused(repo: RepoFiles) -> BadRequest:
    return BadRequest(
        f"The weights of {repo.source.repo} are Python pickles (.bin, .pt), which can run any code when they are "
        "loaded, so they are not downloaded; look for a GGUF repository of the same model.",
        param="model",
    )


def _not_there(repo: RepoFiles, name: str) -> BadRequest:
    names = [file.name for file in repo.files]
    models = loadable_weights(repo.files)
    there = f" Its models are:\n{_listed(models)}" if models else ""
    return BadRequest(
        f"{repo.source.repo} has no single file {name[:200]!a}{did_you_mean(name[:200], names) or '.'}{there}",
        param=_PARAM,
    )


def _listed(models: Sequence[Weights]) -> str:
    lines = [f"{shown_size(each.size):>9}  {each.name}" for each in models[:_SHOWN]]
    more = [f"… and {len(models) - _SHOWN} more"] if len(models) > _SHOWN else []
    return "\n".join(lines + more)


def shown_size(size: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
