"""Markers are found wherever the text is cut, and hold back no more than their own beginnings."""

from modules.reply.syntax.source import MarkerScanner

SCANNER = MarkerScanner(("<call>", "<calls>", "\n</end>", "</end>"))


def test_text_is_safe_up_to_what_may_be_a_marker() -> None:
    assert SCANNER.find("a < b", 0) == (5, "")
    assert SCANNER.find("a <cal", 0) == (2, "")
    assert SCANNER.find("a <calm", 0) == (7, "")
    assert SCANNER.find("a\n", 0) == (1, "")
    assert SCANNER.find("<", 0) == (0, "")
    assert SCANNER.find("<", 1) == (1, "")


def test_the_first_marker_counts() -> None:
    assert SCANNER.find("a<calls>b<call>", 0) == (1, "<calls>")
    assert SCANNER.find("a<calls>b<call>", 8) == (9, "<call>")
    assert SCANNER.find("a\n</end>", 0) == (1, "\n</end>")


def test_without_markers_everything_is_text() -> None:
    assert MarkerScanner(()).find("<call>", 0) == (6, "")
