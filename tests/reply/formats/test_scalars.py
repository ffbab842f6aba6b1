"""Numbers as models write them, where a tool's schema says what they are."""

import pytest

from modules.reply.formats.scalars import scalar_of_text

INTEGER = frozenset({"integer"})
NUMBER = frozenset({"number"})


@pytest.mark.parametrize(
    ("text", "types", "expected"),
    [
        ("07", INTEGER, "7"),
        ("+5", INTEGER, "5"),
        ("1_000", INTEGER, "1000"),
        ("0x10", INTEGER, "16"),
        ("3.0", INTEGER, "3"),
        (".5", NUMBER, "0.5"),
        ("1.", NUMBER, "1.0"),
        (".5", INTEGER, None),
        ("seven", INTEGER, None),
        ("", INTEGER, None),
        ("07", frozenset({"string", "integer"}), None),
        ("07", frozenset({"boolean"}), None),
        ("True", frozenset({"boolean"}), "true"),
    ],
)
def test_numbers(text: str, types: frozenset[str], expected: str | None) -> None:
    assert scalar_of_text(text, types) == expected
