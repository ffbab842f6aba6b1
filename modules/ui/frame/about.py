"""Where the user's data lies, and what this program is."""

import html
from typing import Final

import gradio as gr

from modules.ui.page.access import is_operator
from modules.ui.page.page import Page
from modules.ui.shell.internals import current_tab

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}
_PRIVATE: Final = "The page loads nothing from other servers. What you write goes to other servers only if you set one up or use web tools."
_ABOUT: Final = f"""{_PRIVATE}

- **API**: `/docs` at the API's address describes every endpoint; the page *API* has examples.
- **Check the installation**: `python3 one_click.py doctor`
- **Icons**: Lucide (ISC licence)."""
_STRANGER: Final = "Folders are shown to who may change the program: open the page on the machine itself."


def build_data(page: Page) -> None:
    """To be called within its tab. Paths are told to operators only."""
    tab = current_tab()
    folders = gr.Markdown(_STRANGER, elem_id="data-folders")

    async def told(request: gr.Request) -> str:
        return _folders(page) if is_operator(page.settings, request.request.headers) else _STRANGER

    tab.select(told, None, [folders], **_QUIET)


def build_about(_: Page) -> None:
    gr.Markdown(_ABOUT, elem_id="about")


def _folders(page: Page) -> str:
    data = page.runtime.data
    places = {
        "All data": data.root,
        "Chats": data.root / "logs",
        "Characters": data.root / "characters",
        "Models": data.models,
        "Settings": data.settings,
    }
    rows = "\n".join(f"| {name} | `{html.escape(str(path))}` |" for name, path in places.items())
    return f"All data are files. Copy the first folder to back up or move everything.\n\n| | |\n|---|---|\n{rows}"
