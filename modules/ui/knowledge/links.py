"""Citations in shown text: `[3]` becomes a link that opens the passage. Pure."""

import re
from collections.abc import Container
from typing import Final

# Code, formulas and links are left as they are.
_KEPT_OR_CITED: Final = re.compile(
    r"(?P<kept>^ {0,3}(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}(?P=fence)[`~]*[ \t]*$|\Z)"
    r"|(?P<ticks>(?<!`)`+(?!`)).+?(?<!`)(?P=ticks)(?!`)"
    r"|\$[^$\n]+\$"
    r"|!?\[[^\[\]\n]*\]\([^()\n]*\))"
    r"|\[(?P<numbers>\d{1,6}(?:, ?\d{1,6})*)\](?![(\[:])",
    re.DOTALL | re.MULTILINE,
)
_LINKS: Final = re.compile(r"\[(\d{1,6})\]\(#cite-\1\)")


def with_links(text: str, numbers: Container[int]) -> str:
    """`text` with links in place of the numbers of passages that the chat has."""

    def linked(found: re.Match[str]) -> str:
        if found["kept"] is not None:
            return found[0]
        cited = [int(number) for number in found["numbers"].split(",")]
        if not all(number in numbers for number in cited):
            return found[0]
        return "".join(f"[{number}](#cite-{number})" for number in cited)

    return _KEPT_OR_CITED.sub(linked, text)


def without_links(text: str) -> str:
    """What `with_links` was given; of several numbers in one pair of brackets, each in its own."""
    return _LINKS.sub(r"[\1]", text)
