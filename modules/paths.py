"""The user's folders, safe conversion of requested names to paths, and atomic writes."""

import os
import secrets
import shutil
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from modules.errors import BadRequest

PROGRAM_FOLDER = Path(__file__).resolve().parents[1]

# The bound of ext4, APFS and NTFS.
_MAX_COMPONENT_BYTES = 255
# Checked before the name is split, so that a body of megabytes costs nothing.
_MAX_NAME_BYTES = 1024
_MAX_SHOWN = 60
# Windows opens a device, not a file, for these names whatever the suffix; a data folder is carried between systems.
_DEVICE_NAMES = frozenset(
    ["con", "prn", "aux", "nul", *(f"com{digit}" for digit in range(1, 10)), *(f"lpt{digit}" for digit in range(1, 10))]
)


@dataclass(frozen=True, slots=True)
class UserData:
    """The layout of a user data folder, as existing installations have it. `model_dir` and `lora_dir` stand in for
    `models/` and `loras/` when given."""

    root: Path
    model_dir: Path | None = None
    lora_dir: Path | None = None

    @property
    def cmd_flags(self) -> Path:
        return self.root / "CMD_FLAGS.txt"

    @property
    def settings(self) -> Path:
        return self.root / "settings.yaml"

    @property
    def mcp(self) -> Path:
        return self.root / "mcp.json"

    @property
    def notification(self) -> Path:
        return self.root / "notification.mp3"

    @property
    def models(self) -> Path:
        return self.model_dir or self.root / "models"

    @property
    def model_config(self) -> Path:
        """Rules per model that came with older versions."""
        return self.models / "config.yaml"

    @property
    def user_model_config(self) -> Path:
        """Rules per model that the user saved; they go above `model_config`."""
        return self.models / "config-user.yaml"

    @property
    def loras(self) -> Path:
        return self.lora_dir or self.root / "loras"

    @property
    def mmproj(self) -> Path:
        return self.root / "mmproj"

    @property
    def image_models(self) -> Path:
        return self.root / "image_models"

    @property
    def embeddings(self) -> Path:
        return self.root / "embeddings"

    @property
    def image_outputs(self) -> Path:
        return self.root / "image_outputs"

    @property
    def characters(self) -> Path:
        return self.root / "characters"

    @property
    def lorebooks(self) -> Path:
        return self.root / "lorebooks"

    @property
    def users(self) -> Path:
        return self.root / "users"

    @property
    def presets(self) -> Path:
        return self.root / "presets"

    @property
    def prompts(self) -> Path:
        """Prompts that the page inserts."""
        return self.root / "prompts"

    @property
    def instruction_templates(self) -> Path:
        return self.root / "instruction-templates"

    @property
    def grammars(self) -> Path:
        return self.root / "grammars"

    @property
    def tools(self) -> Path:
        return self.root / "tools"

    @property
    def knowledge(self) -> Path:
        """One folder per collection, with files in any folders below."""
        return self.root / "knowledge"

    @property
    def memory(self) -> Path:
        return self.root / "memory"

    @property
    def extensions(self) -> Path:
        return self.root / "extensions"

    @property
    def training_datasets(self) -> Path:
        return self.root / "training" / "datasets"

    @property
    def training_formats(self) -> Path:
        return self.root / "training" / "formats"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def chat_logs(self) -> Path:
        """One folder per character, one file per conversation."""
        return self.logs / "chat"

    @property
    def instruct_logs(self) -> Path:
        return self.logs / "instruct"

    @property
    def chat_state(self) -> Path:
        return self.logs / "chat_state.json"

    @property
    def organisation(self) -> Path:
        """Pins, folders, tags and titles of chats."""
        return self.logs / "organisation.json"

    @property
    def notebook_logs(self) -> Path:
        return self.logs / "notebook"

    @property
    def evaluations(self) -> Path:
        return self.logs / "evaluations.csv"

    @property
    def cache(self) -> Path:
        return self.root / "cache"


def inside(folder: Path, name: str, suffixes: Sequence[str] = (), *, param: str | None = None) -> Path:
    """The path that a name from a request stands for: an entry of `folder` itself, existing or not.

    With `suffixes` (dots included) the name may carry one of them or none: without one, the first suffix under which
    a file exists is added, else the first of all, so no other kind of file can be reached.
    Raises BadRequest, naming `param`, for everything that could lead out of `folder`: separators, drive letters,
    dots, control characters, percent escapes of these, over-long names, and links that point elsewhere.
    """
    _refuse_bad_component(name, name, param)
    return _contained(folder, (name,), suffixes, param)


def inside_tree(folder: Path, name: str, suffixes: Sequence[str] = (), *, param: str | None = None) -> Path:
    """Like `inside`, for names such as models' that may be in sub-folders: `owner/model` with forward slashes."""
    if len(name) > _MAX_NAME_BYTES:
        raise _bad_name(name, param)
    components = tuple(name.split("/"))
    for component in components:
        _refuse_bad_component(component, name, param)
    return _contained(folder, components, suffixes, param)


def atomic_write(path: Path, content: str | bytes, *, is_private: bool = False) -> None:
    """Replace the file at `path` (or where it links to) as a whole: readers and crashes see the old content or the new.

    Text is written as UTF-8. Missing folders are made; an existing file's permissions are kept, unless the new content
    is private: then only the file's owner can read it.
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        encoded = content.encode() if isinstance(content, str) else content
        _write_through(draft, encoded, mode=0o600 if is_private else 0o666)
        if target.exists() and not is_private:
            shutil.copymode(target, draft)
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def _write_through(path: Path, content: bytes, *, mode: int) -> None:
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _contained(folder: Path, components: Sequence[str], suffixes: Sequence[str], param: str | None) -> Path:
    path = _with_suffix(folder.joinpath(*components), suffixes)
    # realpath, because Path.resolve raises RuntimeError on a ring of links before Python 3.13.
    stays = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    if not stays or len(path.name.encode()) > _MAX_COMPONENT_BYTES:
        raise _bad_name("/".join(components), param)
    return path


def _with_suffix(path: Path, suffixes: Sequence[str]) -> Path:
    if not suffixes or path.name.lower().endswith(tuple(suffixes)):
        return path
    # Path.with_suffix would eat the end of names such as "Model-1.5".
    candidates = [path.with_name(path.name + suffix) for suffix in suffixes]
    # os.path.isfile says no where Path.is_file would raise: to names that are too long with their suffix.
    return next((candidate for candidate in candidates if os.path.isfile(candidate)), candidates[0])


def _refuse_bad_component(component: str, name: str, param: str | None) -> None:
    # Some layer may undo percent escapes once more, so every reading of the name has to be harmless.
    while True:
        if not _is_plain(component):
            raise _bad_name(name, param)
        reading = unquote(component)
        if reading == component:
            return
        component = reading


def _is_plain(component: str) -> bool:
    return (
        0 < len(component) <= _MAX_COMPONENT_BYTES
        and not any(unicodedata.category(character) in {"Cc", "Cs"} for character in component)
        and len(component.encode()) <= _MAX_COMPONENT_BYTES
        and not any(character in component for character in "/\\:")
        and component == component.strip()
        and component[0] != "."
        and component[-1] != "."
        and component.partition(".")[0].rstrip().lower() not in _DEVICE_NAMES
    )


def _bad_name(name: str, param: str | None) -> BadRequest:
    shown = ascii(name if len(name) <= _MAX_SHOWN else name[:_MAX_SHOWN] + "…")
    return BadRequest(
        f"{shown} is not a usable name. Give the plain name of an entry, without folders above it, drive letters, "
        "control characters, or dots and spaces at its ends.",
        param=param,
    )
