"""The Notebook tab's handlers as plain functions, over a real runtime with the scripted backend."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.components import Component

from modules.chat.tools.toolbox import ToolBox
from modules.extend.extensions import Extensions, RunningProgram
from modules.models.loading import launch_in_process
from modules.runtime import Runtime
from modules.settings.values import Settings
from modules.ui.notebook.layout import Shown, menu, paper
from modules.ui.notebook.notebook_list import NotebookListHandlers
from modules.ui.notebook.open_notebooks import OpenNotebooks
from modules.ui.notebook.replies import NotebookReplies
from modules.ui.notebook.tab import NotebookLooks, build_notebook
from modules.ui.page.page import Page
from tests.ui.open_page import open_page

OPENING = "It was late when she found the door in the cellar. Behind it"


class Tab:
    """One browser's notebook: what handlers show is what the next event brings along."""

    def __init__(self, page: Page) -> None:
        with gr.Blocks():
            self.menu = menu(page)
            self.paper, self.views = paper(page)
        self.page = page
        self.open_notebooks = OpenNotebooks(page)
        self.replies = NotebookReplies(page, self.open_notebooks, self.paper)
        self.shelf = NotebookListHandlers(page, self.open_notebooks, self.menu, self.paper, self.replies)
        self.looks = NotebookLooks(page, self.replies, self.views)
        self.entered: dict[Component, Any] = dict.fromkeys(
            [self.menu.notebooks, *self.paper.shown, self.views.next_tokens, self.views.with_samplers]
        )

    @property
    def text(self) -> str:
        return str(self.entered[self.paper.text])

    @property
    def continuation(self) -> str:
        return str(self.entered[self.paper.continuation])

    @property
    def owner(self) -> str:
        return str(self.entered[self.paper.owner])

    @property
    def files(self) -> dict[str, str]:
        notebooks = self.page.runtime.library.notebooks
        return {name: notebooks.read(name) for name in notebooks.names()}

    def write(self, text: str) -> None:
        self.entered[self.paper.text] = text

    def show(self, shown: Shown) -> None:
        for component, update in shown.items():
            if not isinstance(update, Component | gr.Column):
                self.entered[component] = update
            elif "value" in update.constructor_args:
                self.entered[component] = update.constructor_args["value"]

    async def all(self, steps: AsyncGenerator[Shown, None]) -> list[Shown]:
        """Run a handler to its end; everything that it showed."""
        every = []
        async with aclosing(steps):
            async for shown in steps:
                self.show(shown)
                every.append(shown)
        return every

    async def typed(self, text: str) -> None:
        """As by hand, without waiting for the next letter."""
        self.write(text)
        async with aclosing(self.shelf.changed(self.entered)) as steps:
            self.show(await anext(steps))

    async def generate(self) -> list[Shown]:
        return await self.all(self.replies.generate(self.entered))


@asynccontextmanager
async def a_tab(folder: Path, **settings: Any) -> AsyncIterator[Tab]:
    async with open_page(folder, **settings) as page:
        tab = Tab(page)
        tab.show(await tab.shelf.opened())
        yield tab


async def test_a_text_goes_on_and_is_kept(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        assert not tab.files, "opening the page makes no files"
        tab.write("count 12")
        await tab.generate()
        assert tab.text == "count 121 2 3 4 5 6 7 8 9 10 11 12"
        assert list(tab.files.values()) == [tab.text]
        assert "34 tokens" in str(tab.entered[tab.paper.status])


async def test_undo_and_regenerate(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        tab.write("echo: one")
        await tab.generate()
        assert tab.text == "echo: oneone"
        tab.write("echo: something else")
        await tab.all(tab.replies.regenerate(tab.entered))
        assert tab.text == "echo: oneone", "from where the latest reply began, whatever was written since"
        tab.show(await tab.replies.undo(tab.entered))
        assert tab.text == "echo: something else"
        tab.show(await tab.replies.undo(tab.entered))
        assert tab.text == "echo: one"
        assert list(tab.files.values()) == ["echo: one"]
        with pytest.raises(gr.Error, match="nothing to undo"):
            await tab.replies.undo(tab.entered)


async def test_nothing_to_regenerate(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        with pytest.raises(gr.Error, match="no completion to regenerate"):
            await tab.all(tab.replies.regenerate(tab.entered))


async def test_two_columns(tmp_path: Path) -> None:
    async with a_tab(tmp_path, show_two_notebook_columns=True) as tab:
        tab.write("echo: one ")
        await tab.generate()
        assert (tab.text, tab.continuation) == ("echo: one ", "one")
        await tab.all(tab.replies.go_on(tab.entered))
        assert (tab.text, tab.continuation) == ("echo: one ", "oneone one")
        await tab.generate()
        assert tab.continuation == "one", "it begins anew"
        tab.show(await tab.replies.undo(tab.entered))
        assert tab.continuation == "oneone one"
        assert list(tab.files.values()) == ["echo: one "]


async def test_stop_ends_this_tabs_reply_and_no_other(tmp_path: Path) -> None:
    async with open_page(tmp_path) as page:
        one, other = Tab(page), Tab(page)
        for tab in (one, other):
            tab.show(await tab.shelf.opened())
            tab.write("stall")
        assert one.owner != other.owner
        async with (
            aclosing(one.replies.generate(one.entered)) as ours,
            aclosing(other.replies.generate(other.entered)) as theirs,
        ):
            for tab, steps in ((one, ours), (other, theirs)):
                while tab.text != "stallwaiting":
                    tab.show(await anext(steps))
            await one.replies.stop(one.owner)
            async for shown in ours:
                one.show(shown)
            assert one.text == "stallwaiting"
            with pytest.raises(gr.Error, match="The model is writing"):
                await other.generate()
            assert page.runtime.work.stop(other.owner) == 1, "the other one was still under way"
            assert one.files


async def test_a_tab_that_is_closed_stops_its_reply_and_keeps_what_there_is(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        tab.write("stall")
        steps = tab.replies.generate(tab.entered)
        while tab.text != "stallwaiting":
            tab.show(await anext(steps))
        await steps.aclose()
        assert list(tab.files.values()) == ["stallwaiting"]
        assert tab.page.runtime.work.stop(tab.owner) == 0
        tab.write("echo: again")
        await tab.generate()
        assert tab.text == "echo: againagain"


async def test_without_streaming_the_text_comes_at_once(tmp_path: Path) -> None:
    async with a_tab(tmp_path, stream=False) as tab:
        tab.write("slow 20")
        every = await tab.generate()
        assert tab.text == "slow 20abcdefghijklmnopqrst"
        assert not any(isinstance(shown.get(tab.paper.text), str) for shown in every)
    async with a_tab(tmp_path) as tab:
        tab.write("slow 20")
        every = await tab.generate()
        assert len({shown[tab.paper.text] for shown in every if isinstance(shown.get(tab.paper.text), str)}) > 1


async def test_a_pace_holds_words_back_until_stop_drops_them(tmp_path: Path) -> None:
    async with a_tab(tmp_path, max_tokens_second=20) as tab:
        tab.write("echo: " + "x" * 1000)
        before = len(tab.text)
        async with aclosing(tab.replies.generate(tab.entered)) as steps:
            while len(tab.text) < before + 3:
                tab.show(await anext(steps))
            await tab.replies.stop(tab.owner)
            async for shown in steps:
                tab.show(shown)
        assert before + 3 <= len(tab.text) < before + 200
        assert list(tab.files.values()) == [tab.text]


async def test_what_goes_wrong_is_told(tmp_path: Path) -> None:
    async with a_tab(tmp_path, custom_stopping_strings="oops") as tab:
        tab.write("count 3")
        with pytest.raises(gr.Error, match="quotes"):
            await tab.generate()
        assert tab.text == "count 3"
    async with a_tab(tmp_path) as tab:
        tab.write("fail")
        with pytest.raises(gr.Error):
            await tab.generate()
        tab.write("echo: fine")


async def test_without_a_model(tmp_path: Path) -> None:
    async with Runtime(Settings(user_data_dir=tmp_path), launch=launch_in_process) as runtime:
        page = Page(runtime, Extensions(RunningProgram(runtime.settings)), ToolBox(runtime.data))
        async with aclosing(page):
            tab = Tab(page)
            tab.show(await tab.shelf.opened())
            await tab.typed("a text")
            assert list(tab.files.values()) == ["a text"]
            with pytest.raises(gr.Error, match="No model is loaded"):
                await tab.generate()


async def test_settings_of_the_page_count(tmp_path: Path) -> None:
    async with a_tab(tmp_path, max_new_tokens=5, auto_max_new_tokens=False, custom_stopping_strings='"4"') as tab:
        tab.write("count 9")
        await tab.generate()
        assert tab.text == "count 91 2 3"
        tab.write("count 3 of 9")
        tab.entered[tab.paper.text] = "echo: abcdefgh"
        await tab.generate()
        assert tab.text == "echo: abcdefghabcde"


async def test_what_is_typed_is_kept(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        await tab.typed("   ")
        assert not tab.files, "nothing to keep"
        await tab.typed("a text")
        (name,) = tab.files
        assert (name, tab.files[name]) == ("Untitled", "a text")
        assert tab.entered[tab.menu.notebooks] == name
        assert tab.entered[tab.paper.status] == "6 tokens"
        await tab.typed("a longer text")
        assert tab.files == {name: "a longer text"}
        again = Tab(tab.page)
        again.show(await again.shelf.opened())
        assert (again.text, again.entered[again.menu.notebooks]) == ("a longer text", name)


async def test_two_at_once_make_one_file(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        notebook = tab.open_notebooks.of(tab.owner)
        sheet = tab.replies.sheet({**tab.entered, tab.paper.text: "a text"})
        kept = await asyncio.gather(tab.open_notebooks.keep(notebook, sheet), tab.open_notebooks.keep(notebook, sheet))
        assert sorted(kept) == [False, True]
        assert len(tab.files) == 1


async def test_notebooks_are_made_chosen_named_and_deleted(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        await tab.typed("first")
        tab.show(await tab.shelf.rename(tab.owner, "mine"))
        assert tab.files == {"mine": "first"}
        tab.write("first, changed")
        tab.show(await tab.shelf.new(tab.entered))
        assert tab.text == OPENING
        assert tab.files["mine"] == "first, changed", "kept before another one took its place"
        tab.entered[tab.menu.notebooks] = "mine"
        tab.show(await tab.shelf.choose(tab.entered))
        assert tab.text == "first, changed"
        tab.show(await tab.shelf.delete(tab.owner))
        assert tab.text == ""
        assert list(tab.files.values()) == [OPENING]
        with pytest.raises(gr.Error, match="nothing to undo"):
            await tab.replies.undo(tab.entered)


async def test_text_of_the_notebook_before_is_not_written_into_this_one(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        await tab.typed("old")
        before = dict(tab.entered)
        tab.show(await tab.shelf.new(tab.entered))
        before[tab.paper.text] = "old, on its way"
        async with aclosing(tab.shelf.changed(before)) as steps:
            await anext(steps)
        before[tab.menu.notebooks] = tab.entered[tab.menu.notebooks]
        await tab.shelf.choose(before)
        assert sorted(tab.files.values()) == [OPENING, "old"]
        with pytest.raises(gr.Error, match="Another notebook"):
            await tab.all(tab.replies.generate(before))


@pytest.mark.parametrize("name", ["../settings", "..", "/etc/passwd", "a/b", "nul"])
async def test_names_from_outside_reach_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "settings.txt").write_text("secret", encoding="utf-8")
    async with a_tab(tmp_path / "data") as tab:
        await tab.typed("mine")
        tab.entered[tab.menu.notebooks] = name
        with pytest.raises(gr.Error):
            await tab.shelf.choose(tab.entered)
        with pytest.raises(gr.Error):
            await tab.shelf.rename(tab.owner, name)
        assert tab.text == "mine"
        assert list(tab.files.values()) == ["mine"]


async def test_where_visitors_are_kept_apart_nothing_is_kept(tmp_path: Path) -> None:
    async with a_tab(tmp_path, multi_user=True) as tab:
        await tab.typed("echo: mine")
        await tab.generate()
        assert tab.text == "echo: minemine"
        assert not tab.files
        for refused in (
            tab.shelf.new(tab.entered),
            tab.shelf.choose(tab.entered),
            tab.shelf.rename(tab.owner, "x"),
            tab.shelf.delete(tab.owner),
        ):
            with pytest.raises(gr.Error, match="--multi-user"):
                await refused


async def test_a_tab_that_nobody_opened_has_no_notebook(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        tab.open_notebooks.forget(tab.owner)
        with pytest.raises(gr.Error, match="Reload"):
            await tab.generate()


async def test_other_ways_to_see_the_text(tmp_path: Path) -> None:
    async with a_tab(tmp_path) as tab:
        tab.write("<b>é</b> `<i>`")
        assert await tab.looks.markdown(tab.entered) == "&#60;b>é&#60;/b> `<i>`"
        assert 'sandbox=""' in await tab.looks.html(tab.entered)
        tokens = await tab.looks.tokens(tab.entered)
        assert tokens.count("<li>") == len("<b>é</b> `<i>`".encode())
        assert "&lt;" in tokens
        assert "tokens that may come next" in tab.views.next_tokens.value
        assert not tab.views.earlier.visible
        tab.write("echo: x")
        tab.show(await tab.looks.next_tokens(tab.entered))
        first = tab.entered[tab.views.next_tokens]
        assert "88.25 %" in first
        assert "<code>x</code>" in first
        assert "<table" not in (tab.entered.get(tab.views.earlier) or "")
        tab.write("echo: y")
        tab.show(await tab.looks.next_tokens(tab.entered))
        assert tab.entered[tab.views.earlier]["value"] == first


async def test_the_tab_can_be_built(tmp_path: Path) -> None:
    async with open_page(tmp_path) as page:
        with gr.Blocks():
            build_notebook(page)
            page.connect()
        assert len(page.openings) == 1
