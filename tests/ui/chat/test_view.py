"""A conversation → messages for Gradio's component, and what the page knows of each."""

import html
import json
from typing import Any

import pytest
from gradio.components.chatbot import Message as ChatMessage

from modules.chat.session import session
from modules.library.chats.history import Attachment, History, Outcome, Side
from modules.messages import Message, Role, TextPart, ToolCall
from modules.ui.chat.view import APPROVALS, facts_json, live_messages, view_of, without_last_reply
from modules.ui.page.languages import speaking
from modules.ui.replies.draft import CallSoFar, ReplyDraft
from modules.ui.replies.marks import Part


def no_picture(attachment: Attachment) -> str:
    return ""


def texts(messages: list[ChatMessage]) -> list[tuple[str, str]]:
    return [(message.role, getattr(message.content[0], "text", "")) for message in messages]


def metadata(message: ChatMessage) -> dict[str, Any]:
    return dict(message.metadata or {})


def talk() -> History:
    history = session.with_message(History(), "Is <b> a tag?", timestamp="Nov 23, 2025 00:31")
    return session.with_reply(history, "<think>\nhm\n</think>\n\nYes, <b>.", model="m", tokens=10, seconds=2.0)


def test_thoughts_are_folded_and_tags_are_text() -> None:
    view = view_of(talk(), no_picture)
    assert texts(view.messages) == [
        ("user", "Is &#60;b> a tag?"),
        ("assistant", "hm"),
        ("assistant", "Yes, &#60;b>."),
    ]
    assert metadata(view.messages[1]) == {"title": "Thought", "status": "done"}
    assert [(fact.row, fact.side, fact.part) for fact in view.facts] == [
        (0, Side.USER, Part.TEXT),
        (0, Side.ASSISTANT, Part.THOUGHT),
        (0, Side.ASSISTANT, Part.TEXT),
    ]
    assert (view.facts[2].pace, view.facts[2].info) == ("5.0 tok/s · 10 tok", "m · 2.0 s in all")


@pytest.mark.parametrize(
    ("tokens", "seconds", "pace"),
    [
        (10, 4.0, "2.5 tok/s · 10 tok"),
        (999, 10.0, "99.9 tok/s · 999 tok"),
        (1000, 3.0, "333 tok/s · 1,000 tok"),
        (36594, 2.0, "18,297 tok/s · 36,594 tok"),
    ],
)
def test_pace_has_decimals_only_where_they_tell_something(tokens: int, seconds: float, pace: str) -> None:
    history = session.with_reply(session.with_message(History(), "Hi"), "Hello", tokens=tokens, seconds=seconds)
    assert view_of(history, no_picture).facts[-1].pace == pace


@pytest.mark.parametrize(
    ("waited", "shown"),
    [(0.0432, "0.043 s"), (0.362, "0.36 s"), (3.04, "3.04 s"), (12.34, "12.3 s"), (123.4, "123 s")],
)
def test_time_to_the_first_token_is_told_to_a_twentieth(waited: float, shown: str) -> None:
    outcome = Outcome(waited=waited, writing=1.0)
    history = session.with_reply(
        session.with_message(History(), "Hi"), "Hello", tokens=11, seconds=2.0, outcome=outcome
    )
    assert view_of(history, no_picture).facts[-1].pace == f"10.0 tok/s · 11 tok · {shown}"


@pytest.mark.parametrize(("language", "shown"), [("en", "Thought"), ("de", "Nachgedacht")])
def test_what_the_page_says_of_replies_is_in_its_language(language: str, shown: str) -> None:
    with speaking(language):
        view = view_of(talk(), no_picture)
    assert metadata(view.messages[1])["title"] == shown


def test_facts_are_found_by_number_only() -> None:
    view = view_of(talk(), no_picture)
    assert view.fact(2) is view.facts[2]
    assert [view.fact(index) for index in (-1, 3, "2", None, 1.0)] == [None] * 5


def test_the_script_gets_one_object_for_each_message() -> None:
    history = session.with_reply(session.begin_regeneration(talk()), "No.")
    told = json.loads(facts_json(view_of(history, no_picture).facts))
    assert [(each["s"], each["p"], each["v"], each["n"]) for each in told] == [
        ("user", "text", 1, 1),
        ("assistant", "text", 2, 2),
    ]


def test_a_greeting_has_no_message_before_it() -> None:
    view = view_of(session.greeted("Good day."), no_picture)
    assert [(each.version, each.versions) for each in view_of(session.greeted("a", "b", "c"), no_picture).facts] == [
        (0, 3)
    ]
    assert texts(view.messages) == [("assistant", "Good day.")]


def test_what_an_extension_made_of_a_reply_is_shown() -> None:
    history = session.with_reply(session.with_message(History(), "hi"), "hello", visible=html.escape("HELLO <3"))
    assert texts(view_of(history, no_picture).messages)[1] == ("assistant", "HELLO <3")


def test_attachments_stand_before_the_text() -> None:
    attachments = [
        Attachment(name="cat.png", type="image", image_data="data:image/png;base64,AAAA"),
        Attachment(name="a`b[c].txt", type="text/plain", content="words"),
    ]
    history = session.with_message(History(), "look", attachments=attachments)
    view = view_of(history, lambda attachment: "data:small")
    assert texts(view.messages)[0][1] == "![cat.png](data:small) `📎 a'b(c).txt`\n\nlook"
    unreadable = view_of(history, no_picture)
    assert texts(unreadable.messages)[0][1].startswith("`📎 cat.png`")


def test_calls_show_their_arguments_and_answers_and_cannot_leave_their_block() -> None:
    call = ToolCall("1", "add", '{"a": 1}')
    steps = (
        Message(role=Role.ASSISTANT, parts=(TextPart("let me see"),), tool_calls=(call,)),
        Message(role=Role.TOOL, parts=(TextPart("2\n```\n<script>"),), tool_call_id="1"),
    )
    history = session.with_reply(session.with_message(History(), "1+1?"), "It is 2.", tool_messages=steps)
    view = view_of(history, no_picture)
    shown = texts(view.messages)
    assert [text for _, text in shown[1:4:2]] == ["let me see", "It is 2."]
    assert metadata(view.messages[2])["title"] == "add(a: 1): 2 ___ _script_"
    assert shown[2][1].count("```") == 4
    assert [fact.part for fact in view.facts] == [Part.TEXT, Part.TOOL, Part.TOOL, Part.TEXT]


def test_a_call_that_waits_can_be_decided() -> None:
    call = ToolCall("1", "rm -rf <b>", "{}")
    (message,) = live_messages(ReplyDraft(calls=(CallSoFar(call=call, waits=True),)))
    assert [option["value"] for option in message.options or ()] == list(APPROVALS)
    assert metadata(message)["title"] == "Allow rm -rf _b_?"


def test_a_reply_that_is_written_says_how_far_it_is() -> None:
    assert texts(live_messages(ReplyDraft())) == [("assistant", "…")]
    assert texts(live_messages(ReplyDraft(reading=0.5))) == [("assistant", "Processing the prompt … 50%")]
    thinking = live_messages(ReplyDraft(reasoning="hm"))
    assert metadata(thinking[0]) == {"title": "Thinking …", "status": "pending"}
    assert texts(live_messages(ReplyDraft(reasoning="hm", content="so")))[1] == ("assistant", "so")


def test_without_its_last_reply_a_conversation_ends_with_the_message() -> None:
    assert [text for _, text in texts(view_of(without_last_reply(talk()), no_picture).messages)] == [
        "Is &#60;b> a tag?"
    ]
    assert without_last_reply(History()) == History()


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        ("7, 3 (sum 10)", "roll_dice(count: 2): 7, 3 (sum 10)"),
        ("Error: The tool broke.", "roll_dice(count: 2): failed, The tool broke."),
        ("The user did not allow this call.", "roll_dice(count: 2): rejected"),
    ],
)
def test_the_line_of_a_call_says_how_it_went(answer: str, title: str) -> None:
    steps = (
        Message(role=Role.ASSISTANT, tool_calls=(ToolCall("1", "roll_dice", '{"count": 2}'),)),
        Message(role=Role.TOOL, parts=(TextPart(answer),), tool_call_id="1"),
    )
    history = session.with_reply(session.with_message(History(), "roll"), "Done.", tool_messages=steps)
    assert metadata(view_of(history, no_picture).messages[1])["title"] == title
