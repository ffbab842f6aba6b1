"""Which tools a reply is offered and which ask, and what a chat tells the model of the memory."""

from pathlib import Path

from modules.chat.session import session
from modules.chat.session.uses import MEMORY, ChatUses, with_uses
from modules.chat.tools.toolbox import ToolBox
from modules.knowledge.memory_tools import memory_tools
from modules.library.chats.history import History
from modules.library.memory import Memory
from modules.library.users import User
from modules.paths import UserData
from modules.settings.values import Settings
from modules.ui.replies.allowed import allowed_tools
from modules.ui.replies.requests import chat_request


async def test_never_is_not_offered_and_temporary_chats_note_nothing(tmp_path: Path) -> None:
    box = ToolBox(UserData(tmp_path), program_tools=memory_tools(Memory(UserData(tmp_path))))
    settings = Settings(
        selected_tools=("calculate", "roll_dice", "remember", "gone"),
        tool_permissions=("roll_dice=never", "calculate=ask"),
    )
    try:
        offered, asks = await allowed_tools(box, settings, is_kept=True)
        assert ([spec.name for spec in offered], asks) == (
            ["calculate", "remember"],
            frozenset({"calculate", "remember"}),
        )
        offered, asks = await allowed_tools(box, settings, is_kept=False)
        assert [spec.name for spec in offered] == ["calculate"]
        assert "Lives in Vienna" not in await box.call("forget", '{"note": "Vienna"}')
        await box.call("remember", '{"note": "Lives in Vienna"}')
        assert await box.call("forget", '{"note": "Vienna"}') == "Forgotten: Lives in Vienna"
    finally:
        await box.aclose()


def test_the_memory_of_a_chat_stands_behind_the_system_message() -> None:
    history = session.with_message(History(extra={MEMORY: "Is called Anna."}), "Hello")

    def system(used: History = history, **changes: object) -> str:
        request = chat_request(Settings.model_validate(changes), used, User(name="You"))
        return request.messages[0].text

    assert system() == "What the user wants you to know, from notes of their own:\nIs called Anna."
    assert system(custom_system_message="Be brief.").startswith("Be brief.\n\nWhat the user wants")
    assert system(with_uses(history, ChatUses(memory=True))).endswith("Is called Anna.")
    assert system(with_uses(history, ChatUses(memory=False))) == "Hello"
    assert system(multi_user=True) == "Hello"
