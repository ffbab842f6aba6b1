"""What a folder of Kokoro, or a voice of Piper, looks like on disk.

Only names and small files are read.

Kokoro: a folder with an ONNX file, itself or in its folder `onnx`, and voices: `voices/*.bin` (one array of 32-bit floats
each, [510, 1, 256]), `voices-v1.0.bin` or another .bin or .npz at the top that is a NumPy archive of them. `config.json` or
`vocab.json` with a `vocab` takes the place of the published phoneme table.

Piper: `NAME.onnx` with `NAME.onnx.json` beside it.
"""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modules.errors import LoadFailed

_VOICES: Final = "voices"
_VOICE_ENDING: Final = ".bin"
_ARCHIVE_ENDINGS: Final = (".bin", ".npz")
_GRAPH_ENDING: Final = ".onnx"
_PIPER_ENDING: Final = ".onnx.json"
# Settings of a voice with 900 speakers have 20 kB.
_MAX_BYTES: Final = 4 * 2**20
# Numbers in eight bits are the fastest on x86, and half as large as in sixteen.
_PREFERRED: Final = ("int8", "quantized", "uint8", "q8", "fp32", "model.onnx", "fp16")


@dataclass(frozen=True, slots=True)
class KokoroFolder:
    """`voices` are the names with the file of each; several are in one where it is an archive."""

    path: Path
    graph: Path
    voices: tuple[tuple[str, Path], ...]

    @property
    def voice_names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.voices)


@dataclass(frozen=True, slots=True)
class PiperVoice:
    """One ONNX file and its settings. A voice with several speakers has a name for each, `NAME:SPEAKER`."""

    graph: Path
    settings: Path

    @property
    def name(self) -> str:
        return self.graph.name.removesuffix(_GRAPH_ENDING)

    def read(self) -> dict[str, Any]:
        """Raises LoadFailed."""
        found = _json(self.settings)
        if "phoneme_id_map" not in found:
            raise LoadFailed(f"{self.settings.name} is not the settings file of a Piper voice.")
        return found

    def speakers(self) -> dict[str, int]:
        """By name; none where there is only one."""
        found = self.read()
        count = int(found.get("num_speakers") or 1)
        named = found.get("speaker_id_map") or {}
        return {str(name): int(number) for name, number in named.items()} if count > 1 else {}

    @property
    def voice_names(self) -> tuple[str, ...]:
        speakers = self.speakers()
        return (self.name, *(f"{self.name}:{speaker}" for speaker in speakers)) if speakers else (self.name,)


SpeechModel = KokoroFolder | PiperVoice


def is_speech_model(path: Path) -> bool:
    """Whether it is one of them, by the names of its files."""
    if path.is_dir():
        return bool(_graphs_of(path)) and (any(_single_voices(path)) or bool(_archives(path)))
    return path.name.endswith(_GRAPH_ENDING) and path.with_name(path.name + ".json").is_file()


def read_model(path: Path) -> SpeechModel:
    """Raises LoadFailed for what is not complete."""
    if path.is_file():
        return PiperVoice(path, path.with_name(path.name + ".json"))
    graphs = _graphs_of(path)
    voices = _voices_of(path)
    if not graphs or not voices:
        raise LoadFailed(f"{path.name} is not complete: a Kokoro folder holds an ONNX file and voices.")
    return KokoroFolder(path, min(graphs, key=_preference), voices)


def vocabulary_of(path: Path) -> dict[str, int] | None:
    """The folder's own phoneme table, if it has one."""
    for name in ("config.json", "vocab.json"):
        if (path / name).is_file():
            found = _json(path / name)
            table = found.get("vocab", found)
            if isinstance(table, dict) and table and all(isinstance(number, int) for number in table.values()):
                return {str(phoneme): int(number) for phoneme, number in table.items()}
    return None


def _graphs_of(path: Path) -> list[Path]:
    """None of Piper's, which have settings beside them."""
    found = [*path.glob(f"*{_GRAPH_ENDING}"), *(path / "onnx").glob(f"*{_GRAPH_ENDING}")]
    return [each for each in found if not each.with_name(each.name + ".json").is_file()]


def _preference(graph: Path) -> tuple[int, str]:
    at = next((at for at, word in enumerate(_PREFERRED) if word in graph.name), len(_PREFERRED))
    return at, graph.name


def _voices_of(path: Path) -> tuple[tuple[str, Path], ...]:
    found = {file.stem: file for file in _single_voices(path)}
    for archive in _archives(path):
        with zipfile.ZipFile(archive) as members:
            names = [name.removesuffix(".npy") for name in members.namelist() if name.endswith(".npy")]
        found |= {name: archive for name in names if name not in found}
    return tuple(sorted(found.items()))


def _single_voices(path: Path) -> list[Path]:
    return sorted((path / _VOICES).glob(f"*{_VOICE_ENDING}"))


def _archives(path: Path) -> list[Path]:
    files = [file for ending in _ARCHIVE_ENDINGS for file in path.glob(f"*{ending}")]
    return sorted(file for file in files if zipfile.is_zipfile(file))


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise LoadFailed(f"{path.name} is too large for what it should be.")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LoadFailed(f"{path.name} of the voice cannot be read.") from error
    if not isinstance(found, dict):
        raise LoadFailed(f"{path.name} is damaged: it holds no JSON object.")
    return found
