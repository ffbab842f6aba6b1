"""The Parameters tab's handlers as plain functions: what is entered is the page's, and files are what the library has."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import yaml
from gradio.components import Component

from extensions.openai.common.generation import default_sampling
from modules.chat.session import session
from modules.errors import SettingsError
from modules.events import Content
from modules.library.chats.history import History
from modules.library.presets import PRESET_KEYS
from modules.requests import ChatRequest
from modules.sampling import SAMPLER_ORDER, Sampling
from modules.settings.values import OPTIONS, Settings
from modules.ui.page.page import Page
from modules.ui.parameters.fields import FIELDS, ParameterField, refilled, shown_value, stretched, temperature_at_hand
from modules.ui.parameters.tab import RECOMMENDED, ParametersTab, build_sampling, unused_fields
from modules.ui.replies.requests import chat_request
from tests.scripted import scripted_card
from tests.ui.open_page import Seen, open_page


class Tab:
    """The tab as one browser sees it."""

    def __init__(self, page: Page) -> None:
        with gr.Blocks():
            self.parameters = ParametersTab(page, temperature_at_hand(page.settings))
        self.page = page
        self.seen = Seen(page.inputs.shown(page.settings))

    def __getitem__(self, name: str) -> Any:
        return self.seen.values[self.page.inputs[name]]

    def enter(self, name: str, value: object) -> None:
        self.seen.values[self.page.inputs[name]] = value

    async def note(self, name: str, value: object) -> None:
        self.enter(name, value)
        field = self.page.inputs[name]
        if name == "sampler_priority":
            self.seen.show(await self.parameters.ordered(value))
        else:
            self.seen.show(await self.parameters.noted(self.seen.values, gr.EventData(field, {"field": field.elem_id})))

    @property
    def source(self) -> str:
        """Where the values come from."""
        return str(self.seen.values[self.parameters._source])

    @property
    def differing(self) -> list[str]:
        names: list[str] = json.loads(self.seen.values[self.parameters._differing])
        return names

    async def save(self, name: str) -> None:
        entered: dict[Component, Any] = {**self.seen.values, self.parameters.presets.name: name}
        self.seen.show(await self.parameters.presets.keep(entered))

    async def choose(self, name: str) -> None:
        self.seen.show(await self.parameters.presets.choose(name))


@asynccontextmanager
async def a_tab(folder: Path, **settings: Any) -> AsyncIterator[Tab]:
    async with open_page(folder, **settings) as page:
        yield Tab(page)


def preset(folder: Path, name: str, text: str) -> None:
    (folder / "presets").mkdir(exist_ok=True)
    (folder / "presets" / f"{name}.yaml").write_text(text, encoding="utf-8")


def stamps(folder: Path) -> dict[Path, int]:
    """Every file, and when it was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


async def test_every_sampling_parameter_is_on_the_page_and_explained(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        assert set(PRESET_KEYS) <= set(tab.page.inputs.names)
        for name in FIELDS:
            assert tab.page.inputs[name].constructor_args["info"] == OPTIONS[name].description
            assert len(OPTIONS[name].description) > 10


async def test_sliders_reach_every_neutral_value() -> None:
    neutral = Sampling()
    for name in PRESET_KEYS:
        field = FIELDS.get(name)
        if field is not None and field.is_slider:
            assert field.low <= getattr(neutral, name) <= field.high, name


async def test_a_preset_fills_what_it_names_and_neutralizes_the_rest(tmp_path: Path) -> None:
    preset(tmp_path, "Mine", "temperature: 0.5\ntop_k: 20\nsampler_priority: [top_k, temperature]\n")
    async with a_tab(tmp_path, min_p=0.3) as tab:
        assert tab["min_p"] == 0.3
        await tab.choose("Mine")
        assert (tab["temperature"], tab["top_k"], tab["min_p"]) == (0.5, 20, 0.0)
        assert tab["sampler_priority"] == ["top_k", "temperature"]
        settings = tab.page.settings
        assert (settings.preset, settings.temperature, settings.min_p) == ("Mine", 0.5, 0.0)
        assert settings.max_new_tokens == 512


async def test_restore_and_neutralize(tmp_path: Path) -> None:
    preset(tmp_path, "Mine", "temperature: 0.5\n")
    async with a_tab(tmp_path) as tab:
        await tab.choose("Mine")
        await tab.note("temperature", 2)
        tab.seen.show(await tab.parameters.restore("Mine"))
        assert tab["temperature"] == tab.page.settings.temperature == 0.5
        tab.seen.show(await tab.parameters.neutralize())
        assert tab.page.settings.sampling == Sampling()
        assert tab.page.settings.preset == ""
        assert tab.seen.values[tab.parameters.presets.menu] is None


async def test_a_preset_is_saved_and_deleted(tmp_path: Path) -> None:
    async with a_tab(tmp_path, recommended_sampling="off") as tab:
        tab.enter("temperature", 0.7)
        tab.enter("dry_sequence_breakers", '"\\n", "x"')
        tab.enter("sampler_priority", ["top_k", "temperature"])
        await tab.save("Mine")
        written = yaml.safe_load((tmp_path / "presets" / "Mine.yaml").read_text(encoding="utf-8"))
        assert written == {
            "temperature": 0.7,
            "dry_sequence_breakers": ["\n", "x"],
            "sampler_priority": ["top_k", "temperature"],
        }
        assert tab.page.settings.preset == "Mine"
        menu = tab.parameters.presets.menu
        assert tab.seen.values[menu] == "Mine"
        assert tab.seen.properties[menu]["choices"] == [RECOMMENDED, "Mine"]
        tab.seen.show(await tab.parameters.presets.delete("Mine"))
        assert not list((tmp_path / "presets").iterdir())
        assert tab.seen.values[menu] is None


async def test_new_installations_have_what_is_recommended_until_something_else_is_chosen(tmp_path: Path) -> None:
    preset(tmp_path, "Mine", "temperature: 0.5\n")
    async with a_tab(tmp_path) as tab:
        tab.seen.show(await tab.parameters.opened())
        presets = tab.parameters.presets
        assert tab.seen.values[presets.menu] == RECOMMENDED
        assert (tab["temperature"], tab["top_p"], tab["top_k"], tab["min_p"]) == (0.7, 0.95, 40, 0.05)
        await tab.note("min_p", 0)
        assert "general values" in tab.source
        assert "Changed by you: Min P" in tab.source
        await tab.choose("Mine")
        assert (tab["temperature"], tab["top_k"], tab.source) == (0.5, 0, "")
        await tab.choose(RECOMMENDED)
        assert (tab["temperature"], tab["min_p"]) == (0.7, 0.05)
        assert "Changed" not in tab.source
        with pytest.raises(gr.Error, match="another name"):
            await tab.save(RECOMMENDED)


async def test_page_asks_with_what_it_shows_and_the_api_with_its_own_defaults(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        page = tab.page
        settings = page.saved_settings.remember(page.inputs.values(tab.seen.values))
        history = session.with_message(History(), "sampling")
        asked = chat_request(settings, history, page.runtime.library.users.read("Default"))
        assert await _said(page, asked) == "0.7 0.95 40 0.05"
        defaults = await default_sampling(page.runtime, None)
        assert await _said(page, replace(asked, sampling=defaults)) == "1 1 0 0"


async def _said(page: Page, request: ChatRequest) -> str:
    events = page.runtime.chat.chat(request, owner="test")
    async with aclosing(events):
        return "".join([event.text async for event in events if isinstance(event, Content)])


@pytest.mark.parametrize("name", ["", "  ", "../settings", "/etc/passwd", "a/b", "..", "nul"])
async def test_names_from_outside_reach_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "settings.yaml").write_text("temperature: 0.1\n", encoding="utf-8")
    async with a_tab(tmp_path) as tab:
        before = stamps(tmp_path)
        with pytest.raises(gr.Error):
            await tab.save(name)
        with pytest.raises(gr.Error):
            await tab.parameters.presets.delete(name)
        if name.strip():
            with pytest.raises(gr.Error):
                await tab.choose(name)
        assert stamps(tmp_path) == before


async def test_where_visitors_are_kept_apart_no_file_is_changed(tmp_path: Path) -> None:
    preset(tmp_path, "Mine", "temperature: 0.5\n")
    async with a_tab(tmp_path, multi_user=True) as tab:
        await tab.choose("Mine")
        assert tab["temperature"] == 0.5
        assert tab.page.settings.temperature == 0.7, "nothing that one enters is another's"
        with pytest.raises(gr.Error, match="--multi-user"):
            await tab.save("Other")
        with pytest.raises(gr.Error, match="--multi-user"):
            await tab.parameters.presets.delete("Mine")
        assert [path.name for path in (tmp_path / "presets").iterdir()] == ["Mine.yaml"]


async def test_what_cannot_be_used_is_told_when_it_is_entered(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        await tab.note("custom_stopping_strings", '"a", "b"')
        for name, value, reason in (
            ("custom_stopping_strings", "a, b", "quotes"),
            ("custom_token_bans", "one", "ids"),
            ("top_p", 2, "at most 1"),
            ("dry_sequence_breakers", "oops", "as in JSON"),
            ("sampler_priority", ["top_k", "other"], "names among"),
            ("sampler_priority", [["top_k"]], "names among"),
            ("sampler_priority", {"top_k": 1}, "names among"),
            ("seed", None, "whole number"),
        ):
            with pytest.raises(gr.Error, match=reason):
                await tab.note(name, value)
        assert tab.page.settings.top_p == 0.95
        assert tab.page.settings.sampler_priority == SAMPLER_ORDER


async def test_a_grammar_is_opened_saved_and_deleted(tmp_path: Path) -> None:
    (tmp_path / "grammars").mkdir()
    (tmp_path / "grammars" / "yes.gbnf").write_text('root ::= "yes"\n', encoding="utf-8")
    async with a_tab(tmp_path) as tab:
        grammars = tab.parameters.grammars
        tab.seen.show(await grammars.choose("yes"))
        assert tab["grammar_string"] == tab.page.settings.grammar_string == 'root ::= "yes"\n'
        tab.enter("grammar_string", 'root ::= "no"\n')
        tab.seen.show(await grammars.keep({**tab.seen.values, grammars.name: "no"}))
        assert (tmp_path / "grammars" / "no.gbnf").read_text(encoding="utf-8") == 'root ::= "no"\n'
        tab.seen.show(await grammars.delete("no"))
        assert [path.name for path in (tmp_path / "grammars").iterdir()] == ["yes.gbnf"]
        with pytest.raises(gr.Error, match="There is no grammar"):
            await grammars.choose("no")


async def test_deleting_asks_first(tmp_path: Path) -> None:
    preset(tmp_path, "Mine", "")
    async with a_tab(tmp_path) as tab:
        presets = tab.parameters.presets
        (button,) = (await presets.ask("Mine")).values()
        assert button.constructor_args == {"value": "Delete Mine permanently", "visible": True}
        (button,) = (await presets.ask(None)).values()
        assert button.constructor_args["visible"] is False


async def test_fields_that_the_loader_ignores_are_hidden(tmp_path: Path) -> None:
    assert unused_fields(None) == frozenset()
    assert unused_fields(scripted_card(unsupported=("tfs",))) == {"tfs"}
    async with a_tab(tmp_path) as tab:
        shown = await tab.parameters.fitting(True)
        assert all(update["visible"] for update in shown.values())
        assert tab.page.inputs["tfs"] in shown
        assert tab.page.inputs["max_new_tokens"] not in shown


def test_a_value_outside_stretches_its_slider() -> None:
    field = ParameterField("max_new_tokens", 1, 4096, 1)
    assert stretched(field, 512) == (1, 4096)
    assert stretched(field, 9000) == (1, 9000)
    assert stretched(ParameterField("repetition_penalty", 1, 1.5), 0.9) == (0.9, 1.5)
    settings = Settings(max_new_tokens=9000, top_k=5, seed=7)
    update = refilled(FIELDS["max_new_tokens"], settings)
    assert update == gr.update(minimum=1, maximum=9000, value=9000)


def test_what_a_field_shows_is_what_the_setting_takes() -> None:
    settings = Settings(dry_sequence_breakers=("\n", "é"))
    assert shown_value("dry_sequence_breakers", settings) == '"\\n", "é"'
    for name in FIELDS:
        shown = shown_value(name, settings)
        assert getattr(settings.with_changes({name: shown}), name) == getattr(settings, name)


async def test_opening_marks_the_preset_that_was_chosen(tmp_path: Path) -> None:
    preset(tmp_path, "Mine", "")
    async with a_tab(tmp_path, preset="Mine", max_new_tokens=9000) as tab:
        tab.seen.show(await tab.parameters.opened())
        assert tab.seen.values[tab.parameters.presets.menu] == "Mine"
        assert tab.seen.properties[tab.page.inputs["max_new_tokens"]]["maximum"] == 9000
        assert tab["sampler_priority"] == list(SAMPLER_ORDER)


async def test_what_differs_from_the_preset_is_told(tmp_path: Path) -> None:
    async with open_page(tmp_path) as page:
        tab = Tab(page)
        await tab.save("Mine")
        await tab.choose("Mine")
        assert tab.differing == []
        await tab.note("temperature", 0.31)
        assert tab.differing == ["temperature"]
        await tab.note("seed", 7)
        assert tab.differing == ["temperature"]
        tab.seen.show(await tab.parameters.restore("Mine"))
        assert tab.differing == []


async def test_the_tab_can_be_built_once(tmp_path: Path) -> None:
    async with open_page(tmp_path) as page:
        with gr.Blocks():
            build_sampling(page, temperature_at_hand(page.settings))
            page.connect()
            with pytest.raises(SettingsError, match="once more"):
                build_sampling(page, temperature_at_hand(page.settings))
