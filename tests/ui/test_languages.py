"""Every text of the page is in the file of each language, and nothing else is."""

import json
import re
from pathlib import Path
from typing import Final

import pytest

from modules.ui.app import build_blocks
from modules.ui.page.languages import LANGUAGES, is_said, language_of, speaking, text, translated
from tests.ui.open_page import open_page
from tests.ui.visible_texts import UI, of_components, of_handlers, of_scripts, written_in_scripts

# The name of the model that is loaded here.
_NAMES: Final = frozenset({"scripted"})
_KEYS: Final = frozenset({"Ctrl", "Alt", "Shift", "Esc", "Enter", "Backspace"})
# Of buttons that Gradio names itself.
_NATIVE: Final = frozenset({"Copy message", "Retry", "Edit", "Undo"})
# What nobody sees.
_OF_SCRIPTS: Final = frozenset({"the menu is not there yet"})
_VALUE: Final = re.compile(r"\{\w+\}")


@pytest.mark.asyncio
@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_text_is_said_in_each_language_and_no_other_is(tmp_path: Path, language: str) -> None:
    async with open_page(tmp_path) as page:
        config = build_blocks(page).get_config_file()
    shown = (of_components(config) | of_scripts() | of_handlers() | _KEYS) - _NAMES
    assert shown - LANGUAGES[language].keys() == set()
    # Gradio's own labels, and texts that are composed elsewhere, stand in sources, too.
    unused = LANGUAGES[language].keys() - shown - _NATIVE
    sources = "\n".join(file.read_text("utf-8") for file in (*UI.rglob("*.py"), *UI.rglob("*.js")))
    assert {each for each in unused if json.dumps(each, ensure_ascii=False)[1:-1] not in sources} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_scripts_say_nothing_in_english_only(language: str) -> None:
    """Not even where `text` was forgotten, or where values stand within the words."""
    assert written_in_scripts() - LANGUAGES[language].keys() - _OF_SCRIPTS == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_have_the_same_values_and_marks(language: str) -> None:
    for english, said in LANGUAGES[language].items():
        assert said.strip(), english
        assert sorted(_VALUE.findall(english)) == sorted(_VALUE.findall(said)), english
        assert english.count("\n") == said.count("\n"), english
        assert said.count("<") == english.count("<"), english


def test_what_was_chosen_goes_above_the_browser_s_language() -> None:
    assert language_of({}, "de-AT,de;q=0.9,en;q=0.8") == "de"
    assert language_of({"language": "en"}, "de-AT") == "en"
    assert language_of({"language": "de"}, "en-US") == "de"
    assert language_of({}, "fr-FR,de;q=0.5") == "en"
    assert language_of({"language": "../x"}, "") == "en"


def test_updates_of_events_are_translated_and_names_are_not() -> None:
    update = {
        "__type__": "update",
        "label": "Settings",
        "choices": [("System", "system"), ("Light", "Light")],
        "value": "Save",
    }
    with speaking("de"):
        assert text("Saved.") == "Gespeichert."
        assert text("Deleted “{name}”.", name="{x}") == "„{x}“ gelöscht."
        assert translated(update, "radio") == {
            **update,
            "label": "Einstellungen",
            "choices": [("System", "system"), ("Light", "Light")],
        }
        assert translated(update, "button") == translated(update, "radio") | {"value": "Speichern"}  # type: ignore[operator]
        assert translated("Save", "textbox") == "Save"
    assert translated(update, "button") == update
    assert is_said("Settings", "Einstellungen")
    assert not is_said("Settings", "Speichern")
