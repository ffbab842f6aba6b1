"""What a tab asks for is done to the message that it shows, or not at all."""

from dataclasses import replace

import pytest

from modules.chat.session import session
from modules.library.chats.file import parse, stored
from modules.library.chats.history import History, Side
from modules.ui.chat.view import view_of
from modules.ui.replies.marks import ChangedElsewhere, marks_of
from tests.library.history_files import full


def talk(*rows: tuple[str, str]) -> History:
    history = History()
    for user, assistant in rows:
        history = session.with_message(history, user, timestamp="now")
        history = session.with_reply(history, assistant)
    return history


SHOWN = talk(("a", "b"), ("c", "d"), ("e", "f"))
FACTS = view_of(SHOWN, lambda attachment: "").facts
MARKS = marks_of(SHOWN, FACTS)


def test_what_did_not_change_is_meant_as_it_is_shown() -> None:
    for index, fact in enumerate(FACTS):
        assert MARKS.fact(index, SHOWN) == fact
    MARKS.check_end(SHOWN)
    assert MARKS.fact(len(FACTS), SHOWN) is None
    assert MARKS.fact("0", SHOWN) is None


@pytest.mark.parametrize("changed", [0, 1, 2])
def test_only_what_was_changed_is_refused(changed: int) -> None:
    now = session.edited(SHOWN, changed, Side.ASSISTANT, "other words", timestamp="later")
    for index, fact in enumerate(FACTS):
        if (fact.row, fact.side) == (changed, Side.ASSISTANT):
            with pytest.raises(ChangedElsewhere):
                MARKS.fact(index, now)
        else:
            assert MARKS.fact(index, now) == fact


def test_what_was_removed_or_moved_is_refused() -> None:
    shorter, _ = session.removed_last(SHOWN)
    with pytest.raises(ChangedElsewhere):
        MARKS.fact(len(FACTS) - 1, shorter)
    with pytest.raises(ChangedElsewhere):
        MARKS.check_end(shorter)
    moved = replace(SHOWN, rows=SHOWN.rows[1:])
    with pytest.raises(ChangedElsewhere):
        MARKS.fact(0, moved)


def test_what_was_added_leaves_the_others_and_moves_the_end() -> None:
    longer = session.with_message(SHOWN, "more", timestamp="later")
    assert MARKS.fact(0, longer) == FACTS[0]
    with pytest.raises(ChangedElsewhere):
        MARKS.check_end(longer)


def test_another_version_is_another_message() -> None:
    two = session.edited(SHOWN, 2, Side.ASSISTANT, "f2", timestamp="later")
    marks = marks_of(two, view_of(two, lambda attachment: "").facts)
    with pytest.raises(ChangedElsewhere):
        marks.check_end(session.with_version(two, 2, Side.ASSISTANT, 0))


def test_a_conversation_out_of_its_file_has_the_same_marks() -> None:
    """Also after regenerating, where an unfinished version stands beside others for a while."""
    for history in (
        SHOWN,
        session.edited(SHOWN, 2, Side.ASSISTANT, "f2", timestamp="later"),
        twice(SHOWN),
        parse(full(), "full"),
    ):
        facts = view_of(history, lambda attachment: "").facts
        marks, read = marks_of(history, facts), parse(stored(history), "file")
        assert marks == marks_of(read, facts)


def twice(history: History) -> History:
    return session.with_reply(session.begin_regeneration(history), "another reply")
