"""What an empty chat offers to begin with: words that a click puts into the box."""

from typing import Any, Final

import gradio as gr

from modules.settings.values import Settings
from modules.ui.page.languages import is_said

_LOCAL: Final = "## What shall we talk about?\nEverything you write stays on this machine."
_REMOTE: Final = "## What shall we talk about?\nWhat you write to a model of another server is sent to that server."
STARTERS: Final = (
    ("Explain something", "Explain how a rainbow forms, in three short paragraphs."),
    ("Write some code", "Write a Python function that finds duplicate files in a folder, and explain how it works."),
    ("Make a plan", "Help me plan a weekend trip on a small budget. Ask me what you need to know first."),
)


def welcome(settings: Settings) -> str:
    """With models of other servers in the menu, it does not stay here."""
    return _REMOTE if settings.upstream else _LOCAL


def examples() -> list[dict[str, Any]]:
    """As a chatbot takes them."""
    return [{"display_text": title, "text": words} for title, words in STARTERS]


def starter(event: gr.SelectData) -> dict[str, Any]:
    """The content of the box after a click on one; of anything else that a browser may send, an empty box."""
    chosen = event.value.get("text") if isinstance(event.value, dict) else None
    is_ours = any(is_said(words, chosen) for _, words in STARTERS)
    return {"text": chosen if is_ours else "", "files": []}
