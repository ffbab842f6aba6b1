"""Markdown with HTML escaped and formulas marked: a reply that mentions `<div>` or $5 shows it."""

import re
from collections.abc import Iterator
from typing import Final

from modules.ui.page.formulas import MARK, is_display_formula, is_inline_formula

# What is code or a formula is shown as it is by the page; everything else may hold tags.
_KEPT: Final = re.compile(
    r"(?P<fence>^ {0,3}(?P<mark>`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}(?P=mark)[`~]*[ \t]*$|\Z))"
    r"|(?P<span>(?P<ticks>(?<!`)`+(?!`)).+?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<formula>(?<!\\)(?:\\\[.+?\\\]|\\\(.+?\\\)))"
    r"|(?P<display>(?<![\\$])\$\$(?!\$).+?(?<![\\$])\$\$(?!\$))"
    r"|(?P<inline>(?<![\\$])\$(?!\$)(?:\\[^\n]|[^$\\\n])+\$(?!\$))",
    re.DOTALL | re.MULTILINE,
)
# An entity that people hardly write themselves, so that it can be taken out again where the text is copied or edited.
_ESCAPED: Final = "&#60;"
# What HTML reads as the beginning of a tag, comment or declaration; `a < b` stays as it is.
_TAG: Final = re.compile(r"<(?=[A-Za-z/!?])")
_MARKS: Final = re.compile(rf"{MARK}(?=\$|\\[\[(])|(?<=[$)\]]){MARK}")


def shown_markdown(text: str) -> str:
    """`text` as the page's components take it: `literal_html` of it, with marks around the formulas."""
    return _without_tags(text, MARK)


def literal_html(text: str) -> str:
    """`text` with the beginnings of tags made harmless, outside of code and formulas."""
    return _without_tags(text, "")


def as_written(text: str) -> str:
    """What `shown_markdown` or `literal_html` was given."""
    return _MARKS.sub("", text.replace(_ESCAPED, "<"))


def _without_tags(text: str, mark: str) -> str:
    if not any(sign in text for sign in "<$\\"):
        return text
    pieces: list[str] = []
    end = 0
    for kept in _kept(text):
        around = mark if kept["span"] is None and kept["fence"] is None else ""
        pieces += (_TAG.sub(_ESCAPED, text[end : kept.start()]), around, kept.group(), around)
        end = kept.end()
    pieces.append(_TAG.sub(_ESCAPED, text[end:]))
    return "".join(pieces)


def _kept(text: str) -> Iterator[re.Match[str]]:
    """A dollar that begins no formula is passed over alone: the one that ended it may begin one."""
    place = 0
    while (found := _KEPT.search(text, place)) is not None:
        if _counts(text, found):
            yield found
            place = found.end()
        else:
            place = found.start() + (2 if found["display"] else 1)


def _counts(text: str, found: re.Match[str]) -> bool:
    if found["inline"] is not None:
        return is_inline_formula(text, found.start(), found.end())
    return found["display"] is None or is_display_formula(text, found.start(), found.end())
