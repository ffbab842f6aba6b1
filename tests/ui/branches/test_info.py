"""The Info tab: what is told of the last reply, and its receipt."""

import json

from modules.chat.session.tree import end_digest, nodes_of
from modules.engine.types import Usage
from modules.events import Content, Done, FinishReason, ReplyFacts, Started
from modules.library.chats.arrangement import ChatOrigin
from modules.library.chats.file import parse, stored
from modules.library.chats.history import ChatTurn, History, Row
from modules.library.chats.organised import LinkedChat
from modules.sampling import Sampling
from modules.ui.branches.info import LinkedChats, receipt_rows, told
from modules.ui.page.languages import speaking
from modules.ui.replies.draft import Drafting

FACTS = ReplyFacts(
    prompts=("ab12",),
    template="cd34",
    model="ef56",
    seeds=(7,),
    sampling=Sampling(temperature=0.5),
    constraint="gbnf",
    replay=(("ctx_size", 512),),
)
USAGE = Usage(
    prompt_tokens=1000,
    completion_tokens=9,
    cached_tokens=600,
    disk_tokens=200,
    shared_tokens=100,
    accepted_tokens=3,
    rejected_tokens=1,
    forced_tokens=2,
    queue_ms=0.5,
    prefill_ms=12.25,
    decode_ms=1500.0,
)
STARTED = Started(
    model="m", prompt_tokens=1000, repairs=("counters-removed",), unsupported=("mirostat_mode",), facts=FACTS
)


def reply(*events: Started | Content | Done) -> ChatTurn:
    """As it is read again from its file."""
    drafting = Drafting()
    for event in events:
        drafting.add(event)
    turn = ChatTurn(text="a", visible="a", outcome=drafting.draft.outcome)
    return parse(json.loads(json.dumps(stored(History(rows=(Row(assistant=turn),))))), "chat").rows[0].assistant


def test_a_reply_keeps_its_receipt() -> None:
    done = Done(index=0, reason=FinishReason.STOP, usage=USAGE)
    turn = reply(STARTED, Content(index=0, text="a"), done)
    shown = json.loads(told([], turn, ()))
    assert shown["receipt"]["ignored"] == ["mirostat_mode"]
    assert shown["receipt"]["sampling"]["temperature"] == 0.5
    assert shown["receipt"]["settings"] == {"ctx_size": 512}
    rows = dict(shown["reply"])
    assert [rows[f"Prompt tokens {name}"] for name in ("computed", "found in RAM", "found on disk")] == [
        "400",
        "300",
        "200",
    ]
    assert rows["Prompt tokens shared with other requests"] == "100"
    assert [rows[name] for name in ("Tokens drafted", "Drafted tokens accepted", "Tokens forced by the format")] == [
        "4",
        "3",
        "2",
    ]
    assert [rows[f"{name} time"] for name in ("Queue", "Prefill", "Decode")] == ["0.5 ms", "12.2 ms", "1,500.0 ms"]
    assert (rows["Format enforced"], rows["Changes to the conversation"], rows["Seed"]) == (
        "gbnf",
        "counters-removed",
        "7",
    )
    hashes = ("SHA-256 of the prompt", "SHA-256 of the template", "Digest of the model")
    assert [rows[name] for name in hashes] == ["ab12", "cd34", "ef56"]
    with speaking("de"):
        assert ("Seed", "7") in receipt_rows(turn.outcome.receipt)
        assert ("Berechnete Token des Prompts", "400") in receipt_rows(turn.outcome.receipt)


def test_one_that_is_not_done_has_none_of_the_answer_before() -> None:
    done = Done(index=0, reason=FinishReason.TOOL_CALLS, usage=USAGE)
    turn = reply(STARTED, Content(index=0, text="a"), done, STARTED, Content(index=0, text="b"))
    assert json.loads(told([], turn, ()))["receipt"] is None


def test_a_file_may_hold_anything_where_a_receipt_stands() -> None:
    assert receipt_rows({"prompt": 3, "completion": {"drafted": "many"}, "seeds": [{}], "repairs": None}) == []


def test_other_chats_stand_where_they_branched_off() -> None:
    rows = tuple(Row(user=ChatTurn(text=text), assistant=ChatTurn(text=text.upper())) for text in "ab")
    origin = ChatOrigin(chat="me", row=0, digest=end_digest(History(rows=rows[:1])))
    branches = (LinkedChat(id="off", title="Off", origin=origin),)
    parent = LinkedChat(id="up", title="Up", origin=ChatOrigin(chat="up", row=3))
    shown = json.loads(told(nodes_of(History(rows=rows)), None, (), LinkedChats(parent, branches)))["nodes"]
    assert [each["t"] for each in shown] == ["Up", "a", "A", "Off", "b", "B"]
    assert [each.get("c") for each in shown] == ["up", None, None, "off", None, None]
    assert (shown[0]["s"], shown[0]["r"], shown[3]["s"]) == ("parent", 3, "branch")
    # Without any message, too.
    assert [each["t"] for each in json.loads(told([], None, (), LinkedChats(parent, branches)))["nodes"]] == [
        "Up",
        "Off",
    ]
