"""Patterns for whole texts match what the schema's patterns find."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.reply.syntax.lark import between_slashes, text_without, whole_pattern


@pytest.mark.parametrize("marker", ["</parameter>", "</arg_value>", '<|"|>', "ab"])
@given(data=st.data())
def test_text_without_a_marker(marker: str, data: st.DataObject) -> None:
    pieces = st.sampled_from([marker, marker[:-1], marker[:2], marker[1:], *marker, "x", "\n", "é"])
    text = "".join(data.draw(st.lists(pieces)))
    assert bool(re.fullmatch(text_without(marker), text)) == (marker not in text)


@pytest.mark.parametrize("pattern", ["^a+$", "a+", "^[^x$]", "b|a", r"\$", r"^\d{2}$", "(?:ab)+$", "[(?=]"])
@given(text=st.text(st.sampled_from("abx$0(?=")))
def test_whole_patterns(pattern: str, text: str) -> None:
    whole = whole_pattern(pattern)
    assert whole is not None
    assert bool(re.fullmatch(whole, text)) == bool(re.search(pattern, text))


@pytest.mark.parametrize("pattern", ["(?=a)b", "(?<!a)b", r"(a)\1", "a^b", "^a|b$", r"\bword", "(", "*"])
def test_patterns_that_cannot_be_enforced(pattern: str) -> None:
    assert whole_pattern(pattern) is None


def test_slashes_are_escaped() -> None:
    assert between_slashes("a/b\n\\/") == r"/a\/b\n\//"
