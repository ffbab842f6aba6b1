"""The page names things as the field does, so that whoever knows one such program finds them in this one."""

from pathlib import Path
from typing import Final

import pytest

from modules.ui.app import build_blocks
from tests.ui.open_page import open_page

pytestmark = pytest.mark.asyncio

# As llama.cpp, text-generation-webui and OpenAI's API call them.
_TERMS: Final = frozenset(
    {
        *("Max new tokens", "Stop sequences", "Repetition penalty", "Presence penalty", "Frequency penalty"),
        *("Temperature", "Top P", "Top K", "Min P", "Typical P", "Seed", "Ban the EOS token", "Add the BOS token"),
        *("Skip special tokens", "No-repeat n-gram size", "DRY multiplier", "XTC probability", "Mirostat mode"),
        *("Context length", "GPU layers", "KV cache type", "Parallel requests", "Flash attention", "Tensor split"),
        *("Batch size", "Threads", "LoRA adapters", "Instruction template", "Chat template (Jinja)", "GBNF grammar"),
        *("Reasoning effort", "Enable thinking", "Confirm tool calls", "MCP servers", "System prompt"),
        *("Start reply with", "Character", "User", "Greeting", "Context", "Preset", "API key", "Extensions"),
    }
)
_BUTTONS: Final = frozenset(
    {
        *("New chat", "Regenerate", "Continue", "Impersonate", "Send dummy message", "Send dummy reply", "Rename"),
        *("Branch", "Delete", "Load", "Unload", "Save settings", "Download", "Get file list", "Generate", "Stop"),
        *("Import chat", "Export chat", "Import character", "Neutralize samplers", "Save", "Save and restart"),
    }
)


async def test_labels_and_buttons_are_the_terms_of_the_field(tmp_path: Path) -> None:
    async with open_page(tmp_path) as page:
        config = build_blocks(page).get_config_file()
    shown = [each["props"] for each in config["components"]]
    labels = {str(props.get("label")) for props in shown}
    buttons = {str(props.get("value")) for props in shown if props.get("name") == "button"} | labels
    assert labels >= _TERMS, _TERMS - labels
    assert buttons >= _BUTTONS, _BUTTONS - buttons
