"""Text with punctuation → phonemes with punctuation, for voices that hear pauses in it."""

import re
from collections.abc import Iterator
from typing import Final

from modules.backends.onnx.speech.espeak import Espeak

# Wide forms of Chinese and Japanese, and what sounds like a comma.
_PLAIN_MARKS: Final = str.maketrans(
    {
        "。": ". ",
        "、": ", ",
        "，": ", ",
        "！": "! ",
        "？": "? ",
        "；": "; ",
        "：": ": ",
        "．": ". ",
        "–": "—",
        "(": ", ",
        ")": ", ",
    }
    | dict.fromkeys('"“”„«»‹›「」『』[]{}<>*_`|~^', " ")
)
# A mark within a word or number, as in 3.14 or example.com, is espeak-ng's to read.
_MARKS: Final = re.compile(r"\s*([;:,.!?—…¡¿]+)(?=\s|$)\s*|\s*([—…])\s*")
_TONES: Final = re.compile(r"\d+|ɜ")
_TONE_SIGNS: Final = {"55": "→", "35": "↗", "214": "↓", "21": "↓", "51": "↘"}
_TONE_NUMBERS: Final = re.compile(r"\d+")
_CHINESE: Final = "cmn"
# espeak-ng reads the sign where it stands: "dollar three point five".
_AMOUNT: Final = re.compile(r"([$€£])(\d[\d,]*)(?:\.(\d+))?(?:\s(million|billion|trillion)\b)?")
_HUNDREDTHS: Final = 2
_CURRENCIES: Final = (("$", "dollars", "cents"), ("€", "euros", "cents"), ("£", "pounds", "pence"))


def pronounce(espeak: Espeak, text: str, language: str, *, tie: str = "") -> str:
    """Raises BadRequest for an unknown language."""
    espeak.speak(language)
    if language.startswith("en"):
        text = _AMOUNT.sub(_amount_in_words, text)
    parts: list[str] = []
    for words, mark in _spans(text):
        sounds = _of_words(espeak, words, language, tie) if words else ""
        if sounds.strip() or parts:
            parts.append(sounds.strip() + mark)
    return " ".join(parts).strip()


def _spans(text: str) -> Iterator[tuple[str, str]]:
    """Words, and the mark that follows them."""
    plain = text.translate(_PLAIN_MARKS)
    at = 0
    for match in _MARKS.finditer(plain):
        yield plain[at : match.start()].strip(), (match.group(1) or match.group(2))[0]
        at = match.end()
    yield plain[at:].strip(), ""


def _of_words(espeak: Espeak, words: str, language: str, tie: str) -> str:
    found = espeak.phonemes(words, tie=tie)
    if language.partition("-")[0] != _CHINESE:
        return found
    # In IPA it writes the first and the fourth tone alike.
    tones = iter(_TONE_NUMBERS.findall(espeak.mnemonics(words)))
    return _TONES.sub(lambda _: _TONE_SIGNS.get(next(tones, ""), ""), found)


def _amount_in_words(match: re.Match[str]) -> str:
    sign, whole, hundredths, size = match.groups()
    unit, part = next((unit, part) for symbol, unit, part in _CURRENCIES if symbol == sign)
    if size or (hundredths and len(hundredths) != _HUNDREDTHS):
        return " ".join(filter(None, (f"{whole}.{hundredths}" if hundredths else whole, size, unit)))
    amount = f"{whole} {unit.removesuffix('s') if whole == '1' else unit}"
    return f"{amount} {int(hundredths)} {part}" if hundredths and int(hundredths) else amount
