"""The Model tab's handlers as plain functions, over a real runtime with scripted models."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import yaml
from gradio.components import Component

from modules.chat.tools.toolbox import ToolBox
from modules.extend.extensions import Extensions, RunningProgram
from modules.models.downloads.downloads import Downloads
from modules.models.downloads.hub import Hub
from modules.models.loading import Launch
from modules.models.state import Status
from modules.runtime import Runtime
from modules.ui.model.downloads import DownloadHandlers
from modules.ui.model.handlers import ModelHandlers
from modules.ui.model.layout import OWN_TEMPLATE, DownloadParts, ModelParts, download_parts, model_parts
from modules.ui.model.parameters import AUTOMATIC
from modules.ui.model.tab import ModelPages
from modules.ui.page.option_fields import NO_DRAFT
from modules.ui.page.page import Page
from tests.gguf_file import write_gguf
from tests.models.hub_server import HubServer
from tests.models.launches import Launches, scripted_settings


def page_of(runtime: Runtime) -> Page:
    return Page(runtime, Extensions(RunningProgram(runtime.settings)), ToolBox(runtime.data))


class Tab:
    """The tab as one browser sees it: what handlers show is what the next event brings along."""

    def __init__(self, runtime: Runtime, server: HubServer | None = None) -> None:
        self.runtime = runtime
        downloads = Downloads(runtime.data, Hub() if server is None else server.hub, waits=())
        with gr.Blocks():
            self.parts: ModelParts = model_parts(runtime.settings)
            self.loading: DownloadParts = download_parts()
        page = page_of(runtime)
        self.handlers = ModelHandlers(page, self.parts, downloads)
        self.hub = DownloadHandlers(self.loading, downloads)
        fields = [self.parts.models, self.parts.template, self.parts.adapters, *self.parts.parameters.components]
        self.entered: dict[Component, Any] = {each: each.value for each in fields}
        self.texts: dict[Component, str] = {}

    def show(self, shown: dict[Component, Any]) -> None:
        for component, update in shown.items():
            if isinstance(update, str):
                self.texts[component] = update
            elif "value" in update:
                self.entered[component] = update["value"]

    async def all(self, steps: Any) -> list[str]:
        """Run a handler to its end; what the model's state said on the way."""
        said = []
        async with aclosing(steps) as each:
            async for shown in each:
                self.show(shown)
                said.append(self.texts.get(self.parts.status, ""))
        return said

    async def choose(self, name: str) -> None:
        self.entered[self.parts.models] = name
        self.show(await self.handlers.chosen(self.entered))

    def field(self, name: str) -> Component:
        return self.parts.parameters._components[name]

    @property
    def status(self) -> str:
        return self.texts[self.parts.status]

    @property
    def estimate(self) -> str:
        return self.texts[self.parts.estimate]

    @property
    def progress(self) -> str:
        return self.texts[self.loading.progress]


@asynccontextmanager
async def tab(
    folder: Path, launch: Launch | None = None, server: HubServer | None = None, **settings: Any
) -> AsyncIterator[Tab]:
    async with Runtime(scripted_settings(folder, **settings), launch=launch or Launches()) as runtime:
        made = Tab(runtime, server)
        await made.all(made.handlers.followed())
        made.show(await made.handlers.refreshed())
        yield made


@contextmanager
def refusal(words: str) -> Iterator[None]:
    with pytest.raises(gr.Error) as caught:
        yield
    assert words in caught.value.message


def files_below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


async def test_the_tab_can_be_built_and_every_event_names_a_handler(tmp_path: Path) -> None:
    async with Runtime(scripted_settings(tmp_path), launch=Launches()) as runtime:
        page = page_of(runtime)
        with gr.Blocks() as blocks, gr.Tabs(), gr.Tab("Model"):
            pages = ModelPages(page)
            pages.build_models(page)
            pages.build_downloads(page)
        handlers = {function.name for function in blocks.fns.values()}
        assert {"chosen", "estimated", "load", "unload", "save", "check", "apply", "download", "stop"} <= handlers
        assert [fill.__name__ for fill, _ in page.fills] == ["refreshed", "shown"]
        assert len(page.openings) == 2
        # What stands for one load is none of the page's settings.
        assert page.inputs.names == ()


async def test_opening_shows_what_there_is(tmp_path: Path) -> None:
    async with tab(tmp_path) as page:
        page.show(shown := await page.handlers.refreshed())
        assert {NO_DRAFT, "a.gguf"} <= set(shown[page.field("model_draft")]["choices"])
        assert page.status.startswith("**scripted** is loaded")
        assert page.entered[page.parts.models] == "scripted"


async def test_choosing_changes_nothing_until_load(tmp_path: Path) -> None:
    launches = Launches()
    (tmp_path / "config-user.yaml").write_text("a.gguf$:\n  ctx_size: 1024\n  parallel: 3\n", "utf-8")
    async with tab(tmp_path, launches) as page:
        page.show(await page.handlers.refreshed())
        before, settings = page.runtime.models.state, page.runtime.settings
        await page.choose("a.gguf")
        assert page.entered[page.field("ctx_size")] == 1024
        page.entered[page.field("parallel")] = 2
        page.show(await page.handlers.estimated(page.entered))
        assert page.runtime.models.state == before
        assert page.runtime.settings == settings
        assert launches.probed == ["scripted"]
        await page.all(page.handlers.load(page.entered))
        card = page.runtime.models.state.card
        assert card is not None
        assert (card.name, card.context, card.parallel) == ("a.gguf", 1024, 2)


async def half_a_load(page: Tab, launches: Launches) -> asyncio.Task[list[str]]:
    """A load that has come half the way, and goes on when the gate is opened."""
    page.show(await page.handlers.refreshed())
    await page.choose("a.gguf")
    launches.gate.clear()
    load = asyncio.create_task(page.all(page.handlers.load(page.entered)))
    async with aclosing(page.runtime.models.changes()) as states:
        async for state in states:
            if state.progress == 0.5:
                break
    return load


async def test_a_load_shows_its_progress(tmp_path: Path) -> None:
    launches = Launches()
    async with tab(tmp_path, launches) as page:
        load = await half_a_load(page, launches)
        launches.gate.set()
        said = await load
        assert any("Loading" in each and "50%" in each for each in said)
        assert said[-1].startswith("**a\\.gguf** is loaded")


async def test_who_opens_the_page_during_a_load_sees_it_end(tmp_path: Path) -> None:
    launches = Launches()
    async with tab(tmp_path, launches) as page:
        load = await half_a_load(page, launches)
        followed = asyncio.create_task(page.all(page.handlers.followed()))
        launches.gate.set()
        said = await followed
        await load
        assert "50%" in said[0]
        assert said[-1].startswith("**a\\.gguf** is loaded")


async def test_a_wait_that_was_given_up_loads_nothing(tmp_path: Path) -> None:
    """Also where the event's own end comes late: a load of then would cut the replies of now."""
    launches = Launches()
    async with tab(tmp_path, launches) as page:
        page.show(await page.handlers.refreshed())
        await page.choose("a.gguf")
        await page.all(page.handlers.load(page.entered))
        loads = len(launches.engines)
        async with page.runtime.models.lease(None):
            load = aiter(page.handlers.load(page.entered))
            page.show(await anext(load))
            assert page.status.startswith("Waiting for the end of 1 reply")
            await page.handlers.given_up()
            said = await page.all(load)
        assert len(launches.engines) == loads
        assert not any("Loading" in each for each in said)


async def test_a_failed_load_says_so_and_keeps_the_model(tmp_path: Path) -> None:
    launches = Launches()
    launches.bad_files = {"a.gguf"}
    async with tab(tmp_path, launches) as page:
        page.show(await page.handlers.refreshed())
        await page.choose("a.gguf")
        with refusal("a.gguf is no model"):
            await page.all(page.handlers.load(page.entered))
        assert page.runtime.models.state.status is Status.READY
        assert "**scripted** is loaded" in page.status


async def test_refreshing_keeps_what_was_entered(tmp_path: Path) -> None:
    async with tab(tmp_path) as page:
        await page.choose("a.gguf")
        page.entered[page.field("ctx_size")] = 512
        (tmp_path / "c.gguf").touch()
        shown = await page.handlers.refreshed(page.entered)
        page.show(shown)
        assert shown[page.parts.models]["choices"][:4] == ["scripted", "a.gguf", "b.gguf", "c.gguf"]
        assert (page.entered[page.parts.models], page.entered[page.field("ctx_size")]) == ("a.gguf", 512)
        (tmp_path / "a.gguf").unlink()
        page.show(await page.handlers.refreshed(page.entered))
        assert (page.entered[page.parts.models], page.entered[page.field("ctx_size")]) == ("scripted", 8192)


async def test_unload(tmp_path: Path) -> None:
    async with tab(tmp_path) as page:
        page.show(await page.handlers.refreshed())
        assert (await page.all(page.handlers.unload()))[-1] == "No model is loaded."


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "..\\..\\x", "%2e%2e%2fsecret", "C:\\x.gguf", ".", "\0", "x" * 5000, "c.gguf"]
)
async def test_names_outside_the_menu_reach_no_file(tmp_path: Path, name: str) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (tmp_path / "secret.gguf").write_bytes(b"canary")
    async with tab(models) as page:
        page.show(await page.handlers.refreshed())
        before = files_below(tmp_path)
        page.entered[page.parts.models] = name
        for handler in (page.handlers.load, page.handlers.check):
            with pytest.raises(gr.Error):
                await page.all(handler(page.entered))
        for act in (page.handlers.save, page.handlers.estimated, page.handlers.loader_chosen):
            with pytest.raises(gr.Error):
                await act(page.entered)
        page.entered[page.parts.adapters] = [name]
        with pytest.raises(gr.Error):
            await page.all(page.handlers.apply(page.entered))
        page.entered |= {page.parts.models: "a.gguf", page.parts.template: name}
        with pytest.raises(gr.Error):
            await page.handlers.save(page.entered)
        assert files_below(tmp_path) == before
        assert page.runtime.models.state.name == "scripted"


async def test_values_that_no_parameter_may_have(tmp_path: Path) -> None:
    async with tab(tmp_path) as page:
        await page.choose("a.gguf")
        page.entered[page.field("ctx_size")] = -5
        with refusal("ctx_size"):
            await page.all(page.handlers.load(page.entered))
        page.entered[page.parts.parameters.loader] = "../x"
        with refusal("loader"):
            await page.handlers.loader_chosen(page.entered)


async def test_saved_settings_come_back(tmp_path: Path) -> None:
    async with tab(tmp_path) as page:
        await page.choose("a.gguf")
        page.entered[page.field("ctx_size")] = 2048
        page.show(await page.handlers.save(page.entered))
        await page.choose("b.gguf")
        assert page.entered[page.field("ctx_size")] == 8192
        await page.choose("a.gguf")
        assert page.entered[page.field("ctx_size")] == 2048
    stored = yaml.safe_load((tmp_path / "config-user.yaml").read_text("utf-8"))
    assert stored["a\\.gguf$"].items() >= {"ctx_size": 2048, "parallel": 8, "loader": "scripted"}.items()


async def test_a_template_is_kept_with_the_settings(tmp_path: Path) -> None:
    folder = tmp_path / "instruction-templates"
    folder.mkdir()
    (folder / "Mine.jinja").write_text("{{ messages }}", "utf-8")
    async with tab(tmp_path) as page:
        await page.choose("a.gguf")
        assert page.entered[page.parts.template] == OWN_TEMPLATE
        page.entered[page.parts.template] = "Mine"
        await page.handlers.save(page.entered)
        assert page.runtime.library.model_settings.own_template("a.gguf") == "Mine"
        await page.choose("b.gguf")
        await page.choose("a.gguf")
        assert page.entered[page.parts.template] == "Mine"
        page.entered[page.parts.template] = OWN_TEMPLATE
        await page.handlers.save(page.entered)
        assert page.runtime.library.model_settings.own_template("a.gguf") is None


async def test_adapters_are_applied_by_loading_again(tmp_path: Path) -> None:
    loras = tmp_path / "loras"
    loras.mkdir()
    (loras / "style.gguf").touch()
    launches = Launches()
    async with tab(tmp_path, launches, lora_dir=loras) as page:
        page.show(await page.handlers.refreshed())
        page.entered[page.parts.adapters] = ["style.gguf"]
        await page.all(page.handlers.apply(page.entered))
        assert launches.probed == ["scripted", "scripted"]


async def test_only_the_loaders_parameters_are_shown(tmp_path: Path) -> None:
    write_gguf(tmp_path / "real.gguf", {"general.architecture": "llama"}, {})
    async with tab(tmp_path) as page:
        await page.choose("real.gguf")
        page.entered[page.parts.parameters.loader] = "llama.cpp"
        shown = await page.handlers.loader_chosen(page.entered)
        hidden = {each for each, update in shown.items() if each is not page.parts.estimate and not update["visible"]}
        assert page.field("openai_embedding_device") in hidden
        assert not hidden & {page.field("threads"), page.field("ctx_size")}
        page.entered[page.parts.parameters.loader] = AUTOMATIC
        shown = await page.handlers.loader_chosen(page.entered)
        assert not shown[page.field("threads")]["visible"]


async def test_the_estimate_follows_what_is_entered(tmp_path: Path) -> None:
    metadata: dict[str, object] = {
        "general.architecture": "llama",
        "llama.block_count": 2,
        "llama.embedding_length": 1024,
        "llama.attention.head_count": 8,
    }
    write_gguf(tmp_path / "real.gguf", metadata, {"token_embd.weight": 2**20})
    async with tab(tmp_path, loader="llama.cpp", model_dir=tmp_path) as page:
        await page.choose("real.gguf")
        assert "weights 1 MiB, cache 96 MiB" in page.estimate
        page.entered[page.field("ctx_size")] = 2048
        page.show(await page.handlers.estimated(page.entered))
        assert "cache 24 MiB" in page.estimate
        page.entered[page.field("model_draft")] = "real.gguf"
        page.show(await page.handlers.estimated(page.entered))
        assert "weights 2 MiB, cache 40 MiB" in page.estimate
        await page.choose("a.gguf")
        assert "no usable GGUF file" in page.estimate
