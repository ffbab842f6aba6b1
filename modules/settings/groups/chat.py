"""The settings of conversations: names, characters and instructions of the chat modes."""

from typing import ClassVar, Final, Literal

from modules.settings.option_values import Words
from modules.settings.options import SettingsGroup, setting

_COMMAND: Final = (
    'Continue the chat dialogue below. Write a single reply for the character "<|character|>".\n\n<|prompt|>'
)


class ChatSettings(SettingsGroup, frozen=True):
    title: ClassVar[str] = "Conversations"

    mode: Literal["instruct", "chat", "chat-instruct"] = setting(
        "instruct",
        "Mode of chats on the web page: the model's chat template, a dialogue with a character, or that dialogue inside "
        "an instruction. API requests set their own.",
    )
    character: str = setting(
        "Assistant",
        "Character in the modes chat and chat-instruct; None takes --name2, --context and --greeting instead.",
    )
    user: str = setting("Default", "User profile in these modes; --name1 and --user-bio override it.")
    name1: str = setting("You", "Name of the user in these modes.")
    name2: str = setting("AI", "Name of the character, where none is chosen.")
    context: str = setting(
        "The following is a conversation with an AI assistant. The assistant is helpful, honest and to the point.",
        "Text at the top of the dialogue, where no character is chosen.",
    )
    greeting: str = setting(
        "How can I help you today?", "First message of the dialogue, where no character is chosen; empty for none."
    )
    use_lorebooks: bool = setting(True, "Entries of lorebooks join the prompt in these modes when their keys are said.")
    lorebooks: Words = setting((), "Lorebooks from user_data/lorebooks in these modes, besides a character's own.")
    user_bio: str = setting("", "What the model is told about the user in the modes chat and chat-instruct.")
    custom_system_message: str = setting("", "System message of conversations that bring none.")
    chat_instruct_command: str = setting(
        _COMMAND,
        "Instruction of the mode chat-instruct, with the default's placeholders for the character's name and the dialogue.",
        key="chat-instruct_command",
    )
    chat_template_str: str = setting(
        "", "Jinja template of the dialogue in the modes chat and chat-instruct; empty means the built-in one."
    )
    knowledge: Words = setting(
        (), "Knowledge collections that new chats of the web page are answered with; each chat keeps its own choice."
    )
    selected_tools: Words = setting((), "Tools that the web page offers to the model.")
    mcp_servers: str = setting(
        "",
        "MCP servers that are reached over HTTP, one per line: the URL and, after commas, headers as Name: value. "
        "Servers that are commands are set in mcp.json.",
        secret=True,
    )
    tool_permissions: Words = setting(
        (),
        "What single tools are allowed on the web page, each as TOOL=always, TOOL=ask or TOOL=never. Others are asked about "
        "if they are an MCP server's or reach the web or the memory.",
    )
    searxng_url: str = setting("", "Address of the SearXNG server that the tool web_search asks; empty for none.")
    use_memory: bool = setting(
        True,
        "Tell models what is in the memory folder, in chats of the web page that begin from now on; each chat keeps its own "
        "choice.",
    )
    confirm_tool_calls: bool = setting(False, "Ask for confirmation before each tool call.")
