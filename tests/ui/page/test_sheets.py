"""What the page's own style sheets cost while words are written."""

import re
from pathlib import Path
from typing import Final

_ASSETS: Final = Path(__file__).parents[3] / "modules" / "ui" / "assets"
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_SELECTORS: Final = re.compile(r"([^{};]+)\{")
# What stands behind the last blank, ">" or "+" that is not within brackets.
_LAST: Final = re.compile(r"(?:^|[\s>+~])((?:[^\s>+~()]|\((?:[^()]|\([^()]*\))*\))+)\s*$")
_NAME: Final = re.compile(r"[.#\[]")
_RULE: Final = re.compile(r"\{([^{}]*)")
_SIDES: Final = re.compile(
    r"-(top|right|bottom|left|block|inline|width|style|color|image|position|size|duration|delay|basis|grow|shrink)"
)


def restyling(sheet: str) -> list[str]:
    """Selectors that look into elements, and style others that they do not name: whenever anything is put into the page or
    taken out of it, browsers style all of them anew."""
    found = [each.strip() for group in _SELECTORS.findall(_COMMENT.sub("", sheet)) for each in _parts(group)]
    return [each for each in found if ":has(" in each and not _is_named(each)]


def _parts(group: str) -> list[str]:
    """A list of selectors, divided at the commas that are not within brackets."""
    return re.split(r",(?![^(]*\))", group) if "(" not in group else [group]


def _is_named(selector: str) -> bool:
    last = _LAST.search(selector)
    # What is within `:not` names nobody.
    return last is not None and _NAME.search(re.sub(r":not\((?:[^()]|\([^()]*\))*\)", "", last[1])) is not None


def test_selectors_that_look_into_elements_name_what_they_style() -> None:
    assert [each for path in sorted(_ASSETS.rglob("*.css")) for each in restyling(path.read_text("utf-8"))] == []


def test_selectors_that_do_not_are_found() -> None:
    assert restyling("#part:has(.grid[data-x]) .column > :not(:has(.grid), #grid) { x: y; }")
    assert restyling("#part:has(.grid) > div { x: y; } .a { b: c; }")
    assert not restyling("/* :has */ #part:not(:has(.grid)) .title { x: y; } .block:has(> button.label) { x: y; }")


def test_no_message_is_looked_into_for_the_sake_of_its_parts() -> None:
    """There may be hundreds of messages."""
    sheets = "".join(path.read_text("utf-8") for path in sorted((_ASSETS / "chat").glob("*.css")))
    assert not re.findall(r"\.message-row[^\s,{]*:has\([^)]*\)\)? [^{]*", sheets)


def lost(sheet: str) -> list[str]:
    """Properties that are set from a variable together with their parts, and in part again. Gradio writes each rule as
    browsers do, and those write nothing for what they do not know yet."""
    found = []
    for rule in _RULE.findall(_COMMENT.sub("", sheet)):
        whole: set[str] = set()
        for name, _, value in (each.strip().partition(":") for each in rule.split(";")):
            found += [f"{all_} → {name}" for all_ in whole if _SIDES.match(name.removeprefix(all_)) and name != all_]
            whole |= {name} if "var(" in value else set()
    return found


def test_nothing_that_is_set_from_a_variable_is_set_in_part_again() -> None:
    assert [each for path in sorted(_ASSETS.rglob("*.css")) for each in lost(path.read_text("utf-8"))] == []
    assert lost(".a { border: 2px solid var(--b); border-right-color: red; }")
    assert not lost(".a { border: 2px solid; border-color: var(--b) red; border-radius: 3px }")
