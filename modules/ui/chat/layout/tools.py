"""The components of the inspector's Tools tab: what the model may call, and documents."""

from dataclasses import dataclass

import gradio as gr

from modules.settings.values import Settings
from modules.ui.knowledge.uses import UsesParts, uses_parts
from modules.ui.page.menus import name_ticks
from modules.ui.page.page import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolParts:
    chosen: gr.CheckboxGroup
    refresh: gr.Button
    uses: UsesParts


def tool_parts(page: Page) -> ToolParts:
    """To be called where they shall stand."""
    settings, add = page.settings, page.inputs.add
    uses = uses_parts(settings)
    chosen = name_ticks(label="Tools", elem_id="tools")
    add("selected_tools", chosen)
    add("confirm_tool_calls", gr.Checkbox(settings.confirm_tool_calls, label="Ask before running tools"))
    refresh = gr.Button("Reload tools", size="sm", elem_id="refresh-tools")
    if not settings.multi_user:
        add("mcp_servers", _mcp_servers(settings))
    return ToolParts(chosen=chosen, refresh=refresh, uses=uses)


def _mcp_servers(settings: Settings) -> gr.Textbox:
    return gr.Textbox(
        settings.mcp_servers,
        label="MCP servers",
        info="One URL per line; headers after commas, as Name: value.",
        lines=2,
        elem_id="mcp-servers",
    )
