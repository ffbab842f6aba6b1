"""The languages of the page: English texts, and what files of `modules/ui/languages` say for them."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

ENGLISH: Final = "en"
COOKIE: Final = "language"
_FOLDER: Final = Path(__file__).parents[1] / "languages"
_VALUE: Final = re.compile(r"\{(\w+)\}")
# What of a component is visible, and of which kinds the value is the program's own text.
_VISIBLE: Final = ("label", "info", "placeholder")
_SAYING: Final = frozenset({"button", "downloadbutton", "uploadbutton", "markdown"})
# Whose event is being handled.
_LANGUAGE: Final[ContextVar[str]] = ContextVar("language", default=ENGLISH)


def _read() -> Mapping[str, Mapping[str, str]]:
    files = sorted(_FOLDER.glob("*.json"))
    return MappingProxyType({file.stem: MappingProxyType(json.loads(file.read_text("utf-8"))) for file in files})


# By code, such as de.
LANGUAGES: Final = _read()


def text(english: str, **values: object) -> str:
    """The text in the language of whoever is served; names in braces stand for `values`."""
    shown = LANGUAGES.get(_LANGUAGE.get(), {}).get(english, english)
    return _VALUE.sub(lambda name: str(values.get(name[1], name[0])), shown) if values else shown


def is_said(english: str, shown: object) -> bool:
    """Whether a browser, whatever its language, shows the text so."""
    return shown == english or any(texts.get(english) == shown for texts in LANGUAGES.values())


def language_of(cookies: Mapping[str, str], accepted: str) -> str:
    """What was chosen on the page, else the first of the browser's languages; English for those that there are not."""
    chosen = cookies.get(COOKIE) or accepted.partition(",")[0].partition(";")[0]
    code = chosen.strip().lower().partition("-")[0]
    return code if code in LANGUAGES else ENGLISH


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """What `text` says within, and in tasks begun within, is in that language."""
    before = _LANGUAGE.set(language)
    try:
        yield
    finally:
        _LANGUAGE.reset(before)


def translated(update: object, kind: str) -> object:
    """What an event shows of a component of that kind."""
    if _LANGUAGE.get() == ENGLISH:
        return update
    if isinstance(update, str):
        return text(update) if kind in _SAYING else update
    if not isinstance(update, dict) or update.get("__type__") != "update":
        return update
    return update | dict(_translated_props(update, kind))


def _translated_props(props: Mapping[str, Any], kind: str) -> Iterator[tuple[str, object]]:
    for name in (*_VISIBLE, *(("value",) if kind in _SAYING else ())):
        if isinstance(props.get(name), str):
            yield name, text(props[name])
    # Names of files and models are their own labels.
    if isinstance(props.get("choices"), list):
        yield "choices", [_translated_choice(choice) for choice in props["choices"]]


def _translated_choice(choice: object) -> object:
    match choice:
        case (str(label), value) if label != value:
            return text(label), value
    return choice


@dataclass(frozen=True, slots=True)
class LanguageScript:
    """What a browser of that language is sent before the page."""

    code: str

    @property
    def content(self) -> bytes:
        texts = json.dumps(dict(LANGUAGES[self.code]), ensure_ascii=False)
        return f"window.languageTexts = {texts};\nwindow.applyLanguage();\n".encode()

    @property
    def name(self) -> str:
        return f"language-{self.code}-{hashlib.sha256(self.content).hexdigest()[:16]}.js"


def first_script() -> bytes:
    """What the document has before all else: it chooses the language, and asks for that one's file."""
    files = {each.code: f"./assets/{each.name}" for each in language_scripts()}
    choose = (_FOLDER / "choose.js").read_text("utf-8")
    return f"<script>window.languageFiles = {json.dumps(files)};\n{choose}</script>".encode()


def language_scripts() -> list[LanguageScript]:
    return [LanguageScript(code) for code in LANGUAGES]
