"""Languages by code, by code with a region, and by name."""

import pytest

from modules.errors import BadRequest
from modules.media.transcription.languages import LANGUAGES, language_code, language_name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("en", "en"),
        ("EN-us", "en"),
        ("pt_BR", "pt"),
        ("zh-Hans-CN", "zh"),
        ("nb-NO", "no"),
        ("iw", "he"),
        ("English", "en"),
        ("haitian creole", "ht"),
        (" german ", "de"),
        ("", ""),
        ("auto", ""),
    ],
)
def test_clients_write_them_in_many_ways(text: str, code: str) -> None:
    assert language_code(text) == code


@pytest.mark.parametrize("text", ["xx", "klingon", "e", "en us gb", "../en", "\0"])
def test_what_is_none_is_refused_by_the_name_of_its_field(text: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        language_code(text, param="languages")
    assert refusal.value.param == "languages"


def test_every_code_has_a_name() -> None:
    assert {language_code(language_name(code)) for code in LANGUAGES} == set(LANGUAGES)
    assert language_name("") == "unknown"
