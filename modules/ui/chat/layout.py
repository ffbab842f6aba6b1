"""The components of the Chat tab, and where they stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.errors import ServiceError
from modules.settings.values import Settings
from modules.ui.chat.choices import ChatSwitches
from modules.ui.chat.model import GateParts, gate_parts
from modules.ui.model.notice import NoticeParts, notice_parts
from modules.ui.page.formulas import DELIMITERS
from modules.ui.page.menus import name_list, name_menu, name_ticks
from modules.ui.page.page import Page
from modules.ui.replies.tab_state import ChatTab

MODES: Final = [("Instruct", "instruct"), ("Chat with a character", "chat"), ("Chat-instruct", "chat-instruct")]
EFFORTS: Final = ["none", "minimal", "low", "medium", "high", "xhigh"]
FILE_TYPES: Final = ["image", "text", ".pdf", ".docx", ".md", ".json", ".csv", ".py", ".yaml", ".toml", ".html", ".xml"]
_WELCOME: Final = "### What shall we talk about?\nEverything you write stays on this machine."
# What the page's script and the server say to each other.
_BRIDGE: Final = """
window.chatPage.connect((act) => trigger('submit', act), () => props.value);
watch('value', () => window.chatPage.apply(props.value));
"""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationParts:
    """The middle. `live` shows the reply that is being written, below all others in `chat`: so a long conversation
    costs nothing while words come. `place` is what the browser knows of `tab`. `choices`
    orders the events that show another one."""

    tab: gr.State
    choices: gr.State
    place: gr.Textbox
    chat: gr.Chatbot
    live: gr.Chatbot
    box: gr.MultimodalTextbox
    bridge: gr.HTML
    gate: GateParts
    notice: NoticeParts
    regenerate: gr.Button
    go_on: gr.Button
    remove: gr.Button
    impersonate: gr.Button
    dummy_message: gr.Button
    dummy_reply: gr.Button
    count: gr.Button


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The right side: what the next reply is made with."""

    mode: gr.Radio
    character: gr.Dropdown
    user: gr.Dropdown
    thinking: Component
    effort: Component
    tools: gr.CheckboxGroup
    refresh_tools: gr.Button
    import_chat: gr.UploadButton
    export_chat: gr.Button
    exported: gr.DownloadButton


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatParts:
    """The whole tab. `removed` is what it has deleted last."""

    left: ChatList
    middle: ConversationParts
    right: Controls
    removed: gr.State


def chat_parts(page: Page) -> ChatParts:
    return ChatParts(left=chat_list(), middle=conversation(page.settings), right=controls(page), removed=gr.State(None))


def chat_list() -> ChatList:
    with gr.Sidebar(position="left", width=280, elem_id="chat-list"):
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


def conversation(settings: Settings) -> ConversationParts:
    tab, choices = gr.State(ChatTab(is_unset=True)), gr.State(ChatSwitches())
    place = gr.Textbox("", visible="hidden", elem_id="place")
    bridge = gr.HTML("[]", html_template="", js_on_load=_BRIDGE, elem_id="bridge", visible=True)
    with gr.Column(elem_id="scroller"):
        chat = _chatbot("chat", settings, editable="all", placeholder=_WELCOME)
        live = _chatbot("live", settings)
    with gr.Column(elem_id="composer"):
        # The page's script shows it, and does what it says.
        gr.Button("↓ Jump to latest", size="sm", elem_id="to-end")
        gate = gate_parts()
        notice = notice_parts("chat-model")
        box = gr.MultimodalTextbox(
            show_label=False,
            label="Message",
            placeholder="Write a message. Shift+Enter for a new line.",
            file_count="multiple",
            file_types=FILE_TYPES,
            max_plain_text_length=2500 if settings.paste_to_attachment else 1_000_000,
            autofocus=True,
            max_lines=12,
            elem_id="box",
            stop_btn=False,
        )
        with gr.Row(elem_id="chat-actions", elem_classes="tight"):
            # The page's script does what they say.
            _action("Dictate", "dictate")
            _action("Call", "call")
            regenerate = _action("Regenerate", "regenerate")
            go_on = _action("Continue", "continue")
            remove = _action("Delete last turn", "remove-last")
            impersonate = _action("Impersonate", "impersonate")
            dummy_message = _action("Send dummy message", "dummy-message")
            dummy_reply = _action("Send dummy reply", "dummy-reply")
            count = _action("Count tokens", "count-tokens")
    return ConversationParts(
        tab=tab,
        choices=choices,
        place=place,
        chat=chat,
        live=live,
        box=box,
        bridge=bridge,
        gate=gate,
        notice=notice,
        regenerate=regenerate,
        go_on=go_on,
        remove=remove,
        impersonate=impersonate,
        dummy_message=dummy_message,
        dummy_reply=dummy_reply,
        count=count,
    )


def controls(page: Page) -> Controls:
    settings, add = page.settings, page.inputs.add
    with gr.Sidebar(position="right", width=320, open=settings.show_controls, elem_id="controls"):
        mode = gr.Radio(MODES, value=settings.mode, label="Mode", elem_id="mode")
        character = name_menu(
            [settings.character], value=settings.character, label="Character", elem_id="character", visible=False
        )
        user = name_menu([settings.user], value=settings.user, label="User", elem_id="user", visible=False)
        thinking = gr.Checkbox(settings.enable_thinking, label="Enable thinking", elem_id="thinking")
        effort = name_menu(EFFORTS, value=settings.reasoning_effort, label="Reasoning effort", elem_id="effort")
        _voice(page)
        _texts(page)
        with gr.Accordion("Tools", open=False):
            tools = name_ticks(label="Available tools", elem_id="tools")
            add("confirm_tool_calls", gr.Checkbox(settings.confirm_tool_calls, label="Confirm tool calls"))
            refresh = gr.Button("Refresh tools", size="sm")
            if not settings.multi_user:
                add("mcp_servers", _mcp_servers(settings))
        with gr.Accordion("Attachments and files", open=False):
            add(
                "include_past_attachments",
                gr.Checkbox(settings.include_past_attachments, label="Include attachments of earlier messages"),
            )
            import_chat = gr.UploadButton("Import chat", file_types=[".json"], size="sm")
            export_chat = gr.Button("Export chat", size="sm", elem_id="export-chat")
            exported = gr.DownloadButton("File", elem_id="chat-file", visible="hidden")
        page.extensions.offer_components({"mode": mode, "character_menu": character})
        with gr.Accordion("Extensions", open=False, visible=bool(page.extensions.blocks)):
            for block in page.extensions.blocks:
                block.build()
    for name, component in {"mode": mode, "character": character, "user": user}.items():
        add(name, component)
    for name, component in {"enable_thinking": thinking, "reasoning_effort": effort, "selected_tools": tools}.items():
        add(name, component)
    return Controls(
        mode=mode,
        character=character,
        user=user,
        thinking=thinking,
        effort=effort,
        tools=tools,
        refresh_tools=refresh,
        import_chat=import_chat,
        export_chat=export_chat,
        exported=exported,
    )


def _voice(page: Page) -> None:
    settings, add = page.settings, page.inputs.add
    # What the page's script looks at stands outside: Gradio builds what is folded only when it is opened.
    add("read_aloud", gr.Checkbox(settings.read_aloud, label="Read replies aloud", elem_id="read-replies"))
    with gr.Accordion("Voice", open=False):
        chosen = settings.speech_voice
        menu = name_menu(
            _voices([chosen] if chosen else []),
            value=chosen,
            label="Voice",
            info="Of characters that have none of their own.",
            allow_custom_value=True,
            elem_id="speech-voice",
        )
        add("speech_voice", menu)

    async def voices() -> Mapping[Component, Any]:
        try:
            models = await page.runtime.speech.models()
        except ServiceError:
            models = ()
        return {menu: gr.Dropdown(choices=_voices([name for model in models for name in model.voices.names]))}

    page.fill_in(voices, [menu])


def _voices(names: Sequence[str]) -> list[tuple[str, str]]:
    return [("The model's first", ""), *((name, name) for name in names)]


def _mcp_servers(settings: Settings) -> gr.Textbox:
    return gr.Textbox(
        settings.mcp_servers,
        label="MCP servers",
        info="One URL per line; headers after commas, as Name: value.",
        lines=2,
        elem_id="mcp-servers",
    )


def _texts(page: Page) -> None:
    settings, add = page.settings, page.inputs.add
    add("start_with", gr.Textbox(settings.start_with, label="Start reply with", elem_id="start-with"))
    with gr.Accordion("System message", open=False):
        add(
            "custom_system_message",
            gr.Textbox(settings.custom_system_message, show_label=False, label="System message", lines=4),
        )
    with gr.Accordion("Chat-instruct command", open=False):
        add(
            "chat_instruct_command",
            gr.Textbox(
                settings.chat_instruct_command,
                label="Command",
                info="<|character|> stands for the character's name, <|prompt|> for the dialogue.",
                lines=4,
            ),
        )


def _chatbot(name: str, settings: Settings, **more: object) -> gr.Chatbot:
    return gr.Chatbot(
        [],
        elem_id=name,
        label="Conversation" if name == "chat" else "Current reply",
        show_label=False,
        container=False,
        height="auto",
        layout="bubble" if settings.chat_style == "bubbles" else "panel",
        buttons=["copy"] if name == "chat" else [],
        feedback_options=None,
        latex_delimiters=DELIMITERS,
        autoscroll=False,
        group_consecutive_messages=True,
        **more,
    )


def _action(label: str, name: str) -> gr.Button:
    return gr.Button(label, size="sm", min_width=60, elem_id=name)
