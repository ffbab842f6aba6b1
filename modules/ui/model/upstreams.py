"""Models on other servers, on the Models page: which servers there are, with which keys, and what they offer."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.chatmodels.base import ChatModelSource
from modules.errors import BadRequest, ServiceError
from modules.logs import redact_key
from modules.settings.groups.upstream import UpstreamAddress, upstream_addresses
from modules.ui.model.texts import plain
from modules.ui.page.access import check_operator, is_operator
from modules.ui.page.languages import text
from modules.ui.page.menus import name_menu
from modules.ui.page.page import Page, notify_errors

Shown = dict[Component, Any]

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}
# A server that does not answer must not hold up the others.
_ASK_SECONDS: Final = 3.0
_SHOWN_MODELS: Final = 8
_NONE: Final = (
    "No other server is set up. Any OpenAI-compatible one will do: vLLM, llama-server, LM Studio, Ollama, a hosted API."
)

_UNUSABLE: Final = "A server has a name of letters, digits, dots and dashes, and addresses such as http://10.0.0.2:8000/v1, without a key in them."


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamParts:
    listed: gr.Markdown
    name: gr.Dropdown
    urls: gr.Textbox
    key: gr.Textbox
    save: gr.Button
    remove: gr.Button


def upstream_parts(*, can_change: bool) -> UpstreamParts:
    with gr.Accordion("Models on other servers", open=False, visible=can_change, elem_id="upstreams"):
        listed = gr.Markdown(_NONE, elem_id="upstream-list")
        name = name_menu(
            label="Server",
            info="A name of your choice, or one of those above. Its models are called NAME/model.",
            allow_custom_value=True,
            elem_id="upstream-name",
        )
        urls = gr.Textbox(
            label="Addresses",
            placeholder="http://10.0.0.2:8000/v1",
            info="They usually end in /v1. Several, with commas between them, share the requests.",
            max_lines=1,
            elem_id="upstream-urls",
        )
        key = gr.Textbox(
            label="Key of the server",
            type="password",
            info="Sent to these addresses only. Left empty, the key that was given for the name stays.",
            max_lines=1,
            html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
            elem_id="upstream-key",
        )
        with gr.Row(elem_classes="tight"):
            save = gr.Button("Save server", size="sm", variant="primary", elem_id="save-upstream")
            remove = gr.Button("Remove server", size="sm", variant="stop", elem_id="remove-upstream")
        gr.Markdown(
            "Kept in settings.yaml. What the flag --upstream says at a start stands in its place.",
            elem_classes="hint",
        )
    return UpstreamParts(listed=listed, name=name, urls=urls, key=key, save=save, remove=remove)


class UpstreamHandlers:
    """Handlers of events. Addresses are for operators, as they tell of a network; keys are shown to nobody."""

    def __init__(self, page: Page, parts: UpstreamParts) -> None:
        self._page = page
        self._parts = parts

    async def opened(self, request: gr.Request) -> Shown:
        names = list(self._page.runtime.remote)
        return {self._parts.listed: await self._listed(request), self._parts.name: gr.Dropdown(choices=names)}

    def chosen(self, name: str | None, request: gr.Request) -> Shown:
        address = self._addresses.get(name or "")
        urls = ", ".join(address.urls) if address and self._sees_addresses(request) else ""
        return {self._parts.urls: urls, self._parts.key: ""}

    async def saved(self, name: str | None, urls: str, key: str, request: gr.Request) -> Shown:
        await notify_errors(self._save((name or "").strip(), urls, key.strip(), request))
        return {**await self.opened(request), self._parts.key: ""}

    async def removed(self, name: str | None, request: gr.Request) -> Shown:
        await notify_errors(self._remove((name or "").strip(), request))
        emptied: Shown = {self._parts.urls: "", self._parts.key: ""}
        shown = await self.opened(request)
        return shown | emptied | {self._parts.name: gr.Dropdown(choices=list(self._page.runtime.remote), value=None)}

    @property
    def _addresses(self) -> dict[str, UpstreamAddress]:
        return {address.name: address for address in self._page.settings.upstreams}

    async def _save(self, name: str, urls: str, key: str, request: gr.Request) -> None:
        check_operator(self._page.settings, request.request.headers)
        address = _address(name, urls)
        keys = dict(self._page.settings.upstream_keys)
        if key:
            keys[name] = key
            redact_key(key)
        self._remember({**self._addresses, name: address}, keys)
        await self._page.runtime.remote.put(address, keys.get(name, ""))

    async def _remove(self, name: str, request: gr.Request) -> None:
        check_operator(self._page.settings, request.request.headers)
        addresses, keys = self._addresses, dict(self._page.settings.upstream_keys)
        if addresses.pop(name, None) is None:
            raise BadRequest("Choose the server to remove.")
        keys.pop(name, None)
        self._remember(addresses, keys)
        await self._page.runtime.remote.remove(name)

    def _remember(self, addresses: Mapping[str, UpstreamAddress], keys: Mapping[str, str]) -> None:
        """Raises SettingsError for a key that cannot be sent."""
        items = [item for each in addresses.values() for item in (f"{each.name}={each.urls[0]}", *each.urls[1:])]
        values = {"upstream": items, "upstream_key": [f"{name}={key}" for name, key in keys.items()]}
        self._page.saved_settings.remember(values)

    async def _listed(self, request: gr.Request) -> str:
        sources = dict(self._page.runtime.remote)
        offers = await asyncio.gather(*map(_models_of, sources.values()))
        addresses = self._addresses if self._sees_addresses(request) else {}
        lines = [
            _line(name, addresses.get(name), models, has_key=name in self._page.settings.upstream_keys)
            for name, models in zip(sources, offers, strict=True)
        ]
        return "\n\n".join(lines) or text(_NONE)

    def _sees_addresses(self, request: gr.Request) -> bool:
        return is_operator(self._page.settings, request.request.headers)


def connect_upstreams(page: Page, tab: gr.Tab, parts: UpstreamParts) -> None:
    handlers = UpstreamHandlers(page, parts)
    shown: list[Component] = [parts.listed, parts.name]
    fields: list[Component] = [parts.urls, parts.key]
    tab.select(handlers.opened, None, shown, **_QUIET)
    parts.name.input(handlers.chosen, [parts.name], fields, trigger_mode="always_last", **_QUIET)
    parts.save.click(handlers.saved, [parts.name, *fields], [*shown, parts.key], **_QUIET)
    parts.remove.click(handlers.removed, [parts.name], [*shown, *fields], **_QUIET)


def _address(name: str, urls: str) -> UpstreamAddress:
    """Raises BadRequest."""
    first, *others = [url for url in re.split(r"[\s,]+", urls) if url] or [""]
    try:
        (address,) = upstream_addresses((f"{name}={first}", *others))
    except ValueError:
        raise BadRequest(_UNUSABLE) from None
    return address


async def _models_of(source: ChatModelSource) -> Sequence[str]:
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            return [card.model.name.partition("/")[2] for card in await source.list_cards()]
    except (TimeoutError, ServiceError):
        return ()


def _line(name: str, address: UpstreamAddress | None, models: Sequence[str], *, has_key: bool) -> str:
    """What is known of a server. Names of models are its own words."""
    # As code, addresses become no links.
    urls = [f"`{url.replace('`', '')}`" for url in (address.urls if address else ())]
    place = f" ({', '.join(urls)})" if urls else ""
    secret = text(", with a key") if has_key else ""
    if not models:
        return f"**{plain(name)}**{place}{secret}: " + text("it does not answer, or lists no model.")
    more = f" … ({len(models)})" if len(models) > _SHOWN_MODELS else ""
    return f"**{plain(name)}**{place}{secret}: {plain(', '.join(models[:_SHOWN_MODELS]))}{more}"
