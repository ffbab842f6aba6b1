"""GBNF, llama.cpp's grammars, → Lark as llguidance reads it.

llguidance's own converter makes terminals, which its lexer reads greedily: `[a-z]* "s"` would never end. Here every
character is a terminal, so that the grammar means exactly what it means in llama.cpp.
Source: https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md
"""

import json
import re
from dataclasses import dataclass, field
from typing import Final

from modules.engine.constraints.failures import Unenforceable

_ROOT: Final = "root"
_MAX_CHARACTERS: Final = 256 * 1024
# Each rule costs the parser at every token.
_MAX_RULES: Final = 2000
# The translation recurses.
_MAX_DEPTH: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_BLANK: Final = re.compile(r"(?:[ \t]|#[^\r\n]*)*")
_BLANK_OR_LINES: Final = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
_REPEAT: Final = re.compile(r"[*+?]|\{\s*(\d+)\s*(?:(,)\s*(\d+)?\s*)?\}")
_TOKEN: Final = re.compile(r"<(?:\[\d+\]|[^<>\s\[\]]+)>")
_ESCAPE: Final = re.compile(r'\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([nrt\\"\[\]^-]))')
_NAMED_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class _Item:
    """Part of a sequence: Lark text, or the name of a rule; `repeat` is how often, `can_be_absent` not at all."""

    lark: str = ""
    rule: str | None = None
    repeat: str = ""
    can_be_absent: bool = False


_Alternatives = list[list[_Item]]


def gbnf_to_lark(text: str) -> str:
    """Raises Unenforceable, naming the line, for what is no GBNF, and for a grammar that no finite text matches."""
    if len(text) > _MAX_CHARACTERS:
        raise Unenforceable(f"The grammar is longer than {_MAX_CHARACTERS} characters.")
    reader = _Reader(text)
    reader.read()
    _check(reader.rules)
    names = {name: "start" if name == _ROOT else f"rule_{number}" for number, name in enumerate(reader.rules)}
    return "\n".join(f"{names[name]}: {_written(reader.rules[name], names)}" for name in reader.rules)


def _check(rules: dict[str, _Alternatives]) -> None:
    if _ROOT not in rules:
        raise Unenforceable("The grammar has no rule 'root'.")
    used = {item.rule for alternatives in rules.values() for sequence in alternatives for item in sequence}
    missing = sorted(name for name in used if name is not None and name not in rules)
    if missing:
        raise Unenforceable(f"The grammar uses a rule {missing[0][:40]!r} that it does not define.")
    if _ROOT not in _finite_rules(rules):
        raise Unenforceable("No finite text matches the grammar.")


def _finite_rules(rules: dict[str, _Alternatives]) -> set[str]:
    finite: set[str] = set()
    while True:
        found = {name for name in rules.keys() - finite if any(_is_finite(each, finite) for each in rules[name])}
        if not found:
            return finite
        finite |= found


def _is_finite(sequence: list[_Item], finite: set[str]) -> bool:
    return all(item.rule is None or item.can_be_absent or item.rule in finite for item in sequence)


def _written(alternatives: _Alternatives, names: dict[str, str]) -> str:
    return " | ".join(" ".join(_item(each, names) for each in sequence) or '""' for sequence in alternatives)


def _item(item: _Item, names: dict[str, str]) -> str:
    body = item.lark if item.rule is None else names[item.rule]
    return f"({body}){item.repeat}" if item.repeat else body


@dataclass(slots=True)
class _Reader:
    """Recursive descent over `text`; groups become rules of their own."""

    text: str
    at: int = 0
    rules: dict[str, _Alternatives] = field(default_factory=dict)
    depth: int = 0

    def read(self) -> None:
        self._skip(_BLANK_OR_LINES)
        while self.at < len(self.text):
            name = self._match(_NAME, "a rule's name")
            self._skip(_BLANK)
            self._expect("::=")
            self._skip(_BLANK_OR_LINES)
            if name in self.rules:
                raise self._failure(f"rule {name[:40]!r} is defined twice")
            self._define(name, self._alternatives(is_nested=False))
            if self.at < len(self.text) and self.text[self.at] not in "\r\n":
                raise self._failure("this is not expected here")
            self._skip(_BLANK_OR_LINES)

    def _define(self, name: str, alternatives: _Alternatives) -> None:
        self.rules[name] = alternatives
        if len(self.rules) > _MAX_RULES:
            raise Unenforceable(f"The grammar has more than {_MAX_RULES} rules and groups.")

    def _alternatives(self, *, is_nested: bool) -> _Alternatives:
        found = [self._sequence(is_nested=is_nested)]
        while self._peek() == "|":
            self.at += 1
            self._skip(_BLANK_OR_LINES)
            found.append(self._sequence(is_nested=is_nested))
        return found

    def _sequence(self, *, is_nested: bool) -> list[_Item]:
        blank = _BLANK_OR_LINES if is_nested else _BLANK
        items: list[_Item] = []
        self._skip(blank)
        while (character := self._peek()) and character not in "|)\r\n":
            item = self._element(character)
            items.append(self._repeated(item, blank))
            self._skip(blank)
        return items

    def _element(self, character: str) -> _Item:
        match character:
            case '"':
                return self._literal()
            case "[":
                return _Item(self._class())
            case "(":
                return self._group()
            case ".":
                self.at += 1
                return _Item("/(?s:.)/")
            case "<":
                return _Item(self._match(_TOKEN, "a token like <[42]> or <name>"))
        return _Item(rule=self._match(_NAME, "a literal, a class, a group or a rule's name"))

    def _repeated(self, item: _Item, blank: re.Pattern[str]) -> _Item:
        self._skip(blank)
        found = _REPEAT.match(self.text, self.at)
        if found is None:
            return item
        self.at = found.end()
        least, comma, most = found.groups()
        if least is None:
            return _Item(item.lark, item.rule, found.group(), found.group() in "*?")
        bounds = f"{{{least},{most or ''}}}" if comma else f"{{{least},{least}}}"
        return _Item(item.lark, item.rule, bounds, int(least) == 0)

    def _group(self) -> _Item:
        self.at += 1
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self._failure(f"groups are nested more than {_MAX_DEPTH} deep")
        alternatives = self._alternatives(is_nested=True)
        self._expect(")")
        self.depth -= 1
        name = f"group {len(self.rules)}"
        self._define(name, alternatives)
        return _Item(rule=name)

    def _literal(self) -> _Item:
        self.at += 1
        characters = []
        while self._peek() != '"':
            characters.append(json.dumps(self._character(), ensure_ascii=False))
        self.at += 1
        return _Item(f"({' '.join(characters)})" if len(characters) > 1 else "".join(characters) or '""')

    def _class(self) -> str:
        self.at += 1
        negation = "^" if self._peek() == "^" else ""
        self.at += len(negation)
        ranges = []
        while self._peek() != "]":
            low = high = self._character()
            if self._peek() == "-" and self.text[self.at + 1 : self.at + 2] != "]":
                self.at += 1
                high = self._character()
            if high < low:
                raise self._failure("a range ends before it begins")
            ranges.append(f"\\x{{{ord(low):x}}}-\\x{{{ord(high):x}}}")
        self.at += 1
        if not ranges:
            raise self._failure("an empty class matches nothing")
        return f"/[{negation}{''.join(ranges)}]/"

    def _character(self) -> str:
        character = self._peek()
        if not character or character in "\r\n":
            raise self._failure("a literal or class does not end on its line")
        if character != "\\":
            self.at += 1
            return character
        found = _ESCAPE.match(self.text, self.at)
        if found is None:
            raise self._failure("this escape is unknown")
        self.at = found.end()
        return self._escaped(found)

    def _escaped(self, found: re.Match[str]) -> str:
        *codes, named = found.groups()
        code = next((int(digits, 16) for digits in codes if digits), None)
        if code is None:
            return _NAMED_ESCAPES.get(named, named)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise self._failure("this is no character")
        return chr(code)

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _match(self, pattern: re.Pattern[str], what: str) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise self._failure(f"{what} is expected here")
        self.at = found.end()
        return found.group()

    def _expect(self, text: str) -> None:
        if not self.text.startswith(text, self.at):
            raise self._failure(f"{text} is expected here")
        self.at += len(text)

    def _failure(self, what: str) -> Unenforceable:
        line = self.text.count("\n", 0, self.at) + 1
        return Unenforceable(f"Line {line} of the grammar, at {self.text[self.at : self.at + 20]!r}: {what}.")
