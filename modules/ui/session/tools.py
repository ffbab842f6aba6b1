"""Settings, Tools: MCP servers with their state, and what each tool is allowed."""

import asyncio
import html
from collections.abc import Iterable, Sequence
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.chat.tools.base import ToolInfo
from modules.chat.tools.mcp_file import McpFile
from modules.chat.tools.mcp_tools import McpServerState
from modules.chat.tools.permissions import Permission, default_permission, permission_words, permissions_from
from modules.errors import BadRequest, ServiceError
from modules.ui.page.access import check_operator
from modules.ui.page.page import Page, failure
from modules.ui.shell.internals import current_tab, sent_data

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}
_LISTEN: Final = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-act]');
  if (button) trigger('submit', { act: button.dataset.act, name: button.dataset.name });
});
element.addEventListener('change', (event) => {
  const menu = event.target.closest('select[data-tool]');
  if (menu) trigger('submit', { act: 'permit', name: menu.dataset.tool, permission: menu.value });
});
"""
_LABELS: Final = {
    Permission.ALWAYS: "Always allow",
    Permission.ASK: "Ask before each call",
    Permission.NEVER: "Never",
}
_CONFIRMS: Final = "confirm_tool_calls"
_SAME: Final = "(value) => value"
_ASKS: Final = (
    "All tools that have no permission of their own below. Those of servers, and those that reach out, ask anyway."
)
_NONE: Final = "<p>There are no MCP servers yet. Add one below, by its address or the command that starts it.</p>"


def build_tools(page: Page) -> None:
    """To be called within its tab."""
    _ToolsPage(page).connect()


class _ToolsPage:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._file = McpFile(page.runtime.data.mcp)
        self._tab = current_tab()
        self._asks = gr.Checkbox(
            page.settings.confirm_tool_calls, label="Ask before running tools", info=_ASKS, elem_id="ask-before-tools"
        )
        self._cards = gr.HTML(
            "", html_template="${value}", js_on_load=_LISTEN, elem_id="tool-cards", apply_default_css=False
        )
        with gr.Row(elem_classes="tight"):
            self._reload = gr.Button("Reload tools", size="sm", elem_id="reload-tools")
        with gr.Accordion("Add an MCP server", open=False):
            self._name = gr.Textbox(label="Name", max_lines=1, elem_id="mcp-name")
            self._place = gr.Textbox(
                label="Address or command",
                info="Such as http://127.0.0.1:8000/mcp, or: npx -y @modelcontextprotocol/server-everything",
                max_lines=1,
                elem_id="mcp-place",
            )
            self._more = gr.Textbox(
                label="Headers or variables",
                info="One per line: Name: value for an address, NAME=value for a command.",
                lines=2,
                elem_id="mcp-more",
            )
            self._add = gr.Button("Add server", size="sm", variant="primary", elem_id="mcp-add")
        search = gr.Textbox(
            page.settings.searxng_url,
            label="SearXNG address",
            info="Of your own search server; the tool web_search asks it. Without one nothing is searched.",
            max_lines=1,
            elem_id="searxng-url",
        )
        page.inputs.add("searxng_url", search)

    def connect(self) -> None:
        self._page.on_ready(self._connect_switch)
        self._tab.select(self._shown, None, [self._cards], **_QUIET)
        self._reload.click(self._reloaded, None, [self._cards], **_QUIET)
        self._cards.submit(self._acted, None, [self._cards], trigger_mode="multiple", **_QUIET)
        added = [self._cards, self._name, self._place, self._more]
        self._add.click(self._added, [self._name, self._place, self._more], added, **_QUIET)

    def _connect_switch(self) -> None:
        """The same stands in the inspector, and each follows the other within the browser."""
        asks, other = self._asks, self._page.inputs[_CONFIRMS]
        asks.input(None, [asks], [other], js=_SAME, **_QUIET)
        other.input(None, [other], [asks], js=_SAME, **_QUIET)
        for each in (asks, other):
            each.input(self._switched, [each], [self._cards], trigger_mode="always_last", **_QUIET)
        self._page.fill_in(self._filled, [asks])

    async def _filled(self) -> dict[Component, object]:
        return {self._asks: self._page.settings.confirm_tool_calls}

    async def _switched(self, asks: object) -> str:
        self._page.saved_settings.remember({_CONFIRMS: asks is True})
        return await self._shown()

    async def _shown(self) -> str:
        servers, tools = await asyncio.gather(self._page.tools.servers(), self._page.tools.available())
        off = [name for name, is_on in (await asyncio.to_thread(self._file.names)).items() if not is_on]
        return cards_html(servers, off) + self._tools_html([tool for tool in tools if not tool.problem])

    async def _reloaded(self) -> str:
        await self._page.tools.available(retry=True)
        return await self._shown()

    async def _added(self, name: str, place: str, more: str, request: gr.Request) -> list[Any]:
        """The server is asked at once, so that its card says whether it works."""
        self._check(request)
        try:
            await asyncio.to_thread(self._file.add, name, place, more)
        except ServiceError as error:
            raise failure(error.message) from None
        return [await self._reloaded(), "", "", ""]

    async def _acted(self, event: gr.EventData, request: gr.Request) -> str:
        self._check(request)
        asked = sent_data(event)
        name = asked.get("name") if isinstance(asked, dict) else None
        if not isinstance(name, str):
            return await self._shown()
        try:
            match asked.get("act"):
                case "permit":
                    self._permit(name, asked.get("permission"))
                case "on" | "off" as act:
                    await asyncio.to_thread(self._file.switch, name, is_on=act == "on")
                case "remove":
                    await asyncio.to_thread(self._file.remove, name)
                case "test":
                    await self._page.tools.available(retry=True)
        except ServiceError as error:
            raise failure(error.message) from None
        return await self._shown()

    def _permit(self, name: str, value: object) -> None:
        if value not in set(Permission):
            raise BadRequest("That is no permission.")
        permissions = permissions_from(self._page.settings.tool_permissions)
        words = permission_words({**permissions, name: Permission(str(value))})
        self._page.saved_settings.remember({"tool_permissions": words})

    def _check(self, request: gr.Request) -> None:
        """A server that is a command runs on this machine."""
        try:
            check_operator(self._page.settings, request.request.headers)
        except ServiceError as error:
            raise failure(error.message) from None

    def _tools_html(self, tools: Sequence[ToolInfo]) -> str:
        settings = self._page.settings
        known = permissions_from(settings.tool_permissions)
        rows = "".join(
            _tool_row(
                tool,
                known.get(tool.name)
                or default_permission(tool.name, tool.origin, confirms=settings.confirm_tool_calls),
            )
            for tool in tools
        )
        return f'<h3>Tools</h3><ul class="tool-list">{rows}</ul>'


def cards_html(servers: Iterable[McpServerState], off: Iterable[str]) -> str:
    """A card for each MCP server: where it is, whether it works, and if not, why."""
    cards = [_card(server) for server in servers]
    cards += [
        f'<article class="tool-card"><header><h4>{_text(name)}</h4><span class="state">Off</span></header>'
        f"<div class=acts>{_button('on', name, 'Turn on')}{_button('remove', name, 'Remove')}</div></article>"
        for name in off
    ]
    return f'<h3>MCP servers</h3><div class="tool-cards">{"".join(cards) or _NONE}</div>'


def _card(server: McpServerState) -> str:
    state = (
        "Failed" if server.problem else f"Connected, {len(server.tools)} tool{'' if len(server.tools) == 1 else 's'}"
    )
    problem = f'<p role="alert">{_text(server.problem)}</p>' if server.problem else ""
    names = f"<p>{_text(', '.join(server.tools))}</p>" if server.tools else ""
    changes = f"{_button('off', server.name, 'Turn off')}{_button('remove', server.name, 'Remove')}"
    return (
        f'<article class="tool-card{" failed" if server.problem else ""}"><header><h4>{_text(server.name)}</h4>'
        f'<span class="state">{state}</span></header><p class="place">{_text(server.place)}</p>{problem}{names}'
        f"<div class=acts>{_button('test', server.name, 'Test')}{changes if server.is_in_file else ''}</div></article>"
    )


def _tool_row(tool: ToolInfo, chosen: Permission) -> str:
    options = "".join(
        f'<option value="{each}"{" selected" if each is chosen else ""}>{_LABELS[each]}</option>' for each in Permission
    )
    name = _text(tool.name)
    return (
        f'<li><div><strong>{name}</strong> <span class="origin">{_text(tool.origin)}</span>'
        f"<p>{_text(tool.description[:200])}</p></div>"
        f'<select data-tool="{name}" aria-label="Permission of {name}">{options}</select></li>'
    )


def _button(act: str, name: str, label: str) -> str:
    return (
        f'<button type="button" data-act="{act}" data-name="{_text(name)}" aria-label="{label} {_text(name)}">'
        f"{label}</button>"
    )


def _text(text: str) -> str:
    return html.escape(text)
