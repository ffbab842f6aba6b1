"""What the settings show of services and do with them; of the API also how to use it."""

from typing import Any

import gradio as gr
from gradio.components import Component
from starlette.datastructures import Headers

from modules.errors import ServiceError
from modules.extend.contributions import ServiceState, ServiceStatus
from modules.settings.values import API_EXTENSION
from modules.ui.page.access import check_operator, is_operator
from modules.ui.page.page import Page, notify_errors
from modules.ui.session.examples import Endpoint, endpoint_of, examples_of
from modules.ui.session.layout import ApiParts, ServiceParts
from modules.ui.session.texts import counts_of, counts_shown, status_shown

Shown = dict[Component, Any]


class ApiService:
    """The key is shown to operators only: others see no key and nothing that holds one."""

    def __init__(self, page: Page, parts: ApiParts) -> None:
        self._page = page
        self._parts = parts

    def shown(self, request: gr.Request) -> Shown:
        headers = request.request.headers
        sees_key = is_operator(self._page.settings, headers)
        place = self._place(self._endpoint(headers), sees_key=sees_key)
        return self._status(self._state) | place | {self._parts.live: self._live()}

    def example(self, title: str, request: gr.Request) -> gr.Code:
        """The one of that title, to be pasted."""
        headers = request.request.headers
        endpoint = self._endpoint(headers)
        if not _can_paste(endpoint, sees_key=is_operator(self._page.settings, headers)):
            return gr.Code(value="")
        chosen = next((each for each in examples_of(endpoint) if each.title == title), None)
        return gr.Code(value="") if chosen is None else gr.Code(value=chosen.text, language=chosen.language)

    def refreshed(self, status: str, address: str, live: str, request: gr.Request) -> Shown:
        """As `shown`, but only what differs from what is shown already."""
        is_running = self._state.status is ServiceStatus.RUNNING
        if status != status_shown(self._state) or is_running != bool(address):
            return self.shown(request)
        now = self._live()
        return {self._parts.live: gr.skip() if now == live else now}

    async def start(self, request: gr.Request) -> Shown:
        await notify_errors(_started(self._page, API_EXTENSION, request))
        return self.shown(request)

    async def stop(self, request: gr.Request) -> Shown:
        await notify_errors(_stopped(self._page, API_EXTENSION, request))
        return self.shown(request)

    def reveal(self, is_shown: bool) -> gr.Textbox:
        return gr.Textbox(type="text" if is_shown else "password")

    @property
    def _state(self) -> ServiceState:
        return self._page.extensions.services.states.get(API_EXTENSION, ServiceState(name=API_EXTENSION))

    def _endpoint(self, headers: Headers) -> Endpoint:
        runtime = self._page.runtime
        host = _host(headers.get("host", ""))
        return endpoint_of(self._state, runtime.settings, page_host=host, model=runtime.models.state.name)

    def _status(self, state: ServiceState) -> Shown:
        return _row(self._parts.status, self._parts.start, self._parts.stop, state)

    def _place(self, endpoint: Endpoint, *, sees_key: bool) -> Shown:
        parts, has_key = self._parts, bool(endpoint.key)
        can_paste = _can_paste(endpoint, sees_key=sees_key)
        first = examples_of(endpoint)[0]
        return {
            parts.address: gr.Textbox(value=endpoint.base_url, visible=bool(endpoint.address)),
            parts.public: gr.Textbox(value=endpoint.public, visible=bool(endpoint.public)),
            parts.key: gr.Textbox(value=endpoint.key if sees_key else "", visible=has_key and sees_key),
            parts.show_key: gr.Checkbox(visible=has_key and sees_key),
            parts.examples: gr.Accordion(
                label="Examples (with the API key)" if has_key else "Examples", open=not has_key, visible=can_paste
            ),
            parts.example: first.title,
            parts.code: gr.Code(value=first.text if can_paste else "", language=first.language, visible=can_paste),
        }

    def _live(self) -> str:
        return counts_shown(counts_of(self._page.runtime.chat.metrics.registry))


class OtherService:
    def __init__(self, page: Page, parts: ServiceParts) -> None:
        self._page = page
        self._parts = parts

    def shown(self) -> Shown:
        state = self._page.extensions.services.state(self._parts.name)
        return _row(self._parts.status, self._parts.start, self._parts.stop, state)

    async def start(self, request: gr.Request) -> Shown:
        await notify_errors(_started(self._page, self._parts.name, request))
        return self.shown()

    async def stop(self, request: gr.Request) -> Shown:
        await notify_errors(_stopped(self._page, self._parts.name, request))
        return self.shown()


async def _started(page: Page, name: str, request: gr.Request) -> None:
    check_operator(page.settings, request.request.headers)
    state = await page.extensions.services.start(name)
    if state.status is ServiceStatus.FAILED:
        raise ServiceError(state.message)


async def _stopped(page: Page, name: str, request: gr.Request) -> None:
    check_operator(page.settings, request.request.headers)
    await page.extensions.services.stop(name)


def _row(status: gr.Textbox, start: gr.Button, stop: gr.Button, state: ServiceState) -> Shown:
    is_on = state.status in {ServiceStatus.RUNNING, ServiceStatus.STARTING}
    return {
        status: status_shown(state),
        start: gr.Button(interactive=not is_on),
        stop: gr.Button(interactive=is_on),
    }


def _can_paste(endpoint: Endpoint, *, sees_key: bool) -> bool:
    """Examples hold the key."""
    return bool(endpoint.address) and (sees_key or not endpoint.key)


def _host(header: str) -> str:
    """The name in a Host header, without its port."""
    return header if header.endswith("]") else header.rpartition(":")[0] or header
