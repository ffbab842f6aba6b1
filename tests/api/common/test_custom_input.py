"""The free text of a custom call, however its JSON is written and cut."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.openai.common.custom_input import CustomInput, custom_input
from tests.splits import cut


@given(st.text(), st.booleans(), st.sampled_from([None, 1]))
def test_any_text_comes_out_as_it_went_in(text: str, plain: bool, indent: int | None) -> None:
    clean = text.encode("utf-8", "replace").decode()
    assert custom_input(json.dumps({"input": clean}, ensure_ascii=plain, indent=indent)) == clean


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (r'{"input": "a\"b\\\\c\n\u00e9\ud83d\ude00!"}', 'a"b\\\\c\né😀!'),
        (r'{ "input" : "" }', ""),
        ('{"input": "not the end', "not the end"),
        ('{"input": "tab\tand\nline"}', "tab\tand\nline"),
        (r'{"input": "lone \ud83d, and on"}', "lone \N{REPLACEMENT CHARACTER}, and on"),
        (r'{"input": "x \ud83d"}', "x \N{REPLACEMENT CHARACTER}"),
        ('{"text": "other"}', '{"text": "other"}'),
        ('{"a": 1, "input": "later"}', "later"),
        ('{"input": 5}', '{"input": 5}'),
        ("plain", "plain"),
        ("[1]", "[1]"),
        ("", ""),
    ],
)
def test_it_does_not_depend_on_the_cuts(arguments: str, text: str) -> None:
    assert custom_input(arguments) == text
    for pieces in [list(arguments), *(cut(arguments, [place]) for place in range(1, len(arguments)))]:
        reader = CustomInput()
        assert "".join([*map(reader.feed, pieces), reader.close()]) == text, pieces


def test_text_is_given_as_soon_as_it_is_known() -> None:
    reader = CustomInput()
    assert [reader.feed(piece) for piece in ('{"inp', 'ut": "a', "b", "\\", "n", 'c"', "}")] == [
        "",
        "a",
        "b",
        "",
        "\n",
        "c",
        "",
    ]
