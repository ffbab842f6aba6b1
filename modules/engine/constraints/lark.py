"""Prepares Lark grammars for llguidance.

Embedded JSON schemas are made strict, and quoted texts that the model has as control tokens may be said in either way.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from modules.engine.constraints.failures import Unenforceable
from modules.engine.constraints.json_schema import strict_schema

_MAX_CHARACTERS: Final = 1024 * 1024
_MAX_RULES: Final = 2000
_MAX_OPERATORS: Final = 8  # of one rule; to join more takes llguidance exponential time
_PIECE: Final = re.compile(
    r"""(?P<head>^[ \t]*[?!]?[A-Za-z_][\w-]*(?:::[^:\n]*)?\s*(?P<options>\[[^\]\n]*\])?(?:\.-?\d+)?\s*:)"""
    r"""|(?P<comment>//[^\n]*|\#[^\n]*)"""
    r"""|(?P<directive>%(?:json|regex|llguidance)\s*)"""
    r"""|(?P<string>"(?:[^"\\\n]|\\.)*"i?)"""
    r"""|(?P<regex>/(?:[^/\\\n]|\\.)+/[a-z]*)"""
    r"""|(?P<operator>[&~])""",
    re.MULTILINE,
)
_LEXEME_OPTIONS: Final = ("lazy", "suffix", "stop", "max_tokens", "temperature")


def strict_lark(text: str, markers: Mapping[str, int]) -> str:
    """`text` with the options of our JSON in its schemas, and with its quoted `markers` as text or token.

    A marker within a terminal stays text, because terminals hold no tokens. Raises Unenforceable.
    """
    if len(text) > _MAX_CHARACTERS:
        raise Unenforceable(f"The grammar is longer than {_MAX_CHARACTERS} characters.")
    return "".join(_Rewriting(text, markers).pieces())


class _Rewriting:
    def __init__(self, text: str, markers: Mapping[str, int]) -> None:
        self._text = text
        self._markers = markers
        self._names = re.compile("|".join(re.escape(name) for name in sorted(markers, key=len, reverse=True)) or r"\Z.")
        self._is_lexeme = False
        self._rules = self._operators = 0

    def pieces(self) -> Iterator[str]:
        at = 0
        while (found := _PIECE.search(self._text, at)) is not None:
            yield self._text[at : found.start()]
            at = found.end()
            if found["directive"] is not None:
                piece, at = self._directive(found)
                yield piece
            else:
                yield self._piece(found)
        yield self._text[at:]

    def _piece(self, found: re.Match[str]) -> str:
        if found["head"] is not None:
            self._begin_rule(found)
        elif found["operator"] is not None:
            self._operators += 1
            if self._operators > _MAX_OPERATORS:
                raise Unenforceable(f"A rule of the grammar has more than {_MAX_OPERATORS} of the operators & and ~.")
        elif found["string"] is not None and not self._is_lexeme:
            return self._string(found.group())
        return found.group()

    def _begin_rule(self, found: re.Match[str]) -> None:
        self._rules += 1
        self._operators = 0
        if self._rules > _MAX_RULES:
            raise Unenforceable(f"The grammar has more than {_MAX_RULES} rules.")
        name = found["head"].strip().lstrip("?!_")
        options = found["options"] or ""
        self._is_lexeme = name[:1].isupper() or any(option in options for option in _LEXEME_OPTIONS)

    def _string(self, literal: str) -> str:
        try:
            said = json.loads(literal) if literal.endswith('"') else ""
        except ValueError:
            return literal
        parts = list(self._parts(said))
        return f"({' '.join(parts)})" if any(self._names.finditer(said)) else literal

    def _parts(self, said: str) -> Iterator[str]:
        at = 0
        for found in self._names.finditer(said):
            if found.start() > at:
                yield json.dumps(said[at : found.start()], ensure_ascii=False)
            yield f"({json.dumps(found.group(), ensure_ascii=False)} | <[{self._markers[found.group()]}]>)"
            at = found.end()
        if at < len(said):
            yield json.dumps(said[at:], ensure_ascii=False)

    def _directive(self, found: re.Match[str]) -> tuple[str, int]:
        try:
            value, end = json.JSONDecoder().raw_decode(self._text, found.end())
        except (ValueError, RecursionError):
            raise Unenforceable(f"No JSON follows {found.group().strip()} in the grammar.") from None
        if not found.group().startswith("%json"):
            return self._text[found.start() : end], end
        return found.group() + json.dumps(strict_schema(value), ensure_ascii=False), end
