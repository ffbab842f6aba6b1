"""What the settings offer for all chats: how they get their names, and files to take along."""

from typing import Final

import gradio as gr

from modules.ui.page.page import Page

# The page's script does what they say.
_FILES: Final = """<div class="chat-files">
<p>Export all chats as a ZIP, with pins, folders and tags. Import chats from such a ZIP, or from .json and .md files that were
exported here or by text-generation-webui.</p>
<button type="button" data-chats="export">Export all chats</button>
<button type="button" data-chats="import">Import chats…</button>
<button type="button" data-chats="delete">Delete all chats…</button>
</div>"""


def chat_files(page: Page) -> None:
    """To be called where they shall stand."""
    settings = page.settings
    name = gr.Checkbox(
        settings.name_chats,
        label="Let the model name new chats",
        info="With a short request after the first reply, when nothing else is being written. Else the first line is the name.",
        elem_id="name-chats",
    )
    page.inputs.add("name_chats", name)
    if not settings.multi_user:
        gr.HTML(_FILES, elem_id="chat-files", padding=False, apply_default_css=False)
