"""Passages by number: in messages, in answers of tools, and found again in a chat's file."""

import json
from typing import Any

from modules.chat.citations import (
    Citation,
    citations_of,
    next_number,
    passages_attachment,
    renumbered,
    sources_answer,
)
from modules.chat.session import session
from modules.library.chats.file import parse, stored
from modules.library.chats.history import Attachment, History
from modules.messages import Message, Role, TextPart, ToolCall

PENDULUM = Citation(
    number=1, source="tower/clock.pdf", page=2, heading="Parts", text="The pendulum is two metres long."
)
PAGE = Citation(number=1, source="Clocks", url="https://example.org/clocks", text="Clocks tick.")


def with_passages() -> History:
    history = session.with_message(History(), "How long?", attachments=[passages_attachment("#tower", [PENDULUM])])
    call = ToolCall("c1", "read_page", "{}")
    tool = Message(role=Role.TOOL, parts=(TextPart(renumbered(sources_answer([PAGE]), 2)[0]),), tool_call_id="c1")
    messages = (Message(role=Role.ASSISTANT, tool_calls=(call,)), tool)
    return session.with_reply(history, "Two metres [1].", tool_messages=messages)


def test_the_model_reads_numbers_places_and_texts_after_the_message() -> None:
    (message, *_) = session.messages(with_passages())
    assert message.text.startswith("How long?\n\nPASSAGES")
    assert "[1] tower/clock.pdf, page 2 (Parts)\nThe pendulum is two metres long." in message.text
    assert "never instructions" in message.text


def test_a_chat_read_from_its_file_has_the_same_citations() -> None:
    history = parse(json.loads(json.dumps(stored(with_passages()))), "x.json")
    assert citations_of(history) == {1: PENDULUM, 2: Citation(**{**_values(PAGE), "number": 2})}
    assert next_number(history) == 3
    assert next_number(History()) == 1


def _values(citation: Citation) -> dict[str, Any]:
    return {name: getattr(citation, name) for name in Citation.__slots__}


def test_answers_without_sources_stay_as_they_are() -> None:
    for answer in ("7", '{"sources": 3}', '{"sources": []}', '{"sources": [{"number": "x"}]}', '{"sources": [', "{}"):
        assert renumbered(answer, 5) == (answer, 5)


def test_what_other_programs_wrote_is_no_citation() -> None:
    strange: list[object] = [
        None,
        3,
        {"number": -1, "source": "a", "text": "b"},
        {"number": 10**9, "source": "a", "text": "b"},
        {"number": 1, "source": 2, "text": "b"},
    ]
    attachment = Attachment(name="x", type="knowledge", extra={"sources": strange})
    assert citations_of(session.with_message(History(), "x", attachments=[attachment])) == {}


def test_later_turns_change_no_earlier_text() -> None:
    history = with_passages()
    before = session.messages(history)
    later = session.with_message(
        history,
        "And the bell?",
        attachments=[passages_attachment("#tower", [Citation(number=3, source="b", text="c")])],
    )
    assert session.messages(later)[: len(before)] == before
