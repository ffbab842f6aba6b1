"""The components of the left column: past chats of the mode or character."""

from dataclasses import dataclass

import gradio as gr

from modules.ui.page.menus import name_list


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatList:
    """The left side: past chats of the mode or character."""

    new: gr.Button
    incognito: gr.Button
    search: gr.Textbox
    chats: gr.Radio
    more: gr.Button
    rename: gr.Button
    branch: gr.Button
    delete: gr.Button
    undo: gr.Button


def chat_list() -> ChatList:
    with gr.Column(elem_id="chat-list"):
        with gr.Row(elem_classes="tight"):
            new = gr.Button("New chat", variant="primary", size="sm", elem_id="new-chat")
            incognito = gr.Button("Incognito", size="sm", elem_id="new-incognito")
        search = gr.Textbox(
            show_label=False, label="Search all chats", placeholder="Search", container=False, elem_id="chat-search"
        )
        chats = name_list(label="Past chats", show_label=False, container=False, elem_id="past-chats")
        more = gr.Button("Show older chats", size="sm", visible=False, elem_id="more-chats")
        with gr.Row(elem_classes="tight"):
            rename = gr.Button("Rename", size="sm", elem_id="rename-chat")
            branch = gr.Button("Branch", size="sm", elem_id="branch-chat")
            delete = gr.Button("Delete", size="sm", elem_id="delete-chat")
        undo = gr.Button("Undo delete", size="sm", visible=False, elem_id="undo-delete")
    return ChatList(
        new=new,
        incognito=incognito,
        search=search,
        chats=chats,
        more=more,
        rename=rename,
        branch=branch,
        delete=delete,
        undo=undo,
    )
