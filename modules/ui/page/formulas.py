"""What in a text is a formula and what is money, a variable of a shell or a template. Pure.

Dollars follow Pandoc's rule (`tex_math_dollars`), widened by what models write and narrowed by what people mean.
"""

import re
from typing import Final

# Stands around what is a formula, so that the page's renderer takes nothing else for one. It has no width.
MARK: Final = "\u2063"
DELIMITERS: Final[list[dict[str, str | bool]]] = [
    {"left": f"{MARK}$$", "right": f"$${MARK}", "display": True},
    {"left": f"{MARK}\\[", "right": f"\\]{MARK}", "display": True},
    {"left": f"{MARK}\\(", "right": f"\\){MARK}", "display": False},
    {"left": f"{MARK}$", "right": f"${MARK}", "display": False},
]

_ALNUM: Final = re.compile(r"[A-Za-z0-9_]")
# The n-th, several x: what may follow a formula at once.
_SUFFIX: Final = re.compile(r"(?:th|st|nd|rd|s|d)(?![A-Za-z0-9_])")
# Goes on from the letter before it: CO$_2$, 3$\times$3.
_JOINED: Final = re.compile(r"\\[A-Za-z,;:!]|[_^](?:\{|\\|.$|[-+]?\d+$)")
# Shell variables such as `${HOME}`, and currency codes behind a hyphen.
_VARIABLE: Final = re.compile(r"\{\w+[}:]|-[A-Za-z]{3}")
# Other currencies and bold text do not occur within a formula.
_FOREIGN: Final = re.compile(r"[€£¥₹₽₩]|\*\*")
_AMOUNT: Final = re.compile(r"[-+]?\d[\d,.]*")
# `$5 and $10`: what looks like a closing sign begins the next price.
_PRICE: Final = re.compile(r"\s*\d")
_UNIT: Final = re.compile(r"\s*[A-Za-z/]*")
_WORD: Final = re.compile(
    r"\s\(?(?!(?:mod|sin|cos|tan|log|ln|exp|min|max|gcd|lim)\b)[^\W\d_]{2,}(?![\w(])|[\u3040-\u9fff\uac00-\ud7af]"
)
# Words within these commands are text of the formula, not prose around it.
_COMMAND: Final = re.compile(r"\\(?:text|mathrm|operatorname|mbox)\*?\{[^}]*\}|\\[A-Za-z]+")
# What only formulas have; with one of them nothing else has to be guessed.
_SIGN: Final = re.compile(r"[\\^_={}<>]")
_NAME: Final = re.compile(r"[^\W\d_]{2}")
# A formula does not begin with closing punctuation: that sign closed another one.
_NEVER_FIRST: Final = frozenset("),.;?/%")
_NEVER_LAST: Final = frozenset("(/")


def is_inline_formula(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]`, which begins and ends with one dollar and has none between, is a formula."""
    body, after = text[start + 1 : end - 1], text[end : end + 1]
    if not _stands_free(text, start, end, body) or after == "{" or (after == "(" and body.startswith("(")):
        return False
    if body[0].isspace() and body[-1].isspace():
        return _PRICE.match(text, end) is None and _is_plausible(body.strip()) and _is_evident(body)
    return not body[0].isspace() and not body[-1].isspace() and _is_plausible(body) and not _is_priced(body)


def is_display_formula(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]`, between double dollars, is a formula: not two price ranges, nor numbers of processes."""
    body = text[start + 2 : end - 2]
    if ("\n\n" in body and not body.startswith("\n")) or "$" in _COMMAND.sub("", body).replace("\\$", ""):
        return False
    is_alone = not text[text.rfind("\n", 0, start) + 1 : start].strip() and not text[end:].partition("\n")[0].strip()
    return _is_plausible(body.strip()) and (is_alone or _is_evident(body))


def _stands_free(text: str, start: int, end: int, body: str) -> bool:
    """Whether what is around the dollars lets them be a formula's."""
    is_joined_before = start > 0 and _ALNUM.match(text, start - 1) is not None
    if not is_joined_before and (_ALNUM.match(text, end) is None or _SUFFIX.match(text, end) is not None):
        return True
    return _JOINED.match(body) is not None


def _is_plausible(body: str) -> bool:
    if not body or body[0] in _NEVER_FIRST or body[-1] in _NEVER_LAST:
        return False
    if _VARIABLE.match(body) or _FOREIGN.search(body):
        return False
    plain = _COMMAND.sub("", body)
    opened, closed = (sum(map(plain.count, brackets)) for brackets in ("([", ")]"))
    return opened == closed or "\\left" in body or "\\right" in body


def _is_evident(body: str) -> bool:
    """Whether there is a sign of mathematics in it, or at least no word."""
    return _SIGN.search(body) is not None or _NAME.search(body) is None


def _is_priced(body: str) -> bool:
    """Whether the text begins with an amount and goes on in words; a number with its unit does not."""
    amount = _AMOUNT.match(body)
    if amount is None or re.search(r"[\\^_]", body) or _UNIT.fullmatch(body, amount.end()):
        return False
    return _WORD.search(body, amount.end()) is not None
