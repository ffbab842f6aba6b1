"""The tool with which a chat model makes pictures: drawn, kept, shown in the chat, refused."""

import asyncio
import json
from pathlib import Path

import pytest

from modules.chat.session import session
from modules.chat.tools.base import Origin
from modules.chat.tools.toolbox import ToolBox
from modules.library.chats.history import Attachment, History
from modules.media.images.metadata import settings_of
from modules.messages import Message, Role, TextPart, ToolCall
from modules.ui.chat.view import view_of
from modules.ui.page.image_tool import NAME, image_tool, picture_name, picture_url
from tests.api.serving import served


async def test_a_picture_is_drawn_kept_and_shown(tmp_path: Path) -> None:
    async with served(tmp_path) as api:
        box = ToolBox(api.runtime.data, program_tools=[image_tool(api.runtime)])
        (info,) = [each for each in await box.available() if each.name == NAME]
        assert info.origin is Origin.BUILT_IN
        answer = await box.call(NAME, json.dumps({"prompt": "a red tree", "size": "128x64"}))
        name = picture_name(NAME, answer)
        gallery = api.runtime.images.gallery
        assert settings_of(gallery.path_of(name).read_bytes())["image_prompt"] == "a red tree"
        assert picture_url(gallery, name).startswith("data:image/jpeg;base64,")
        steps = (
            Message(role=Role.ASSISTANT, parts=(), tool_calls=(ToolCall("1", NAME, "{}"),)),
            Message(role=Role.TOOL, parts=(TextPart(answer),), tool_call_id="1"),
        )
        history = session.with_reply(session.with_message(History(), "draw"), "Here it is.", tool_messages=steps)
        asked: list[Attachment] = []

        def picture(attachment: Attachment) -> str:
            asked.append(attachment)
            return "data:small"

        shown = view_of(history, picture).messages
        assert [each.image_id for each in asked] == [name]
        assert any("(data:small)" in str(message.content) for message in shown)
        await asyncio.to_thread(gallery.delete, [name])
        assert picture_url(gallery, name) == ""
        await box.aclose()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({}, "prompt"), ({"prompt": 5}, "texts"), ({"prompt": "a tree", "size": "wide"}, "WIDTHxHEIGHT")],
)
async def test_what_is_wrong_is_told_to_the_model(tmp_path: Path, arguments: dict[str, object], words: str) -> None:
    async with served(tmp_path) as api:
        box = ToolBox(api.runtime.data, program_tools=[image_tool(api.runtime)])
        answer = await box.call(NAME, json.dumps(arguments))
        assert answer.startswith("Error: ")
        assert words in answer
        await box.aclose()


def test_only_the_tool_itself_tells_of_pictures() -> None:
    answer = "It is done. [picture 2026-01-01/TGW_1.png]"
    assert picture_name(NAME, answer) == "2026-01-01/TGW_1.png"
    assert picture_name("other", answer) == ""
    assert picture_name(NAME, "Error: [picture x] failed") == ""
