"""The page names things as the field does, so that whoever knows one such program finds them in this one."""

from pathlib import Path
from typing import Final

import pytest

from modules.ui.app import build_blocks
from tests.ui.open_page import open_page
from tests.ui.visible_texts import of_components, of_scripts

pytestmark = pytest.mark.asyncio

# As llama.cpp, text-generation-webui and OpenAI's API call them.
_TERMS: Final = frozenset(
    {
        *("Max tokens", "Stop sequences", "Repetition penalty", "Presence penalty", "Frequency penalty"),
        *("Temperature", "Top P", "Top K", "Min P", "Typical P", "Seed", "Ignore EOS", "Add BOS token"),
        *("Skip special tokens", "No-repeat n-gram size", "DRY multiplier", "XTC probability", "Mirostat mode"),
        *(
            "Context length",
            "GPU layers (offload)",
            "KV cache type",
            "Parallel slots",
            "Flash attention",
            "Tensor split",
        ),
        *("Batch size", "Threads", "LoRA adapters", "Instruction template", "Chat template (Jinja)", "GBNF grammar"),
        *("Sampling (do_sample)", "Sampler order", "Repetition: penalties, DRY", "Dynamic temperature, smoothing"),
        *("More truncation: XTC, top-nσ, typical…", "Mirostat, adaptive", "Advanced load settings", "Tools"),
        *("Files / quantization", "Assistant", "Character via instruct template", "Chat-instruct command"),
        *("No limit (use what is left of the context)", "Stream", "Max tokens/s (pace)", "Paste long text as file"),
        *("Extension settings", "Theme", "System", "Light", "Dark", "Examples"),
        *("Reasoning effort", "Thinking", "Ask before running tools", "MCP servers", "System prompt"),
        *("Prefill (start reply with)", "Character", "User", "Preset", "API key", "Extensions"),
        *("First message", "Description", "Alternate greetings", "Lorebook"),
    }
)
_BUTTONS: Final = frozenset(
    {
        *("New chat", "Regenerate", "Continue", "Write as me", "Insert as me", "Insert as assistant", "Rename"),
        *(
            "Branch",
            "Delete",
            "Load",
            "Unload",
            "Remember for this model",
            "Download",
            "Get file list",
            "Generate",
            "Stop",
        ),
        *(
            "Import chats…",
            "Export all chats",
            "Temporary chat",
            "Import character",
            "Neutralize",
            "Save",
            "Save and restart",
        ),
    }
)

# What the page said before, and what beginners took for something else.
_GONE: Final = frozenset(
    {
        *("Most new tokens", "Max new tokens", "Fill the context", "Never end by itself", "Ban the EOS token"),
        *("Begin prompts with BOS", "Leave out control tokens", "Show replies as they come", "Tokens a second"),
        *("Draw tokens at random", "No repeated n-grams of", "Stopping strings", "Against repetition"),
        *("Temperature that varies, and curves", "Other ways to leave tokens out", "Ways to choose the token"),
        *(
            "Order of the samplers",
            "Name to save under",
            "Context (tokens)",
            "Layers on the GPU",
            "Format of the cache",
        ),
        *("Requests at a time", "Parallel requests", "More about loading", "Check files", "Save settings"),
        *("Only these files", "Instruct", "Chat with a character", "Both (chat-instruct)", "Chat-instruct"),
        *("Instruction of chat-instruct", "System message", "Start reply with", "Let the model think"),
        *(
            "Effort of thinking",
            "Look for tools again",
            "The model may call",
            "Ask before each call",
            "Confirm tool calls",
        ),
        *(
            "Remove last",
            "Impersonate",
            "Send dummy message",
            "Send dummy reply",
            "Take back changes",
            "Session",
            "Past chats",
            "Incognito",
        ),
        *("To paste", "Dark or light", "Make a file of long text that is pasted", "Parameters of extensions"),
    }
)


async def test_labels_and_buttons_are_the_terms_of_the_field(tmp_path: Path) -> None:
    async with open_page(tmp_path) as page:
        config = build_blocks(page).get_config_file()
    shown = [each["props"] for each in config["components"]]
    labels = {str(props.get("label")) for props in shown} | of_components(config)
    buttons = {str(props.get("value")) for props in shown if props.get("name") == "button"} | labels
    buttons |= of_scripts()
    assert labels >= _TERMS, _TERMS - labels
    assert buttons >= _BUTTONS, _BUTTONS - buttons
    assert (labels | buttons | of_components(config)) & _GONE == set()
