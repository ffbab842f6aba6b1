"""Models and downloads in the settings: which event of which component does what."""

import gradio as gr
from gradio.components import Component

from modules.models.downloads.downloads import Downloads
from modules.ui.model.benchmark import connect_benchmark
from modules.ui.model.downloads import DownloadHandlers
from modules.ui.model.handlers import ModelHandlers
from modules.ui.model.kept import connect_kept
from modules.ui.model.layout import DownloadParts, ModelParts, download_parts, model_parts
from modules.ui.model.upstreams import connect_upstreams
from modules.ui.page.page import Page
from modules.ui.shell.internals import current_tab

_QUIET = {"show_progress": "hidden", "api_visibility": "private"}


class ModelPages:
    """Two pages of the settings, of which the second fills the menus of the first when a download is complete."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._downloads = Downloads(page.runtime.data, with_code=page.runtime.settings.trust_remote_code)
        self._handlers: ModelHandlers | None = None
        self._parts: ModelParts | None = None

    def build_models(self, page: Page) -> None:
        """To be called within the tab."""
        tab = current_tab()
        parts = self._parts = model_parts(page.runtime.settings)
        handlers = self._handlers = ModelHandlers(page, parts, self._downloads)
        entered, shown = _entered(parts), _shown(parts)
        page.fill_in(handlers.refreshed, shown)
        page.on_open(handlers.followed, [parts.status, parts.loaded])
        # It may have been loaded elsewhere meanwhile.
        tab.select(handlers.stated, None, [parts.status, parts.loaded], **_QUIET)
        page.on_model_change(handlers.stated, [parts.status, parts.loaded])
        _connect_choice(parts, handlers, entered, shown)
        if page.settings.multi_user:
            # Which model everybody talks to, and what lies on the owner's disk, is not for visitors to change.
            for each in (parts.load, parts.unload, parts.apply, parts.check, parts.save, parts.benchmark.start):
                each.visible = False
            return
        _connect_buttons(parts, handlers, entered, shown)
        connect_benchmark(parts.benchmark, page.runtime.models)
        connect_upstreams(page, tab, parts.upstreams)
        connect_kept(page, tab, parts.parameters.delete_kept, parts.refresh)
        parts.save.click(handlers.save, entered, shown, **_QUIET)

    def build_downloads(self, page: Page) -> None:
        """To be called within its tab, once the models are built."""
        assert self._parts is not None
        assert self._handlers is not None
        loading = download_parts()
        if page.settings.multi_user:
            for each in (loading.name, loading.listed, loading.files, loading.download, loading.stop):
                each.visible = False
            return
        menus = (_entered(self._parts), _shown(self._parts))
        _connect_downloads(page, loading, DownloadHandlers(loading, self._downloads), self._handlers, menus)


def _entered(parts: ModelParts) -> set[Component]:
    return {parts.models, parts.template, parts.adapters, *parts.parameters.components}


def _shown(parts: ModelParts) -> list[Component]:
    return [parts.status, parts.loaded, parts.waiting, parts.estimate, *_entered(parts)]


def _connect_choice(
    parts: ModelParts, handlers: ModelHandlers, entered: set[Component], shown: list[Component]
) -> None:
    """None of it changes anything but what the tab shows."""
    latest = {**_QUIET, "trigger_mode": "always_last"}
    parts.models.input(handlers.chosen, entered, shown, **latest)
    parts.parameters.loader.input(handlers.loader_chosen, entered, shown, **latest)
    fields = [each.input for each in parts.parameters.components if each is not parts.parameters.loader]
    gr.on(fields, handlers.estimated, entered, [parts.estimate], **latest)
    parts.refresh.click(handlers.refreshed, entered, shown, **_QUIET)


def _connect_buttons(
    parts: ModelParts, handlers: ModelHandlers, entered: set[Component], shown: list[Component]
) -> None:
    waiting = [
        parts.load.click(handlers.load, entered, shown, **_QUIET),
        parts.unload.click(handlers.unload, {parts.loaded}, shown, **_QUIET),
        parts.apply.click(handlers.apply, entered, shown, **_QUIET),
    ]
    parts.stop_replies.click(handlers.stop_replies, None, None, **_QUIET)
    parts.give_up.click(handlers.given_up, None, [parts.status, parts.loaded, parts.waiting], cancels=waiting, **_QUIET)
    parts.check.click(handlers.check, entered, [parts.estimate], **_QUIET)


def _connect_downloads(
    page: Page,
    parts: DownloadParts,
    handlers: DownloadHandlers,
    models: ModelHandlers,
    menus: tuple[set[Component], list[Component]],
) -> None:
    outputs: list[Component] = [parts.files, parts.progress]
    named = [parts.name, parts.files]
    page.on_open(handlers.follow, [parts.progress])
    parts.listed.click(handlers.list_files, [parts.name], outputs, **_QUIET)
    parts.name.submit(handlers.list_files, [parts.name], outputs, **_QUIET)
    parts.stop.click(handlers.stop, None, outputs, **_QUIET)
    done = parts.download.click(handlers.download, named, outputs, **_QUIET)
    done.success(models.refreshed, *menus, **_QUIET)
