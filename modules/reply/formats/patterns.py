"""Regular expressions of JSON schemas (ECMA 262, matching anywhere) as llguidance's (Rust's, matching the whole)."""

import re

_ANYTHING = "(?s:.*)"
# Character classes, and signs that stand for themselves.
_LITERALS = re.compile(r"\\\W|\[(?:\\.|[^\]\\])*\]", re.DOTALL)
_UNKNOWN = re.compile(r"\(\?(?!:)|[\^$]|\\[bBAzZkpP1-9]")
_SLASH_OR_BREAK = re.compile(r"\\.|[/\n]", re.DOTALL)
_WRITTEN = {"/": r"\/", "\n": r"\n", "\\\n": r"\n"}


def whole_pattern(pattern: str) -> str | None:
    """`pattern` as one for a whole text; None where it uses what the other kind does not know."""
    has_start, has_end = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith("\\$")
    inner = pattern[has_start : len(pattern) - has_end]
    plain = _LITERALS.sub("", inner)
    is_divided = "|" in plain and (has_start or has_end)
    if _UNKNOWN.search(plain) or is_divided or not _is_regular(inner):
        return None
    return f"{'' if has_start else _ANYTHING}(?:{inner}){'' if has_end else _ANYTHING}"


def text_without(marker: str) -> str:
    """A pattern for texts in which `marker` does not occur; its first character must not occur in it again."""
    first, *rest = (_one(character) for character in marker)
    begun = ""
    for character in reversed(rest):
        further = f"|{character}{begun}" if begun else ""
        begun = f"(?:[^{first}{character}][^{first}]*{further})?"
    return f"[^{first}]*(?:{first}{begun})*"


def between_slashes(pattern: str) -> str:
    """`pattern` as an expression of a grammar."""
    return "/" + _SLASH_OR_BREAK.sub(lambda each: _WRITTEN.get(each[0], each[0]), pattern) + "/"


def literal_pattern(text: str) -> str:
    return "".join(_one(character) for character in text)


def _one(character: str) -> str:
    return {"\n": r"\n"}.get(character, re.escape(character))


def _is_regular(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
