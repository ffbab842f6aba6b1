"""Writes grammars in llguidance's dialect of Lark, from tool schemas that it can enforce."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from modules.errors import BadRequest
from modules.messages import ToolSpec
from modules.reply.syntax.schema import parameters_of

_ANYTHING = "(?s:.*)"
# Character classes, and signs that stand for themselves.
_LITERALS = re.compile(r"\\\W|\[(?:\\.|[^\]\\])*\]", re.DOTALL)
# Lookarounds, anchors within a pattern and references, which finite automata do not have.
_UNKNOWN = re.compile(r"\(\?(?!:)|[\^$]|\\[bBAzZkpP1-9]")
_SLASH_OR_BREAK = re.compile(r"\\.|[/\n]", re.DOTALL)
_WRITTEN = {"/": r"\/", "\n": r"\n", "\\\n": r"\n"}


def whole_pattern(pattern: str) -> str | None:
    """`pattern` as one for a whole text; None where it uses what the other kind does not know."""
    has_start, has_end = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith("\\$")
    inner = pattern[has_start : len(pattern) - has_end]
    plain = _LITERALS.sub("", inner)
    # An anchor belongs to one side of `|` only, which a pattern for the whole text cannot express.
    is_divided = "|" in plain and (has_start or has_end)
    if _UNKNOWN.search(plain) or is_divided or not _is_regular(inner):
        return None
    return f"{'' if has_start else _ANYTHING}(?:{inner}){'' if has_end else _ANYTHING}"


def text_without(marker: str) -> str:
    """A pattern for texts in which `marker` does not occur; its first character must not occur in it again."""
    first, *rest = (_one(character) for character in marker)
    begun = ""
    # Built from the inside: after each character of the marker either another one follows or the match is lost.
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


_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"})
_VALUES = frozenset({"enum", "const", "$ref"})
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength"})
_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_PARTS = frozenset({"items", "additionalProperties"})
_LISTS = frozenset({"anyOf", "allOf", "prefixItems"})
_MAPS = frozenset({"properties", "$defs", "definitions"})
# llguidance reads `oneOf` only where the alternatives exclude each other; for a call the looser meaning will do.
_RENAMED = {"oneOf": "anyOf"}


def relaxed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` with known keywords only, in the form they have since draft 2020-12."""
    return dict(_kept(schema))


def _kept(schema: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for key, value in schema.items():
        name = "prefixItems" if key == "items" and isinstance(value, list) else _RENAMED.get(key, key)
        # A keyword of the new form wins over its older spelling.
        if name != key and name in schema:
            continue
        kept = _kept_part(name, value)
        if kept is not None:
            yield name, kept


def _kept_part(name: str, value: object) -> object:
    """The value of the keyword `name`, or None where it has to go."""
    match value:
        case dict() if name in _MAPS:
            return {each: _part(part) for each, part in value.items()}
        case dict() | bool() if name in _PARTS:
            return _part(value)
        case [_, *_] if name in _LISTS:
            return [_part(part) for part in value]
    return value if name in _VALUES or _is_enforceable(name, value) else None


def _part(schema: object) -> object:
    return relaxed(schema) if isinstance(schema, dict) else schema


def _is_enforceable(name: str, value: object) -> bool:
    match value:
        case str():
            return (
                (name == "type" and value in _TYPES)
                or (name == "format" and value in _FORMATS)
                or (name == "pattern" and whole_pattern(value) is not None)
            )
        case bool():
            return False
        case int():
            return name in _BOUNDS or (name in _COUNTS and value >= 0)
        case float():
            return name in _BOUNDS
        case [*names]:
            known = frozenset(each for each in names if isinstance(each, str))
            return len(known) == len(names) and (
                name == "required" or (name == "type" and bool(known) and known <= _TYPES)
            )
    return False


# A small model under a grammar that allows any number may never stop calling.
MAX_PARALLEL_CALLS = 16
# Each intersection multiplies the automaton's states; beyond that a grammar takes seconds to compile.
_MAX_INTERSECTIONS = 8


class Grammar:
    """Rules under names of their own. Whatever takes or gives an expression means the right side of a rule.

    The lexer is greedy: where one literal may come, another that begins with it must not.
    """

    def __init__(self) -> None:
        self._rules: dict[str, str] = {}
        self._intersections = 0

    def rule(self, expression: str) -> str:
        """The name of the rule that stands for `expression`."""
        # The same expression gets one rule: schemas repeat themselves, and the grammar's size decides its compile time.
        return self._rules.setdefault(expression, f"r{len(self._rules)}")

    def terminal(self, expression: str) -> str:
        """The name of the terminal that stands for `expression`: of regular expressions only, and read in one piece."""
        return self._rules.setdefault(expression, f"T{len(self._rules)}")

    def may_intersect(self, count: int, *, is_strict: bool) -> bool:
        """Whether the grammar can bear `count` more patterns at places that have one already: each costs much.

        Raises:
            BadRequest: it cannot, and the tool `is_strict`.
        """
        if self._intersections + 2 * count > _MAX_INTERSECTIONS:
            if is_strict:
                raise BadRequest("The strict tools have too many patterns and lengths of strings.", param="tools")
            return False
        self._intersections += 2 * count
        return True

    def json(self, schema: Mapping[str, Any], *, is_strict: bool = False) -> str:
        """A rule for JSON as `schema` says; without `is_strict`, as far as it can be enforced."""
        return self.rule("%json " + json.dumps(schema if is_strict else relaxed(schema)))

    def arguments(self, tool: ToolSpec) -> str:
        """A rule for the arguments of `tool` as a JSON object."""
        return self.json(parameters_of(tool), is_strict=tool.strict)

    def source(self, start: str) -> str:
        """The grammar of `start`, before which a reply may have two line breaks."""
        rules = (f"{name}: {expression}" for expression, name in self._rules.items())
        # The grammar begins behind the reasoning, where models write up to two line breaks.
        return "\n".join((rf"start: /\n{{0,2}}/ {start}", *rules, ""))


def literal(text: str) -> str:
    return json.dumps(text)


def one_of(expressions: Iterable[str]) -> str:
    return "(" + " | ".join(expressions) + ")"


def sequence(*expressions: str) -> str:
    return "(" + " ".join(expressions) + ")"


def repeated(expression: str, separator: str, *, parallel: bool) -> str:
    """`expression` once, or with `parallel` up to MAX_PARALLEL_CALLS times with `separator` between."""
    if not parallel:
        return expression
    return sequence(expression, f"({separator} {expression}){{0,{MAX_PARALLEL_CALLS - 1}}}")
