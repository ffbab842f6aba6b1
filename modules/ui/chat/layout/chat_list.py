"""The components of the left column: the chats of the mode or character."""

from dataclasses import dataclass
from typing import Final

import gradio as gr

from modules.ui.chatlist.rows import ChatRows
from modules.ui.chatlist.served import served_functions
from modules.ui.page.page import Page

# The script draws the list, and says what is to be done with a chat.
_LIST: Final = """
window.pastChats.connect(element, server, {
  open: (chat) => trigger('select', chat),
  rename: (chat) => trigger('submit', chat),
  remove: (chat, isShown) => trigger(isShown ? 'delete' : 'clear', chat),
  copy: (chat) => trigger('copy', chat),
  save: (chat) => trigger('download', chat),
}, () => props.value);
watch('value', () => window.pastChats.apply(props.value));
"""
_MENU: Final = "window.pastChats.connectMenu(element);"
_SEARCH: Final = "window.pastChats.connectSearch(element);"
_IMPORTED: Final = [".json", ".md", ".zip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatList:
    """`chats` has the list as text (see `ChatRows`); `taken` gets files with chats, `saved` is one."""

    rows: ChatRows
    new: gr.Button
    incognito: gr.Button
    chats: gr.HTML
    undo: gr.Button
    taken: gr.UploadButton
    saved: gr.DownloadButton


def chat_list(page: Page) -> ChatList:
    rows = ChatRows(page)
    with gr.Column(elem_id="chat-list"):
        with gr.Row(elem_id="chat-list-head"):
            new = gr.Button("New chat", variant="primary", size="sm", elem_id="new-chat")
            incognito = gr.Button("Temporary chat", size="sm", elem_id="new-incognito")
            _drawn(_MENU, "chats-menu")
        _drawn(_SEARCH, "chat-search")
        chats = gr.HTML(
            "",
            html_template="",
            js_on_load=_LIST,
            server_functions=served_functions(page, rows),
            apply_default_css=False,
            padding=False,
            elem_id="past-chats",
        )
        undo = gr.Button("Undo delete", size="sm", visible=False, elem_id="undo-delete")
        taken = gr.UploadButton(
            "Import chats", file_types=_IMPORTED, file_count="multiple", elem_id="import-chats", visible="hidden"
        )
        saved = gr.DownloadButton("File", elem_id="chat-file", visible="hidden")
    return ChatList(rows=rows, new=new, incognito=incognito, chats=chats, undo=undo, taken=taken, saved=saved)


def _drawn(script: str, name: str) -> gr.HTML:
    """What the page's script draws."""
    return gr.HTML("", html_template="", js_on_load=script, apply_default_css=False, padding=False, elem_id=name)
