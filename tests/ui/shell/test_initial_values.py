"""What the page holds when it is sent: what there is at that moment, for browsers and for the checks of their answers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import pytest_asyncio
from gradio.components import Component

from modules.ui.shell.blocks import PageBlocks
from modules.ui.shell.initial_values import InitialValues
from tests.ui.served import ServedPage, served_page
from tests.ui.wire import Tab, new_tab

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedPage]:
    async with served_page(tmp_path_factory.mktemp("user_data")) as served:
        yield served


def choices(tab: Tab, name: str) -> list[str]:
    return [value for _, value in tab.at_first[tab.component(name)]["props"]["choices"]]


async def test_files_that_came_after_the_start_are_in_the_menus_and_can_be_chosen(page: ServedPage) -> None:
    (page.folder / "presets").mkdir(exist_ok=True)
    (page.folder / "presets" / "Later.yaml").write_text("temperature: 0.25\n", encoding="utf-8")
    async with new_tab(page.http) as tab:
        assert "Later" in choices(tab, "preset-menu")
        await tab.act("preset-menu", "input", preset_menu="Later")
        assert tab.value("parameter-temperature") == 0.25
    async with new_tab(page.http) as tab:
        assert tab.at_first[tab.component("parameter-temperature")]["props"]["value"] == 0.25
        assert tab.at_first[tab.component("preset-menu")]["props"]["value"] == "Later"
    (page.folder / "presets" / "Later.yaml").unlink()
    async with new_tab(page.http) as tab:
        assert "Later" not in choices(tab, "preset-menu")


async def test_a_value_beyond_its_slider_is_sent_with_a_longer_one(page: ServedPage) -> None:
    async with new_tab(page.http) as tab:
        number = tab.component("parameter-max-new-tokens")
        assert tab.at_first[number]["props"]["maximum"] == 4096
    (page.folder / "presets" / "Wide.yaml").write_text("top_k: 900\n", encoding="utf-8")
    async with new_tab(page.http) as tab:
        await tab.act("preset-menu", "input", preset_menu="Wide")
    async with new_tab(page.http) as tab:
        assert tab.at_first[tab.component("parameter-top-k")]["props"]["maximum"] == 900
        assert (await tab.act("neutralize", "click")).error is None
        assert "pass" in await tab.ask("Do all values pass?")
    async with new_tab(page.http) as tab:
        assert tab.at_first[tab.component("parameter-top-k")]["props"]["maximum"] == 200


async def test_no_event_of_the_opening_fills_in_what_is_sent_with_the_page(page: ServedPage) -> None:
    """A menu that is made again closes under its user's hand."""
    async with new_tab(page.http) as tab:
        loads = [each for each in tab.events if any(event == "load" for _, event in each["targets"])]
        filled = {tab.component(name) for name in ("model-menu", "preset-menu", "character", "mode", "user")}
        assert loads
        assert not filled & {number for each in loads for number in each["outputs"]}


class Made:
    """Blocks with a menu and a text, and what is to be filled in."""

    def __init__(self) -> None:
        with PageBlocks(analytics_enabled=False) as self.blocks:
            self.menu = gr.Dropdown(["a"], value="a")
            self.text = gr.Textbox("old")
        self.now: dict[Component, Any] = {}
        self.filling = InitialValues(self.blocks, [(self.break_down, [self.menu]), (self.fill, [self.menu, self.text])])

    async def fill(self) -> dict[Component, Any]:
        return self.now

    async def break_down(self) -> dict[Component, Any]:
        raise RuntimeError("a part of the page")

    def sent(self, component: Component) -> dict[str, Any]:
        (entry,) = (each for each in self.blocks.config["components"] if each["id"] == component._id)
        props: dict[str, Any] = entry["props"]
        return props


async def test_what_breaks_down_keeps_no_other_part_from_being_filled(caplog: pytest.LogCaptureFixture) -> None:
    made = Made()
    made.now = {made.menu: gr.update(choices=["a", "b"], value="b"), made.text: "new"}
    await made.filling.refresh()
    assert made.sent(made.menu)["choices"] == [["a", "a"], ["b", "b"]]
    assert (made.sent(made.menu)["value"], made.sent(made.text)["value"]) == ("b", "new")
    assert made.menu.preprocess("b") == "b"
    assert "a part of the page could not be filled in" in caplog.text


async def test_what_is_left_out_stays_and_what_comes_back_is_sent_again() -> None:
    made = Made()
    for value in ("first", "second", "first"):
        made.now = {made.text: value}
        await made.filling.refresh()
        assert made.sent(made.text)["value"] == value
        assert made.sent(made.menu)["value"] == "a"


async def test_the_page_is_read_anew_at_each_visit(page: ServedPage, tmp_path: Path) -> None:
    for path in ("/", "/config"):
        assert (await page.http.get(path)).headers["cache-control"] == "no-store"
