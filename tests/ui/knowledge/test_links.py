"""Numbers of passages become links, and nothing else does."""

import pytest

from modules.ui.knowledge.links import with_links, without_links

NUMBERS = frozenset({1, 2, 30})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Two metres [1].", "Two metres [1](#cite-1)."),
        ("Both [1, 2] and [30]", "Both [1](#cite-1)[2](#cite-2) and [30](#cite-30)"),
        ("[4] is no passage, [1, 4] neither", "[4] is no passage, [1, 4] neither"),
        ("`list[1]` and\n```\na[1]\n```\n[1]", "`list[1]` and\n```\na[1]\n```\n[1](#cite-1)"),
        ("a [link](x) [1](y) [1]: z", "a [link](x) [1](y) [1]: z"),
        ("```\n[1]", "```\n[1]"),
        ("$x[1]$ costs $5 [1]", "$x[1]$ costs $5 [1](#cite-1)"),
    ],
)
def test_links(text: str, shown: str) -> None:
    assert with_links(text, NUMBERS) == shown
    assert without_links(shown) == text.replace("[1, 2]", "[1][2]")
