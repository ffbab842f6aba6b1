"""Markdown in which HTML is text: a reply that mentions `<div>` shows it, in code and out of it."""

import re
from typing import Final

# What is code or a formula is shown as it is by the page; everything else may hold tags.
_KEPT: Final = re.compile(
    r"(?P<fence>^ {0,3}(?P<mark>`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}(?P=mark)[`~]*[ \t]*$|\Z))"
    r"|(?P<span>(?P<ticks>(?<!`)`+(?!`)).+?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<formula>\$\$.+?\$\$|\\\[.+?\\\]|\\\(.+?\\\)|(?<![\\$\w])\$(?! )[^$\n]+?(?<! )\$(?![\w$]))",
    re.DOTALL | re.MULTILINE,
)
# An entity that people hardly write themselves, so that it can be taken out again where the text is copied or edited.
_ESCAPED: Final = "&#60;"
_TAG: Final = re.compile(r"<(?=[A-Za-z/!?])")


def literal_html(text: str) -> str:
    """`text` with the beginnings of tags made harmless, outside of code and formulas."""
    if "<" not in text:
        return text
    pieces: list[str] = []
    end = 0
    for kept in _KEPT.finditer(text):
        pieces += (_TAG.sub(_ESCAPED, text[end : kept.start()]), kept.group())
        end = kept.end()
    pieces.append(_TAG.sub(_ESCAPED, text[end:]))
    return "".join(pieces)


def as_written(text: str) -> str:
    """What `literal_html` was given."""
    return text.replace(_ESCAPED, "<")
