"""A Piper voice (VITS) on ONNX Runtime."""

import unicodedata
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from typing_extensions import override

from modules.backends.onnx.speech.espeak import Espeak
from modules.backends.onnx.speech.folder import PiperVoice
from modules.backends.onnx.speech.pronunciation import pronounce
from modules.backends.onnx.speech.sessions import GraphSession
from modules.backends.onnx.speech.synthesizer import Samples, Synthesizer, Utterance, without_edges
from modules.errors import LoadFailed

# As in Piper's own encoding: the sentence's begin and end, and what stands between two phonemes.
_BEGIN: Final = "^"
_END: Final = "$"
_PAD: Final = "_"
_TEXT: Final = "text"
_KNOWN_TYPES: Final = frozenset(("espeak", _TEXT))
_ENDS: Final = ".!?"


class Piper(Synthesizer):
    """Raises LoadFailed for a voice whose phonemes are made by another program."""

    def __init__(self, voice: PiperVoice, espeak: Espeak, threads: int) -> None:
        settings = voice.read()
        self._type = str(settings.get("phoneme_type") or "espeak")
        if self._type not in _KNOWN_TYPES:
            raise LoadFailed(
                f"{voice.name} wants phonemes of the type {self._type[:20]!a}; this version makes espeak's."
            )
        self._espeak = espeak
        self._name = voice.name
        self._speakers = voice.speakers()
        self._ids: dict[str, list[int]] = settings["phoneme_id_map"]
        self._language = str((settings.get("espeak") or {}).get("voice") or "en-us")
        self._rate = int((settings.get("audio") or {}).get("sample_rate") or 22_050)
        inference: dict[str, Any] = settings.get("inference") or {}
        self._noise = float(inference.get("noise_scale", 0.667))
        self._length = float(inference.get("length_scale", 1.0))
        self._noise_width = float(inference.get("noise_w", 0.8))
        self._session = GraphSession(voice.graph, threads)
        self._inputs = self._session.inputs.keys()
        if not {"input", "input_lengths", "scales"} <= self._inputs:
            raise LoadFailed(f"{voice.graph.name} has other inputs than Piper's.")

    @property
    @override
    def rate(self) -> int:
        return self._rate

    @override
    def say(self, text: str, voices: tuple[tuple[str, float], ...], speed: float, language: str) -> Iterator[Utterance]:
        phonemes = self._phonemes(text, language or self._language)
        known = [letter for letter in phonemes if letter in self._ids]
        if not any(letter.isalnum() for letter in known):
            return
        sound = self._compute(known, self._speaker(voices[0][0]), self._length / speed)
        yield Utterance(without_edges(sound, self._rate), len(known))

    def _phonemes(self, text: str, language: str) -> str:
        if self._type == _TEXT:
            return unicodedata.normalize("NFD", text.lower())
        found = unicodedata.normalize("NFD", pronounce(self._espeak, text, language))
        # It was taught whole sentences, and swallows the last word of others.
        return found if found.endswith(tuple(_ENDS)) else f"{found}."

    def _compute(self, phonemes: list[str], speaker: int, length: float) -> Samples:
        ids = [*self._ids[_BEGIN]]
        for phoneme in phonemes:
            ids += [*self._ids[_PAD], *self._ids[phoneme]]
        ids += [*self._ids[_PAD], *self._ids[_END]]
        inputs = {
            "input": np.array([ids], np.int64),
            "input_lengths": np.array([len(ids)], np.int64),
            "scales": np.array([self._noise, length, self._noise_width], np.float32),
        }
        if "sid" in self._inputs:
            inputs["sid"] = np.array([speaker], np.int64)
        return self._session.run(inputs)

    def _speaker(self, voice: str) -> int:
        """The first where the voice's name names none."""
        return self._speakers.get(voice.removeprefix(f"{self._name}:"), 0)
