"""espeak-ng's library: words → phonemes of the International Phonetic Alphabet.

It is GPL-3 and loaded at run time, from the package that carries it. It keeps its state in globals and takes one voice
at a time: one instance a process, used by one thread.
"""

import ctypes
import re
from typing import Final

import espeakng_loader

from modules.errors import BadRequest, LoadFailed

# speak_lib.h
_RETRIEVAL: Final = 1  # AUDIO_OUTPUT_RETRIEVAL: it plays nothing itself
_DO_NOT_EXIT: Final = 0x8000  # espeakINITIALIZE_DONT_EXIT
_UTF8: Final = 1  # espeakCHARS_UTF8
_IPA: Final = 0x02  # espeakPHONEMES_IPA
_TIE: Final = 0x80  # espeakPHONEMES_TIE: the character above it joins the letters of one phoneme
_OK: Final = 0
# It marks words of another language: "(en)water(fr)"; letters inside are tied, too.
_LANGUAGE_MARK: Final = re.compile(r"\([a-z^-]+\)")


class _Voice(ctypes.Structure):
    """espeak_VOICE; as a question, only `languages` is read."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("spare_byte", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


class Espeak:
    """Raises LoadFailed when the library cannot be used."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise LoadFailed(f"espeak-ng's library cannot be loaded: {error}.") from error
        folder = str(espeakng_loader.get_data_path()).encode()
        if self._library.espeak_Initialize(_RETRIEVAL, 0, folder, _DO_NOT_EXIT) <= 0:
            raise LoadFailed("espeak-ng's library does not find its data.")
        self._to_phonemes = self._library.espeak_TextToPhonemes
        self._to_phonemes.restype = ctypes.c_char_p
        self._to_phonemes.argtypes = (ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int)
        self._language = ""

    def speak(self, language: str) -> None:
        """From now on texts are of `language`, such as "en-gb". Raises BadRequest for an unknown one."""
        if language == self._language:
            return
        asked = _Voice(languages=language.encode())
        if self._library.espeak_SetVoiceByProperties(ctypes.byref(asked)) != _OK:
            raise BadRequest(f"The language {language[:20]!a} is unknown. Use a code such as en-us.", param="lang_code")
        self._language = language

    def phonemes(self, text: str, *, tie: str = "") -> str:
        """Of words without punctuation. `tie` stands between the letters of one phoneme."""
        mode = _IPA | (_TIE | ord(tie) << 8 if tie else 0)
        return _LANGUAGE_MARK.sub("", " ".join(self._clauses(text, mode)))

    def mnemonics(self, text: str) -> str:
        """In espeak-ng's own letters, which tell all tones of Chinese apart."""
        return " ".join(self._clauses(text, 0))

    def _clauses(self, text: str, mode: int) -> list[str]:
        """It stops at what it takes for the end of a clause, and is asked again from there."""
        memory = ctypes.create_string_buffer(text.replace("\0", " ").encode())
        place = ctypes.c_void_p(ctypes.addressof(memory))
        found = []
        while place.value:
            clause: bytes | None = self._to_phonemes(ctypes.byref(place), _UTF8, mode)
            found.append((clause or b"").decode("utf-8", "replace"))
        return [clause for clause in found if clause]
