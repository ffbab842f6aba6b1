"""Kokoro's phonemes: the table of its tokens, and how espeak-ng's phonemes are written in it.

Numbers are those of `config.json` of hexgrad/Kokoro-82M; letters are those that its authors describe for their English
(capitals for diphthongs, T for the American flap).
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

MAX_PHONEMES: Final = 510
TIE: Final = "^"
_PUNCTUATION: Final = (";:,.!?", 1), ('—…"()“” ̃ʣʥʦʨᵝꭧ', 9)
_LETTERS: Final = ("A", 24), ("I", 25), ("O", 31), ("Q", 33), ("ST", 35), ("W", 39), ("Y", 41), ("ᵊ", 42)
_SMALL: Final = ("abcdef", 43), ("hijklmnopqrstuvwxyz", 50)
_PHONETIC: Final = (
    ("ɑɐɒæ", 69),
    ("βɔɕç", 75),
    ("ɖðʤə", 80),
    ("ɚɛɜ", 85),
    ("ɟ", 90),
    ("ɡ", 92),
    ("ɥ", 99),
    ("ɨɪʝ", 101),
    ("ɯɰŋɳɲɴ", 110),
    ("ø", 116),
    ("ɸθœ", 118),
    ("ɹ", 123),
    ("ɾɻ", 125),
    ("ʁɽʂʃʈʧ", 128),
    ("ʊʋ", 135),
    ("ʌɣɤ", 138),
    ("χʎ", 142),
    ("ʒʔ", 147),
    ("ˈˌː", 156),
    ("ʰ", 162),
    ("ʲ", 164),
    ("↓", 169),
    ("→↗↘", 171),
    ("ᵻ", 177),
)
VOCABULARY: Final[Mapping[str, int]] = MappingProxyType(
    {
        letter: first + at
        for letters, first in (*_PUNCTUATION, *_LETTERS, *_SMALL, *_PHONETIC)
        for at, letter in enumerate(letters)
    }
)

# Longer ones first: each is replaced where the ones before it have left something.
_ENGLISH: Final = (
    ("ʔˌn̩", "tn"),
    ("ʔn̩", "tn"),
    ("ʔn", "tn"),
    ("ʔ", "t"),
    ("a^ɪ", "I"),
    ("a^ʊ", "W"),
    ("d^ʒ", "ʤ"),
    ("e^ɪ", "A"),
    ("t^ʃ", "ʧ"),
    ("ɔ^ɪ", "Y"),
    ("ə^l", "ᵊl"),
    ("ʲo", "jo"),
    ("ʲə", "jə"),
    ("ʲ", ""),
    ("ɚɹ", "əɹ"),
    ("ɚ", "əɹ"),
    ("r", "ɹ"),
    ("x", "k"),
    ("ç", "k"),
    ("ɐ", "ə"),
    ("ɬ", "l"),
    ("\u0303", ""),
)
_AMERICAN: Final = (
    ("o^ʊ", "O"),
    ("i^ə", "iə"),
    ("ɪ^ə", "iə"),
    ("ɜːɹ", "ɜɹ"),
    ("ɜː", "ɜɹ"),
    ("ː", ""),
    ("ɾ", "T"),
)
_BRITISH: Final = (("e^ə", "ɛː"), ("i^ə", "ɪə"), ("ə^ʊ", "Q"), ("o^ʊ", "Q"))
_OTHERS: Final = (
    ("a^ɪ", "I"),
    ("a^ʊ", "W"),
    ("d^z", "ʣ"),
    ("d^ʑ", "ʥ"),
    ("d^ʒ", "ʤ"),
    ("e^ɪ", "A"),
    ("o^ʊ", "O"),
    ("ə^ʊ", "Q"),
    ("t^ɕ", "ʨ"),
    ("t^s", "ʦ"),
    ("t^ʃ", "ʧ"),
    ("ɔ^ɪ", "Y"),
    ("ɡ̪", "ɡ"),
)
_SYLLABIC: Final = re.compile("(\\S)\u0329")
_BREAK: Final = re.compile(r"[.!?…]|[;:,—]| ")


def in_kokoro(phonemes: str, language: str) -> str:
    """espeak-ng's, tied with `TIE`, as Kokoro was taught them."""
    if language.startswith("en"):
        dialect = _BRITISH if language.startswith("en-gb") else _AMERICAN
        table = (*_ENGLISH, *dialect)
    else:
        table = _OTHERS
    for written, wanted in table:
        phonemes = phonemes.replace(written, wanted)
    return _SYLLABIC.sub("ᵊ\\1", phonemes).replace("\u0329", "").replace(TIE, "")


def pieces(phonemes: str, most: int = MAX_PHONEMES) -> Iterator[str]:
    """What one call of the model can say: cut at the end of a sentence, else at a comma, else between words."""
    rest = phonemes.strip()
    while len(rest) > most:
        at = _last_break(rest[:most])
        yield rest[:at].strip()
        rest = rest[at:].strip()
    if rest:
        yield rest


def _last_break(text: str) -> int:
    ends = {" ": 0, ",": 0, ".": 0}
    for match in _BREAK.finditer(text):
        kind = " " if match.group() == " " else "." if match.group() in ".!?…" else ","
        ends[kind] = match.end()
    # One far at the beginning would leave a piece that is too short to sound well.
    return next((ends[kind] for kind in ".," if ends[kind] > len(text) // 3), ends[" "]) or len(text)
