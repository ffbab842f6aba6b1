"""Every format that conversations have had opens, and what is saved back says the same."""

from typing import Any

import pytest

from modules.errors import BadRequest
from modules.library.chats.file import history_bytes, history_in, parse, stored
from modules.library.chats.history import ChatTurn, History, Row, Version, appended, chosen
from modules.library.chats.probabilities import ScoredToken, packed
from modules.messages import Message, Role, ToolCall, text_message
from tests.library.history_files import CALL, PIXEL, TOOL_SEQUENCE, full, legacy, without_metadata


def opened(content: object) -> History:
    return parse(content, "chat.json")


def one_reply(**metadata: object) -> dict[str, Any]:
    return {"internal": [["Hi", "text"]], "visible": [["Hi", "text"]], "metadata": {"assistant_0": metadata}}


def test_a_whole_file_is_read() -> None:
    greeting, calculation, attachments = opened(full()).rows
    assert greeting.is_greeting
    assert (greeting.user.text, greeting.assistant.text) == ("", "How can I help you today?")
    assert greeting.assistant.timestamp == "Nov 23, 2025 00:30"
    assert calculation.user.visible == "What is 6*7 &amp; why?"
    assert calculation.assistant.text == "<think>6*7</think>It is 42."
    assert calculation.assistant.model == "Qwen3-8B-Q4_K_M.gguf"
    assert calculation.assistant.version == 1
    assert [version.text for version in calculation.assistant.versions] == ["No idea.", calculation.assistant.text]
    assert [each.name for each in attachments.user.attachments] == ["dot.png", "a.pdf", "b.docx", "c.txt", "Page"]
    assert [each.is_image for each in attachments.user.attachments] == [True, False, False, False, False]
    assert attachments.user.attachments[0].image_data == PIXEL
    assert attachments.user.attachments[4].url == "https://example.org/"


def test_calls_of_tools_become_messages() -> None:
    call, result = opened(full()).rows[1].assistant.tool_messages
    assert call == Message(
        role=Role.ASSISTANT,
        parts=text_message(Role.ASSISTANT, "Let me see.").parts,
        tool_calls=(ToolCall("call_1", "calculate", '{"expression": "6*7"}'),),
    )
    assert (result.role, result.text, result.tool_call_id) == (Role.TOOL, "42", "call_1")


@pytest.mark.parametrize("content", [full(), without_metadata(), legacy()], ids=["full", "bare", "legacy"])
def test_what_is_saved_opens_as_the_same(content: dict[str, Any]) -> None:
    history = opened(content)
    assert opened(stored(history)) == history


def test_a_file_of_today_is_saved_as_it_was() -> None:
    written = stored(opened(full()))
    assert written["internal"] == full()["internal"]
    assert written["visible"] == full()["visible"]
    metadata = full()["metadata"]
    metadata["assistant_1"]["versions"][1]["model_name"] = "Qwen3-8B-Q4_K_M.gguf"
    assert written["metadata"] == metadata


def test_files_of_older_versions_are_saved_in_todays_format() -> None:
    written = stored(opened(legacy()))
    assert written["internal"] == [["<|BEGIN-VISIBLE-CHAT|>", "Welcome"], ["Hi", "Hello"]]
    assert written["visible"] == [["", "Welcome"], ["Hi", "Hello"]]
    assert "data" not in written
    assert "data_visible" not in written
    assert opened(legacy()).rows[1].user.timestamp == ""


def test_unknown_keys_survive_wherever_they_stand() -> None:
    content = full()
    content["theirs"] = {"a": [1]}
    content["metadata"]["about"] = "x"
    turn = content["metadata"]["assistant_1"]
    turn["pinned"] = True
    turn["versions"][0]["rating"] = 5
    content["metadata"]["user_2"]["attachments"][1]["pages"] = 3
    written: Any = stored(opened(content))
    assert written["theirs"] == {"a": [1]}
    assert written["metadata"]["about"] == "x"
    assert written["metadata"]["assistant_1"]["pinned"] is True
    assert written["metadata"]["assistant_1"]["versions"][0]["rating"] == 5
    assert written["metadata"]["user_2"]["attachments"][1]["pages"] == 3


def test_metadata_of_rows_that_are_gone_is_dropped() -> None:
    content = without_metadata()
    content["metadata"] = {"user_7": {"timestamp": "then", "attachments": []}}
    assert "user_7" not in str(stored(opened(content)))


def test_texts_that_are_not_shown_are_escaped() -> None:
    history = opened({"internal": [["a<b", None]]})
    assert history.rows == (Row(user=ChatTurn(text="a<b", visible="a&lt;b"), assistant=ChatTurn()),)


def test_counts_of_a_reply_are_kept() -> None:
    turn = opened(stored(History(rows=(Row(assistant=ChatTurn(text="x", visible="x", tokens=7, seconds=1.5)),)))).rows[
        0
    ]
    assert (turn.assistant.tokens, turn.assistant.seconds) == (7, 1.5)


@pytest.mark.parametrize(
    ("listed", "index", "texts", "version"),
    [
        (["old", "text"], 1, ["old", "text"], 1),
        (["te", "other"], 0, ["text", "other"], 0),
        (["old"], 0, ["old", "text"], 1),
        (["old", "text"], 9, ["old", "text"], 1),
        (["text", "new"], -3, ["text", "new"], 0),
    ],
    ids=["as listed", "grew since", "not listed yet", "index too high", "index too low"],
)
def test_the_text_of_the_row_counts(listed: list[str], index: int, texts: list[str], version: int) -> None:
    versions = [{"content": text, "visible_content": text} for text in listed]
    turn = opened(one_reply(versions=versions, current_version_index=index)).rows[0].assistant
    assert [each.text for each in turn.versions] == texts
    assert (turn.text, turn.version) == ("text", version)


def test_a_version_that_says_nothing_of_what_is_shown() -> None:
    turn = opened(one_reply(versions=[{"content": "<old>"}, {"content": "text"}], current_version_index=1)).rows[0]
    assert turn.assistant.versions[0] == Version(text="<old>", visible="&lt;old&gt;")


def test_arguments_as_an_object_become_text() -> None:
    call = {**CALL, "function": {"name": "f", "arguments": {"ü": 1}}}
    turn = opened(one_reply(tool_sequence=[{"tool_calls": [call]}])).rows[0].assistant
    assert turn.tool_messages[0].tool_calls[0].arguments == '{"ü": 1}'


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ([], "holds no chat"),
        ({}, "holds no chat"),
        ({"internal": 3}, "`internal` must be a list"),
        ({"internal": ["ab"]}, r"`internal\[0\]` must be a list of two texts"),
        ({"internal": [["a"]]}, "two texts"),
        ({"internal": [["a", {}]]}, "two texts"),
        ({"internal": [], "metadata": []}, "`metadata` must be a JSON object"),
        (one_reply(versions={}), "`assistant_0`: `versions` must be a list"),
        (one_reply(versions=[3]), "an entry of `versions` must be a JSON object"),
        (one_reply(tokens="many"), "`tokens` must be a number"),
        (one_reply(tokens=float("nan")), "`tokens` must be a number"),
        (one_reply(seconds=10**400), "`seconds` must be a number"),
        (one_reply(timestamp={}), "`timestamp` must be text"),
        (one_reply(tool_sequence=["x"]), "must be a JSON object"),
        (one_reply(tool_sequence=[{"tool_calls": [{}]}]), "has no name"),
        (one_reply(attachments=[{"name": [1]}]), "`name` must be text"),
    ],
)
def test_what_is_wrong_is_said(content: object, complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint) as caught:
        opened(content)
    assert "chat.json" in caught.value.message


def test_the_example_has_all_there_is() -> None:
    assert stored(opened(full()))["metadata"]["assistant_1"]["tool_sequence"] == TOOL_SEQUENCE  # type: ignore[index]


def test_probabilities_of_tokens_stand_once_and_open_again() -> None:
    scores = packed([ScoredToken(0, -0.5, (("yes", -0.5), ("no", -1.0)))])
    turn = appended(ChatTurn(text="no", visible="no"), Version(text="yes", visible="yes", probabilities=scores))
    for reply in (turn, ChatTurn(text="yes", visible="yes", probabilities=scores)):
        history = History(rows=(Row(user=ChatTurn(text="a", visible="a"), assistant=reply),))
        content = history_bytes(history)
        assert content.count(b"token_probabilities") == 1
        assert history_in(content, "a chat") == history
    assert chosen(turn, 0).probabilities == ""
