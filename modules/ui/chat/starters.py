"""What an empty chat offers to begin with: words that a click puts into the box."""

from typing import Any, Final

import gradio as gr

from modules.ui.page.languages import is_said

WELCOME: Final = "## What shall we talk about?\nEverything you write stays on this machine."
STARTERS: Final = (
    ("Explain something", "Explain how a rainbow forms, in three short paragraphs."),
    ("Write some code", "Write a Python function that finds duplicate files in a folder, and explain how it works."),
    ("Make a plan", "Help me plan a weekend trip on a small budget. Ask me what you need to know first."),
)


def examples() -> list[dict[str, Any]]:
    """As a chatbot takes them."""
    return [{"display_text": title, "text": words} for title, words in STARTERS]


def starter(event: gr.SelectData) -> dict[str, Any]:
    """The content of the box after a click on one; of anything else that a browser may send, an empty box."""
    chosen = event.value.get("text") if isinstance(event.value, dict) else None
    is_ours = any(is_said(words, chosen) for _, words in STARTERS)
    return {"text": chosen if is_ours else "", "files": []}
