"""What the page shows by itself: the texts of its components, of its scripts, and of what its handlers say."""

import ast
import html
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.live.server import ROOT

UI: Final = ROOT / "modules" / "ui"
_SAYING: Final = frozenset({"button", "downloadbutton", "uploadbutton", "markdown"})
_LETTER: Final = re.compile(r"[A-Za-z]{2}")
_MARKUP: Final = re.compile(r">([^<>]+)<|(?:title|aria-label|placeholder)=\"([^\"]+)\"")
# Calls whose first text is shown, and arguments that are.
_SAYERS: Final = frozenset(
    {"text", "failure", "Info", "Warning", "Error", "Button", "DownloadButton", "UploadButton", "Markdown"}
)
_SHOWN_ARGUMENTS: Final = frozenset({"label", "info", "placeholder", "title"})
# A table of sentences, such as WORDS of a call.
_SCRIPT_TABLE: Final = re.compile(r"^    [a-z]+: \"([A-Z](?:[^\"\\]|\\.)* (?:[^\"\\]|\\.)*)\",$", re.MULTILINE)
_SCRIPT_NAME: Final = re.compile(r"\b(?:label|group|title|heading|detail): \"((?:[^\"\\]|\\.)*)\"")
_SCRIPT_TEXT: Final = re.compile(r"window\.text\(\s*\"((?:[^\"\\]|\\.)*)\"|\btext\(\s*\"((?:[^\"\\]|\\.)*)\"")


# Literals of a script, and those that are words for people. What is left is said by the platform: keys, errors, headers.
_COMMENT: Final = re.compile(r"^\s*(?://|\*|/\*\*).*$|\s// .*$|/\*\*? @.*?\*/", re.MULTILINE)
_LITERAL: Final = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"|`((?:[^`\\]|\\.)*)`")
_WORDS: Final = re.compile(r"[A-Z][a-z]+(?:[ ,.:…]|$)|.*?\b[a-z]{2,} [a-z]{2,} [a-z]")
_IN_BRACES: Final = re.compile(r"\$\{(?:[^{}]|\{[^{}]*\})*\}")
_OF_PLATFORM: Final = re.compile(r"[<\n]|\\n|^(?:Escape|Tab|Enter|Arrow|Unidentified|Files|Error: .*)$")


def of_components(config: Mapping[str, Any]) -> set[str]:
    """As `modules/ui/languages/choose.js` and `modules/ui/page/languages.py` translate them."""
    return {
        each.strip() for component in config["components"] for each in _of_component(component) if _LETTER.search(each)
    }


def _of_component(component: Mapping[str, Any]) -> Iterator[str]:
    props, kind = component["props"], component["type"]
    shown = ("info", "placeholder") if kind == "html" else ("label", "info", "placeholder")
    yield from (str(props[name]) for name in shown if isinstance(props.get(name), str))
    if kind in _SAYING and isinstance(props.get("value"), str):
        yield props["value"]
    for choice in props.get("choices") or []:
        if isinstance(choice, list | tuple) and choice[0] != choice[1]:
            yield str(choice[0])
    for example in (props.get("examples") or []) if kind == "chatbot" else []:
        yield from (example["text"], example["display_text"])
    if kind == "html" and isinstance(props.get("value"), str):
        yield from (html.unescape(one or other) for one, other in _MARKUP.findall(props["value"]))


def of_scripts() -> set[str]:
    """Arguments of `text`, and what tables of the palette and of the keys call things."""
    sources = [file.read_text("utf-8") for file in (UI / "assets").rglob("*.js")]
    said = [one or other for source in sources for one, other in _SCRIPT_TEXT.findall(source)]
    said += [each for source in sources for each in _SCRIPT_TABLE.findall(source)]
    named = (name for source in sources for name in _SCRIPT_NAME.findall(source))
    return {each.replace('\\"', '"') for each in (*said, *named) if _LETTER.search(each) and not each.islower()}


def written_in_scripts() -> set[str]:
    """Every literal of the page's scripts that is for people, shown through `text` or not; values in it as ${}."""
    sources = [_COMMENT.sub("", file.read_text("utf-8")) for file in (UI / "assets").rglob("*.js")]
    literals = {one or other for source in sources for one, other in _LITERAL.findall(source)}
    said = {_IN_BRACES.sub("${}", each).replace('\\"', '"') for each in literals}
    return {each for each in said if _WORDS.match(each) and not _OF_PLATFORM.search(each)}


def of_handlers(files: Iterable[Path] | None = None) -> set[str]:
    """Literals that handlers show; parts of which values are put in are to go through `text`."""
    paths = (UI).rglob("*.py") if files is None else files
    return {each for path in paths for each in _said(ast.parse(path.read_text("utf-8"))) if _LETTER.search(each)}


def _said(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _SAYERS and node.args:
            yield from _literals(node.args[0])
        for argument in node.keywords:
            if argument.arg in _SHOWN_ARGUMENTS:
                yield from _literals(argument.value)


def _literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)
