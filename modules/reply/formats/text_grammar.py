"""Grammars of text that ends with a marker, where a string stands without quotes."""

import re

from modules.reply.formats.lark import Grammar, literal, one_of, sequence
from modules.reply.formats.schema import Schema

_ANYTHING = "(?s:.*)"
_CLASS_OR_ESCAPED = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]", re.DOTALL)
_UNKNOWN = re.compile(r"\(\?(?!:)|[\^$]|\\[bBAzZkpP1-9]")


def text_until(grammar: Grammar, schema: Schema, closer: str, *, padding: str = "") -> str:
    """A string that `schema` allows, `padding`, and `closer`, which does not occur before."""
    choices = tuple(each for each in schema.referred.choices if isinstance(each, str))
    if choices:
        return sequence(one_of(map(literal, choices)), literal(padding + closer))
    limits = _limits(schema.referred)
    if not limits:
        return grammar.rule(f"/{_ANYTHING}/", f"[suffix={literal(closer)}]")
    without_closer = f"~/{_ANYTHING}{_escaped(re.escape(closer))}{_ANYTHING}/"
    return grammar.terminal(f"({' & '.join((*limits, without_closer))}) {literal(padding + closer)}")


def _limits(schema: Schema) -> tuple[str, ...]:
    """Regular expressions that the whole text must match."""
    node = schema.node
    limits = []
    shortest, longest = node.get("minLength", 0), node.get("maxLength")
    if shortest or longest is not None:
        limits.append(f"/(?s:.{{{shortest},{'' if longest is None else longest}}})/")
    pattern = _whole_pattern(node.get("pattern"))
    return (*limits, f"/{pattern}/") if pattern else tuple(limits)


def _whole_pattern(pattern: object) -> str | None:
    """`pattern`, which may match anywhere in a text, as one for the whole text; None where llguidance's regular
    expressions do not know what it uses."""
    if not isinstance(pattern, str):
        return None
    has_start, has_end = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith("\\$")
    inner = pattern[has_start : len(pattern) - has_end]
    plain = _CLASS_OR_ESCAPED.sub(lambda each: each[0] if each[0][0] == "\\" else "", inner)
    if _UNKNOWN.search(plain) or ("|" in plain and has_start != has_end) or not _is_regular(inner):
        return None
    return f"{'' if has_start else _ANYTHING}(?:{_escaped(inner)}){'' if has_end else _ANYTHING}"


def _is_regular(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def _escaped(pattern: str) -> str:
    """`pattern` as it stands between slashes."""
    return re.sub(
        r"\\.|[/\n]",
        lambda each: {"/": r"\/", "\n": r"\n", "\\\n": r"\n"}.get(each[0], each[0]),
        pattern,
        flags=re.DOTALL,
    )
