"""What the left half of the Model tab does: show, load, unload, save, check, apply."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.engine.types import LoadSpec, ModelKind
from modules.errors import ServiceError
from modules.models.catalog import model_catalog
from modules.models.downloads.downloads import Downloads
from modules.models.gauge import room_now
from modules.models.options import LoadOptions, with_model_settings
from modules.models.roster import own_model, requested_spec
from modules.models.state import ModelState, Status
from modules.settings.values import Settings
from modules.ui.model.layout import OWN_TEMPLATE, ModelParts
from modules.ui.model.texts import (
    checks_text,
    estimate_text,
    loaded_choices,
    plain,
    state_text,
    states_text,
    waiting_text,
    with_others,
)
from modules.ui.page.languages import text
from modules.ui.page.page import Page, failure, notify_errors

Shown = dict[Component, Any]
Entered = Mapping[Component, Any]

_CHOOSE: Final = "Choose a model in the menu first."
_NONE: Final = "There is no model on this machine yet."
_TEMPLATE: Final = "instruction_template"


class ModelHandlers:
    """Handlers of events. A name that a browser sends is looked up among what is on disk, whatever the menu offered."""

    def __init__(self, page: Page, parts: ModelParts, downloads: Downloads) -> None:
        self._page = page
        self._parts = parts
        self._downloads = downloads
        self._models = page.runtime.models
        self._has_several = page.runtime.settings.models_max > 1
        self._library = page.runtime.library
        self._catalog = model_catalog(page.runtime.data, page.runtime.settings.backends)
        # Which settings there are; their values are the page's.
        self._kind = type(page.runtime.settings)
        self._go_on = asyncio.Event()
        # The browser tabs that wait, each with what is set when its user does not want to wait any more.
        self._waits: set[tuple[str | None, asyncio.Event]] = set()

    async def stated(self) -> Shown:
        """For who comes to the tab."""
        uses = self._models.uses()
        return self._state(self._models.state) | (
            {self._parts.status: waiting_text(uses)} if self._waits and uses else {}
        )

    async def followed(self) -> AsyncGenerator[Shown, None]:
        """For a browser that opens the page: a load under way, to its end."""
        async with aclosing(self._models.changes()) as states:
            async for state in states:
                yield self._state(state)
                if state.status is not Status.LOADING:
                    return

    async def refreshed(self, entered: Entered | None = None) -> Shown:
        """The menus anew. A chosen model that is still there stays chosen, with what was entered for it; else the loaded
        one is chosen, or the first."""
        parts = self._parts
        models, adapters, templates = await asyncio.to_thread(self._names)
        state = self._models.state
        applied = [each for each in (state.card.adapters if state.card else ()) if each in adapters]
        menus: Shown = {
            parts.models: gr.update(choices=models),
            parts.adapters: gr.update(choices=adapters, value=applied),
            parts.template: gr.update(choices=[OWN_TEMPLATE, *templates]),
        } | self._state(state)
        menus |= parts.parameters.draft_choices(models)
        if entered and entered[parts.models] in models:
            return menus
        name = state.name if state.name in models else next(iter(models), None)
        menus[parts.models] = gr.update(choices=models, value=name)
        chosen = await self._settings_of(name) if name else {parts.estimate: _NONE}
        return menus | {
            each: menus.get(each, {}) | shown if isinstance(shown, dict) else shown for each, shown in chosen.items()
        }

    async def chosen(self, entered: Entered) -> Shown:
        """Another model's settings and memory, and nothing else, until it is loaded."""
        name = entered[self._parts.models]
        return await self._settings_of(name) if name else {}

    async def estimated(self, entered: Entered) -> Shown:
        """The memory that it takes as entered."""
        name = entered[self._parts.models]
        if not name:
            return {}
        spec = await notify_errors(asyncio.to_thread(self._spec, name, entered))
        return {self._parts.estimate: await self._estimate(spec)}

    async def loader_chosen(self, entered: Entered) -> Shown:
        """Only the parameters that the loader knows."""
        name = entered[self._parts.models]
        if not name:
            return {}
        spec = await notify_errors(asyncio.to_thread(self._spec, name, entered))
        return self._parts.parameters.visible(spec.loader) | {self._parts.estimate: await self._estimate(spec)}

    async def load(self, entered: Entered, request: gr.Request | None = None) -> AsyncGenerator[Shown, None]:
        name = _named(entered[self._parts.models])
        options = await notify_errors(asyncio.to_thread(self._options, name, entered))
        replaced = name if self._has_several else None
        async with aclosing(self._done(lambda: self._models.load(name, options), request, replaced)) as steps:
            async for shown in steps:
                yield shown

    async def unload(
        self, entered: Entered | None = None, request: gr.Request | None = None
    ) -> AsyncGenerator[Shown, None]:
        """The model chosen among the loaded ones, where there may be several."""
        name = entered[self._parts.loaded] if entered and self._has_several else None
        async with aclosing(self._done(lambda: self._models.unload(name), request, name)) as steps:
            async for shown in steps:
                yield shown

    async def apply(self, entered: Entered, request: gr.Request | None = None) -> AsyncGenerator[Shown, None]:
        names = entered[self._parts.adapters] or []
        async with aclosing(self._done(lambda: self._models.apply_adapters(names), request)) as steps:
            async for shown in steps:
                yield shown

    async def stop_replies(self) -> None:
        """What was said so far is kept; whoever waits goes on."""
        go_on, self._go_on = self._go_on, asyncio.Event()
        go_on.set()
        if not self._has_several:
            self._page.runtime.work.stop_all()
        self._models.wake()

    async def given_up(self, request: gr.Request | None = None) -> Shown:
        """The tab waits no more, and what it waited for is not done: also where its event cannot be cancelled in time."""
        for session, given_up in self._waits:
            if session == _session(request):
                given_up.set()
        self._models.wake()
        return self._state(self._models.state) | {self._parts.waiting: gr.update(visible=False)}

    async def save(self, entered: Entered) -> Shown:
        name = _named(entered[self._parts.models])
        await notify_errors(asyncio.to_thread(self._save, name, entered))
        gr.Info(text("The settings of {name} are saved.", name=plain(name)), duration=4)
        return {}

    async def check(self, entered: Entered) -> AsyncGenerator[Shown, None]:
        name = _named(entered[self._parts.models])
        found = []
        try:
            listed = await asyncio.to_thread(self._catalog.find, name)
            async with aclosing(self._downloads.check(listed.name)) as checks:
                async for check in checks:
                    found.append(check)
                    yield {self._parts.estimate: checks_text(found, is_done=False)}
        except ServiceError as error:
            raise failure(error.message) from None
        yield {self._parts.estimate: checks_text(found, is_done=True)}

    def _names(self) -> tuple[list[str], list[str], list[str]]:
        return self._models.list_models(), self._models.list_adapters(), self._library.templates.names()

    def _state(self, state: ModelState) -> Shown:
        states = self._models.models
        if not self._has_several:
            own = state if state.kind is ModelKind.CHAT else self._models.state
            return {self._parts.status: with_others(state_text(own, uses=self._models.uses()), states)}
        choices = loaded_choices(states)
        latest = max(reversed(states), key=lambda each: each.loaded_at, default=None)
        names = [name for _, name in choices]
        chosen = latest.name if latest and latest.name in names else next(iter(names), None)
        return {self._parts.status: states_text(states), self._parts.loaded: gr.update(choices=choices, value=chosen)}

    async def _done(
        self, act: Callable[[], Awaitable[Any]], request: gr.Request | None, name: str | None = None
    ) -> AsyncGenerator[Shown, None]:
        """The state of the models until the act is done. One that takes the named model away, or all, begins when
        nothing uses it, unless its user gives up before."""
        if self._models.uses(name):
            wait = (_session(request), asyncio.Event())
            async with aclosing(self._until_free(name, wait)) as steps:
                async for shown in steps:
                    yield shown
            if wait[1].is_set():
                return
        async with aclosing(self._shown_during(asyncio.ensure_future(act()))) as steps:
            async for shown in steps:
                yield shown

    async def _until_free(
        self, name: str | None, wait: tuple[str | None, asyncio.Event]
    ) -> AsyncGenerator[Shown, None]:
        self._waits.add(wait)
        go_on = self._go_on
        try:
            async with aclosing(self._models.use_counts(name)) as counts:
                async for uses in counts:
                    if not uses or go_on.is_set() or wait[1].is_set():
                        break
                    yield {self._parts.status: waiting_text(uses), self._parts.waiting: gr.update(visible=True)}
        finally:
            self._waits.discard(wait)
        yield {self._parts.waiting: gr.update(visible=False)}

    async def _shown_during(self, work: asyncio.Future[Any]) -> AsyncGenerator[Shown, None]:
        """The state of the model until `work` ends, then its failure as a notice."""
        change: asyncio.Future[ModelState] | None = None
        # Whoever reads "is loaded" takes the work for done before it has begun.
        before = self._models.state
        async with aclosing(self._models.changes()) as states:
            try:
                while not work.done():
                    change = change or asyncio.ensure_future(anext(states))
                    await asyncio.wait({work, change}, return_when=asyncio.FIRST_COMPLETED)
                    if change.done():
                        if change.result() != before:
                            yield self._state(change.result())
                        change = None
            finally:
                await _dropped(change)
        yield self._state(self._models.state)
        await notify_errors(work)

    async def _settings_of(self, name: str) -> Shown:
        settings, template = await notify_errors(asyncio.to_thread(self._stored, name))
        try:
            spec = await asyncio.to_thread(
                requested_spec, self._catalog, self._page.runtime.settings, name, LoadOptions()
            )
        except ServiceError as error:
            return {self._parts.estimate: plain(error.message)}
        templates = [OWN_TEMPLATE, *await asyncio.to_thread(self._library.templates.names)]
        return self._parts.parameters.shown(settings, spec.loader) | {
            self._parts.template: gr.update(choices=templates, value=template),
            self._parts.estimate: await self._estimate(spec),
        }

    def _stored(self, name: str) -> tuple[Settings, str]:
        """How the model would be loaded now, and the name of its template."""
        base = self._page.runtime.settings
        settings = with_model_settings(base, name, self._library.model_settings.for_model(name))
        template = self._library.model_settings.own_template(name)
        return settings, template if template in self._library.templates.names() else OWN_TEMPLATE

    def _loader(self, name: str, entered: Entered) -> str:
        """The one that was chosen, or the one that reads such a model."""
        options = LoadOptions.parse({"loader": self._parts.parameters.chosen_loader(entered)}, self._kind)
        return requested_spec(self._catalog, self._page.runtime.settings, name, options).loader

    def _options(self, name: str, entered: Entered) -> LoadOptions:
        return LoadOptions.parse(self._parts.parameters.values(entered, self._loader(name, entered)), self._kind)

    def _spec(self, name: str, entered: Entered) -> LoadSpec:
        options = self._options(name, entered)
        return requested_spec(self._catalog, self._page.runtime.settings, name, options)

    async def _estimate(self, spec: LoadSpec) -> str:
        try:
            return await asyncio.to_thread(self._estimated, spec)
        except ServiceError as error:
            return plain(error.message)

    def _estimated(self, spec: LoadSpec) -> str:
        room = room_now()
        backend = self._kind.backends.named(spec.loader)
        return estimate_text(backend.estimate(spec, tuple(card.free for card in room.gpus)), room)

    def _save(self, name: str, entered: Entered) -> None:
        """What is on the screen, typed as settings are."""
        options = self._options(name, entered)
        typed = options.applied_to(self._kind())
        listed = None if name == own_model(typed) else self._catalog.find(name)
        values: dict[str, object] = {key: _storable(getattr(typed, key)) for key in options.changes}
        template = entered[self._parts.template]
        if template and template != OWN_TEMPLATE:
            self._library.templates.read(template)
            values[_TEMPLATE] = template
        self._library.model_settings.save(listed.name if listed else name, values)


def _session(request: gr.Request | None) -> str | None:
    """Which browser tab it is."""
    return request.session_hash if request is not None else None


def _named(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise failure(_CHOOSE)
    return name


def _storable(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


async def _dropped(future: "asyncio.Future[Any] | None") -> None:
    if future is not None:
        future.cancel()
        await asyncio.wait([future])
