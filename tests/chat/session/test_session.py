"""Every act on a conversation: what it makes of the history, and that nothing else of it changes."""

import pytest

from modules.chat.session import session
from modules.errors import BadRequest
from modules.library.chats.file import parse, stored
from modules.library.chats.history import Attachment, ChatTurn, History, Row, Side
from modules.messages import ImagePart, Message, Role, TextPart, ToolCall, text_message
from tests.library.history_files import PIXEL, full

CALLS = (
    Message(role=Role.ASSISTANT, tool_calls=(ToolCall("1", "f", "{}"),)),
    Message(role=Role.TOOL, parts=(TextPart("42"),), tool_call_id="1"),
)


def talk(*pairs: tuple[str, str]) -> History:
    history = History()
    for question, answer in pairs:
        history = session.with_reply(session.with_message(history, question), answer)
    return history


def texts(history: History) -> list[tuple[str, str]]:
    return [(row.user.text, row.assistant.text) for row in history.rows]


def versions(history: History, row: int = -1) -> list[str]:
    return [version.text for version in session.versions_of(history.rows[row].assistant)]


def test_a_message_waits_for_its_reply() -> None:
    history = session.with_message(talk(("a", "b")), "<c>", timestamp="now")
    assert texts(history) == [("a", "b"), ("<c>", "")]
    assert history.rows[1].user == ChatTurn(text="<c>", visible="&lt;c&gt;", timestamp="now")


def test_a_reply_grows_in_its_place() -> None:
    history = session.with_message(talk(("a", "b")), "c")
    for text in ("d", "d e"):
        history = session.with_reply(
            history, text, model="m", tool_messages=CALLS, timestamp="t", tokens=3, seconds=0.5
        )
    turn = history.rows[1].assistant
    assert texts(history) == [("a", "b"), ("c", "d e")]
    assert (turn.model, turn.tool_messages, turn.timestamp, turn.tokens, turn.seconds) == ("m", CALLS, "t", 3, 0.5)
    assert turn.versions == ()


def test_what_is_shown_may_differ() -> None:
    history = session.with_reply(session.with_message(History(), "a", visible="A"), "b", visible="B")
    assert (history.rows[0].user.visible, history.rows[0].assistant.visible) == ("A", "B")


def test_a_reply_needs_a_row() -> None:
    with pytest.raises(BadRequest, match="no message"):
        session.with_reply(History(), "a")


def test_regeneration_keeps_what_there_was() -> None:
    history = session.begin_regeneration(talk(("a", "b")))
    assert texts(history) == [("a", "")]
    assert session.messages(history) == (text_message(Role.USER, "a"),)
    history = session.with_reply(session.with_reply(history, "c"), "c d", model="m")
    assert versions(history) == ["b", "c d"]
    assert history.rows[0].assistant.version == 1
    again = session.with_reply(session.begin_regeneration(history), "e")
    assert versions(again) == ["b", "c d", "e"]
    assert session.versions_of(again.rows[0].assistant)[1].model == "m"


def test_regeneration_of_an_older_version_adds_to_all() -> None:
    history = session.with_reply(session.begin_regeneration(talk(("a", "b"))), "c")
    history = session.begin_regeneration(session.with_version(history, 0, Side.ASSISTANT, 0))
    history = session.with_reply(history, "d")
    assert versions(history) == ["b", "c", "d"]


def test_a_message_without_reply_has_nothing_to_keep() -> None:
    waiting = session.with_message(History(), "a")
    assert session.begin_regeneration(waiting) == waiting


def test_a_regeneration_that_came_to_nothing() -> None:
    before = session.with_reply(session.begin_regeneration(talk(("a", "b"))), "c")
    assert session.without_empty_reply(session.begin_regeneration(before)) == before
    waiting = session.with_message(before, "d")
    assert session.without_empty_reply(waiting) == waiting
    assert session.without_empty_reply(History()) == History()


def test_greetings_are_not_regenerated() -> None:
    with pytest.raises(BadRequest, match="greeting"):
        session.begin_regeneration(session.greeted("Hello"))
    with pytest.raises(BadRequest, match="no message"):
        session.begin_regeneration(History())


def test_versions_bring_back_all_that_belongs_to_them() -> None:
    history = session.with_reply(session.with_message(History(), "a"), "b", tool_messages=CALLS, model="m", tokens=9)
    history = session.with_reply(session.begin_regeneration(history), "c", model="n")
    assert history.rows[0].assistant.tool_messages == ()
    history = session.with_version(history, 0, Side.ASSISTANT, 0)
    turn = history.rows[0].assistant
    assert (turn.text, turn.tool_messages, turn.model, turn.tokens) == ("b", CALLS, "m", 9)
    assert versions(history) == ["b", "c"]


@pytest.mark.parametrize("index", [-1, 1])
def test_versions_that_are_not_there(index: int) -> None:
    with pytest.raises(BadRequest, match=f"no version {index}") as caught:
        session.with_version(talk(("a", "b")), 0, Side.USER, index)
    assert caught.value.param == "version"


def test_an_edit_is_a_version() -> None:
    history = session.edited(talk(("a", "b"), ("c", "d")), 0, Side.USER, "<x>", timestamp="now")
    turn = history.rows[0].user
    assert (turn.text, turn.visible, turn.timestamp) == ("<x>", "&lt;x&gt;", "now")
    assert [version.text for version in turn.versions] == ["a", "<x>"]
    assert texts(history) == [("<x>", "b"), ("c", "d")]
    assert texts(session.with_version(history, 0, Side.USER, 0)) == [("a", "b"), ("c", "d")]


def test_an_edit_keeps_attachments_and_calls() -> None:
    attachment = Attachment(name="a.txt", type="text/plain", content="x")
    history = session.with_reply(
        session.with_message(History(), "a", attachments=[attachment]), "b", tool_messages=CALLS
    )
    history = session.edited(session.edited(history, 0, Side.USER, "c"), 0, Side.ASSISTANT, "d")
    assert history.rows[0].user.attachments == (attachment,)
    assert history.rows[0].assistant.tool_messages == CALLS


def test_an_edit_that_changes_nothing() -> None:
    history = talk(("a", "b"))
    assert session.edited(history, 0, Side.ASSISTANT, "b", timestamp="now") is history


@pytest.mark.parametrize("row", [-1, 1])
def test_rows_that_are_not_there(row: int) -> None:
    with pytest.raises(BadRequest, match=f"no message {row}"):
        session.edited(talk(("a", "b")), row, Side.USER, "c")
    with pytest.raises(BadRequest, match=f"no message {row}"):
        session.branched(talk(("a", "b")), row)


def test_removing_gives_the_message_back() -> None:
    assert session.removed_last(talk(("a", "b"), ("c", "d"))) == (talk(("a", "b")), "c")
    assert session.removed_last(History()) == (History(), "")
    assert session.removed_last(session.greeted("Hello")) == (session.greeted("Hello"), "")


def test_a_branch_ends_with_its_row() -> None:
    history = talk(("a", "b"), ("c", "d"), ("e", "f"))
    assert texts(session.branched(history, 1)) == [("a", "b"), ("c", "d")]


def test_dummies() -> None:
    assert texts(session.with_dummy_message(talk(("a", "b")), "c")) == [("a", "b"), ("c", "")]
    assert texts(session.with_dummy_reply(session.with_dummy_message(History(), "c"), "d")) == [("c", "d")]
    assert texts(session.with_dummy_reply(talk(("a", "b")), "d")) == [("a", "b"), ("", "d")]
    assert texts(session.with_dummy_reply(History(), "d")) == [("", "d")]


def test_a_greeting_opens_a_conversation() -> None:
    assert session.greeted("") == History()
    (row,) = session.greeted("<Hello>").rows
    assert row.is_greeting
    assert row.assistant.visible == "&lt;Hello&gt;"
    edited = session.edited(session.greeted("Hello"), 0, Side.ASSISTANT, "Hi")
    assert edited.rows[0].is_greeting
    with pytest.raises(BadRequest, match="no message of the user"):
        session.edited(edited, 0, Side.USER, "Hi")


def test_the_model_gets_all_that_was_said() -> None:
    history = session.with_message(session.greeted("Hello"), "a")
    history = session.with_reply(history, "<think>t</think>b", tool_messages=CALLS)
    history = session.with_message(session.with_dummy_reply(history, "c"), "d")
    assert session.messages(history) == (
        text_message(Role.ASSISTANT, "Hello"),
        text_message(Role.USER, "a"),
        *CALLS,
        text_message(Role.ASSISTANT, "<think>t</think>b"),
        text_message(Role.ASSISTANT, "c"),
        text_message(Role.USER, "d"),
    )


def test_attachments_are_laid_out_around_the_text() -> None:
    message = session.messages(parse(full(), "x.json"))[-2]
    picture, text = message.parts
    assert isinstance(picture, ImagePart)
    assert picture.source.startswith("data:image/png;base64,iVBOR")
    assert text == TextPart(
        "See these\n\nATTACHMENTS:\n\n"
        "File: a.pdf\n=====\npages\n=====\n\n"
        "File: b.docx\n=====\nparagraphs\n=====\n\n"
        "File: c.txt\n=====\nlines\n=====\n\n"
        "File: Page\nURL: https://example.org/\n=====\nwords\n====="
    )


def test_a_message_of_nothing_but_a_picture() -> None:
    history = session.with_message(History(), "", attachments=[Attachment(name="a", type="image", image_data=PIXEL)])
    (message,) = session.messages(history)
    assert [type(part) for part in message.parts] == [ImagePart]


def test_pictures_stay_with_their_message_whatever_is_done_to_it() -> None:
    picture = Attachment(name="a", type="image", image_data=PIXEL)
    history = session.with_reply(session.with_message(History(), "a", attachments=[picture]), "b")
    history = session.with_reply(session.with_message(history, "c", attachments=[picture]), "d")
    edited = session.edited(history, 0, Side.USER, "new")
    for changed, texts in (
        (edited, ["new", "c"]),
        (session.with_version(edited, 0, Side.USER, 0), ["a", "c"]),
        (session.begin_regeneration(edited), ["new", "c"]),
        (session.with_reply(session.begin_regeneration(edited), "e"), ["new", "c"]),
        (session.branched(edited, 0), ["new"]),
        (session.removed_last(edited)[0], ["new"]),
    ):
        asked = [message.parts for message in session.messages(changed) if message.role is Role.USER]
        assert asked == [(ImagePart(PIXEL), TextPart(text)) for text in texts]


def test_past_attachments_may_be_left_out() -> None:
    picture = Attachment(name="a", type="image", image_data=PIXEL)
    history = session.with_reply(session.with_message(History(), "a", attachments=[picture]), "b")
    history = session.with_message(history, "c", attachments=[picture])
    counts = [len(message.parts) for message in session.messages(history, include_past_attachments=False)]
    assert counts == [1, 1, 2]
    assert [len(message.parts) for message in session.messages(history)] == [2, 1, 2]


@pytest.mark.parametrize(
    "data", ["", "https://example.org/a.png", "data:text/html;base64,PGI+", "data:image/png;base64,!"]
)
def test_pictures_that_are_none(data: str) -> None:
    history = History(
        rows=(Row(user=ChatTurn(attachments=(Attachment(name="a.png", type="image", image_data=data),))),)
    )
    with pytest.raises(BadRequest, match=r"a\.png"):
        session.messages(history)


def test_acts_survive_the_file() -> None:
    history = session.with_reply(session.begin_regeneration(parse(full(), "x.json")), "other", model="m")
    history = session.edited(history, 1, Side.USER, "What?", timestamp="now")
    assert parse(stored(history), "x.json") == history
