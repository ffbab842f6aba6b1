"""Grammars of text that ends with a marker, where a string stands without quotes."""

from modules.errors import BadRequest
from modules.reply.formats.lark import Grammar, literal, one_of, sequence
from modules.reply.formats.patterns import between_slashes, literal_pattern, text_without, whole_pattern
from modules.reply.formats.schema import Schema


def text_until(grammar: Grammar, schema: Schema, closer: str, *, padding: str = "", is_strict: bool = False) -> str:
    """A string that `schema` allows, `padding`, and `closer`, which does not occur before.

    Limits that cannot be enforced are passed over; with `is_strict` they raise BadRequest.
    """
    place = schema.referred
    choices = tuple(each for each in place.choices if isinstance(each, str))
    if choices:
        return sequence(one_of(map(literal, choices)), literal(padding + closer))
    limits = (*_length_limits(place), *_pattern_limits(place, is_strict=is_strict))
    if limits and grammar.may_intersect(len(limits), is_strict=is_strict):
        return _limited_text(grammar, limits, closer, padding)
    text, end = text_without(closer), literal_pattern(closer)
    # A closer that is a control token is no text, and stands beside the text; any other is read in one piece with it.
    return one_of((between_slashes(text + end), sequence(between_slashes(text), literal(closer))))


def _limited_text(grammar: Grammar, limits: tuple[str, ...], closer: str, padding: str) -> str:
    text = " & ".join((*map(between_slashes, limits), between_slashes(text_without(closer))))
    padded = f"({text}) {literal(padding)}" if padding else f"({text})"
    whole, before = grammar.terminal(f"{padded} {literal(closer)}"), grammar.terminal(padded)
    return one_of((whole, sequence(before, literal(closer))))


def _length_limits(schema: Schema) -> tuple[str, ...]:
    shortest, longest = schema.node.get("minLength", 0), schema.node.get("maxLength")
    if not shortest and longest is None:
        return ()
    return (f"(?s:.{{{shortest},{'' if longest is None else longest}}})",)


def _pattern_limits(schema: Schema, *, is_strict: bool) -> tuple[str, ...]:
    pattern = schema.node.get("pattern")
    if not isinstance(pattern, str):
        return ()
    whole = whole_pattern(pattern)
    if whole is None and is_strict:
        raise BadRequest(
            f"The pattern {pattern!r} of a strict tool cannot be enforced. Write it without look-around, back-references "
            "and anchors other than at its ends, or leave out `strict`.",
            param="tools",
        )
    return () if whole is None else (whole,)
