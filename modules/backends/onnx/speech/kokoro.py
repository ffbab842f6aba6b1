"""Kokoro-82M on ONNX Runtime."""

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from typing_extensions import override

from modules.backends.onnx.speech.espeak import Espeak
from modules.backends.onnx.speech.folder import KokoroFolder, vocabulary_of
from modules.backends.onnx.speech.kokoro_phonemes import TIE, VOCABULARY, in_kokoro, pieces
from modules.backends.onnx.speech.pronunciation import pronounce
from modules.backends.onnx.speech.sessions import GraphSession
from modules.backends.onnx.speech.synthesizer import Samples, Synthesizer, Utterance, without_edges
from modules.errors import BadRequest, LoadFailed

RATE: Final = 24_000
_STYLE_SIZE: Final = 256
# The first letter of a voice's name says which language it was made for.
_LANGUAGES: Final = (
    ("a", "en-us"),
    ("b", "en-gb"),
    ("e", "es"),
    ("f", "fr-fr"),
    ("h", "hi"),
    ("i", "it"),
    ("j", "ja"),
    ("p", "pt-br"),
    ("z", "cmn"),
)
_OTHER_LETTERS: Final = frozenset(("hi", "ja", "cmn"))


class Kokoro(Synthesizer):
    """Raises LoadFailed for a graph with other inputs."""

    def __init__(self, folder: KokoroFolder, espeak: Espeak, threads: int) -> None:
        self._espeak = espeak
        self._files = dict(folder.voices)
        self._styles: dict[str, Samples] = {}
        self._vocabulary = vocabulary_of(folder.path) or VOCABULARY
        self._session = GraphSession(folder.graph, threads)
        inputs = self._session.inputs
        # The export of kokoro-onnx, and that of the hub's onnx-community.
        self._tokens = next((name for name in ("tokens", "input_ids") if name in inputs), "")
        if not self._tokens or not {"style", "speed"} <= inputs.keys():
            raise LoadFailed(f"{folder.graph.name} has other inputs than Kokoro's.")
        self._speed_type = np.int32 if "int32" in inputs["speed"] else np.float32

    @property
    @override
    def rate(self) -> int:
        return RATE

    @override
    def say(self, text: str, voices: tuple[tuple[str, float], ...], speed: float, language: str) -> Iterator[Utterance]:
        spoken = _language_of(language, voices[0][0], text)
        _check_readable(text, spoken)
        style = self._style(voices)
        phonemes = in_kokoro(pronounce(self._espeak, text, spoken, tie=TIE), spoken)
        known = "".join(letter for letter in phonemes if letter in self._vocabulary)
        for piece in pieces(known):
            yield Utterance(self._compute(piece, style, speed), len(piece))

    def _compute(self, phonemes: str, style: Samples, speed: float) -> Samples:
        tokens = [self._vocabulary[letter] for letter in phonemes]
        inputs = {
            self._tokens: np.array([[0, *tokens, 0]], np.int64),
            "style": style[min(len(tokens), len(style)) - 1].reshape(1, _STYLE_SIZE),
            "speed": np.array([speed], self._speed_type),
        }
        return without_edges(self._session.run(inputs), RATE)

    def _style(self, voices: tuple[tuple[str, float], ...]) -> Samples:
        return mixed([(self._style_of(name), weight) for name, weight in voices])

    def _style_of(self, name: str) -> Samples:
        if name not in self._styles:
            self._styles[name] = _read_style(self._files[name], name)
        return self._styles[name]


def mixed(styles: Sequence[tuple[Samples, float]]) -> Samples:
    """The weighted mean: rows for texts of 1, 2, … phonemes."""
    total = sum(weight for _, weight in styles)
    return np.asarray(np.sum([rows * np.float32(weight / total) for rows, weight in styles], axis=0), np.float32)


def _read_style(file: Path, name: str) -> Samples:
    """Raises LoadFailed."""
    try:
        if zipfile.is_zipfile(file):
            with np.load(file, allow_pickle=False) as archive:
                rows = np.asarray(archive[name], np.float32)
        else:
            rows = np.fromfile(file, "<f4")
        return rows.reshape(-1, _STYLE_SIZE)
    except (OSError, ValueError, KeyError) as error:
        raise LoadFailed(f"The voice {name} cannot be read from {file.name}.") from error


def _language_of(language: str, voice: str, text: str) -> str:
    """`language` may be a letter as in names of voices, or a code. Without one, a voice whose language has letters of its
    own reads texts that have none of them as English."""
    by_letter = dict(_LANGUAGES)
    if language in by_letter:
        return by_letter[language]
    own = by_letter.get(voice[:1], "en-us")
    return language or ("en-us" if own in _OTHER_LETTERS and text.isascii() else own)


def _check_readable(text: str, language: str) -> None:
    """espeak-ng reads no kanji, but says for each that it is one."""
    if language == "ja" and any("\u4e00" <= letter <= "\u9fff" for letter in text):
        raise BadRequest("Japanese can be spoken from kana only. Write the kanji of the input in kana.", param="input")
