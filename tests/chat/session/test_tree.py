"""The branches of a conversation: all of them are in the tree, and every node of it leads to what it says."""

import pytest

from modules.chat.session import session
from modules.chat.session.tree import BranchNode, end_digest, nodes_of, place_of_branch, with_path
from modules.errors import BadRequest
from modules.library.chats.history import History, Side
from tests.chat.session.test_session import talk, texts


def branched() -> History:
    """Two turns, of which the first was asked in three ways; the second way has two answers."""
    history = talk(("a", "A"), ("b", "B"))
    history = session.with_reply(session.resent(history, 0, "a2"), "A2")
    history = session.with_reply(session.begin_regeneration(history), "<think>hm</think>A2 again")
    return session.with_reply(session.resent(history, 0, "a3"), "A3")


def shown(nodes: tuple[BranchNode, ...]) -> list[tuple[int, str]]:
    return [(node.level, node.text) for node in nodes]


def test_every_version_is_a_node_with_what_followed_it() -> None:
    assert shown(nodes_of(branched())) == [
        (0, "a3"),
        (1, "a"),
        (1, "A"),
        (1, "b"),
        (1, "B"),
        (1, "a2"),
        (1, "A2 again"),
        (2, "A2"),
        (0, "A3"),
    ]
    assert nodes_of(History()) == ()


def test_every_node_leads_to_its_branch_and_back() -> None:
    history = branched()
    for node in nodes_of(history):
        there = with_path(history, node.path, node.mark)
        turn = session.turn_at(there, node.row, node.side)
        assert turn.text.endswith(node.text)
        assert sorted(text for _, text in shown(nodes_of(there))) == sorted(
            text for _, text in shown(nodes_of(history))
        )
    first = next(node for node in nodes_of(history) if node.text == "b")
    assert texts(with_path(history, first.path, first.mark)) == [("a", "A"), ("b", "B")]
    assert with_path(history, (), "") == history


@pytest.mark.parametrize(
    ("path", "mark"),
    [
        ([(0, Side.USER, 9)], ""),
        ([(7, Side.USER, 0)], ""),
        ([(0, Side.USER, 0)], "of another text"),
        ([(0, Side.USER, 0)] * 300, ""),
    ],
)
def test_what_is_not_there_is_refused(path: list[tuple[int, Side, int]], mark: str) -> None:
    with pytest.raises(BadRequest):
        with_path(branched(), path, mark)


def test_a_chat_that_branched_off_is_found_at_its_message() -> None:
    history = talk(("a", "A"), ("b", "B"))
    off = end_digest(session.branched(history, 0))
    nodes = nodes_of(branched())
    # What it branched off is another version by now.
    assert nodes[place_of_branch(nodes, 0, off)].text == "A"
    assert nodes[place_of_branch(nodes, 1, end_digest(history))].text == "B"
    # What is gone was before the end of what is shown.
    assert nodes[place_of_branch(nodes, 7, "ab")].text == "A3"
    assert place_of_branch((), 0, off) == -1
    assert (end_digest(History()), place_of_branch(nodes_of(talk(("a", "A"))), 0, "")) == ("", 1)
