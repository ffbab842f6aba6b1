"""Text → phonemes, as the voices were taught them."""

import pytest

from modules.backends.onnx.speech.espeak import Espeak
from modules.backends.onnx.speech.kokoro_phonemes import MAX_PHONEMES, TIE, VOCABULARY, in_kokoro, pieces
from modules.backends.onnx.speech.pronunciation import pronounce
from modules.errors import BadRequest


@pytest.fixture(scope="module")
def espeak() -> Espeak:
    return Espeak()


@pytest.mark.parametrize(
    ("text", "language", "phonemes"),
    [
        ("The red car, the boy!", "en-us", "ðə ɹˈɛd kˈɑɹ, ðə bˈY!"),
        ("Water in the bottle?", "en-us", "wˈɔTəɹ ɪnðə bˈɑTᵊl?"),
        ("Go home.", "en-gb", "ɡˌQ hˈQm."),
        ("Bonjour", "fr-fr", "bɔ̃ʒˈuʁ"),
    ],
)
def test_words_are_written_in_kokoros_letters(espeak: Espeak, text: str, language: str, phonemes: str) -> None:
    found = in_kokoro(pronounce(espeak, text, language, tie=TIE), language)
    assert found == phonemes
    assert set(found) <= VOCABULARY.keys()


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("It costs $3.50.", "It costs 3 dollars 50 cents."),
        ("He has $1 and £20.", "He has 1 dollar and 20 pounds."),
        ("At £1.125", "At 1.125 pounds"),
        ("Over €2.5 million", "Over 2.5 million euros"),
        ("“Quoted” (and more).", "Quoted , and more, ."),
    ],
)
def test_signs_are_said_as_words(espeak: Espeak, text: str, like: str) -> None:
    said = pronounce(espeak, text, "en-us")
    assert [said.replace(",", "").split()] == [pronounce(espeak, like, "en-us").replace(",", "").split()]


def test_points_within_numbers_are_no_pauses(espeak: Espeak) -> None:
    assert pronounce(espeak, "3.14.", "en-us") == "θɹˈiː pɔɪnt wˈʌn fˈɔːɹ."


def test_the_language_can_change_back_and_forth(espeak: Espeak) -> None:
    english = pronounce(espeak, "water", "en-us")
    assert pronounce(espeak, "water", "de") != english
    assert pronounce(espeak, "water", "en-us") == english


def test_chinese_tones_are_told_apart(espeak: Espeak) -> None:
    said = in_kokoro(pronounce(espeak, "妈。麻。马。骂。", "cmn", tie=TIE), "cmn")
    assert [letter for letter in said if letter in "→↗↓↘"] == ["→", "↗", "↓", "↘"]


def test_an_unknown_language_is_refused(espeak: Espeak) -> None:
    with pytest.raises(BadRequest, match="'xx' is unknown") as refusal:
        pronounce(espeak, "hello", "xx")
    assert refusal.value.param == "lang_code"


def test_long_phonemes_are_cut_at_sentences_commas_or_words() -> None:
    text = " ".join(["abcdefg, hij klm. nop"] * 100)
    found = list(pieces(text))
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    assert all(len(piece) <= MAX_PHONEMES for piece in found)
    assert all(piece.endswith(".") for piece in found[:-1])
    assert [len(piece) for piece in pieces("a" * 1200)] == [510, 510, 180]
