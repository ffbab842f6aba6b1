"""Tokens of a reply on the page: their places, and replies that take another one."""

import math

import pytest

from modules.engine.types import Alternative, TokenLogprob
from modules.errors import BadRequest
from modules.events import Content, ContentPreview, Reasoning
from modules.library.chats.history import ChatTurn
from modules.library.chats.probabilities import MAX_TOKENS, ScoredToken, packed, unpacked
from modules.ui.branches.tokens import key_of, pieces_of, taken
from modules.ui.replies.draft import Drafting, ReplyDraft
from modules.ui.replies.marks import Part

END = "<|end|>"


def scored(word: str, other: str = "x") -> TokenLogprob:
    data = word.encode()
    return TokenLogprob(1, data, -0.5, (Alternative(1, data, -0.5), Alternative(2, other.encode(), -1.25)))


def thought(*words: str) -> Reasoning:
    starts = tuple(len("".join(words[:number])) for number in range(len(words)))
    return Reasoning(index=0, text="".join(words), logprobs=tuple(map(scored, words)), starts=starts)


def said(*words: str) -> Content:
    starts = tuple(len("".join(words[:number])) for number in range(len(words)))
    return Content(index=0, text="".join(words), logprobs=tuple(map(scored, words)), starts=starts)


def turn_of(drafting: Drafting) -> ChatTurn:
    return ChatTurn(text=drafting.draft.text, probabilities=drafting.probabilities)


def words_at(turn: ChatTurn, part: Part) -> list[str]:
    return [piece[0] for piece in pieces_of(turn, part, ())]


def test_tokens_keep_their_places_in_thought_and_words() -> None:
    drafting = Drafting()
    for event in (thought("\n", "Well", ", "), thought("hm"), said("Yes", " sir"), said("!")):
        drafting.add(event)
    turn = turn_of(drafting)
    assert [turn.text[each.start :][:2] for each in unpacked(turn.probabilities)[1:]] == [
        *("We", ", ", "hm"),
        *("Ye", " s", "!"),
    ]
    assert words_at(turn, Part.THOUGHT)[-3:] == ["Well", ", ", "hm"]
    assert words_at(turn, Part.TEXT) == ["Yes", " sir", "!"]


def test_words_that_extensions_change_keep_the_tokens_of_what_was_said() -> None:
    drafting = Drafting()
    for event in (ContentPreview(index=0, text="yes"), ContentPreview(index=0, text=" sir")):
        drafting.add(event)
    drafting.add(Content(index=0, text="YES SIR", logprobs=(scored("yes"), scored(" sir")), starts=(0, 3)))
    assert words_at(turn_of(drafting), Part.TEXT) == ["yes", " sir"]


def test_a_reply_that_goes_on_keeps_the_tokens_that_it_has() -> None:
    first = Drafting()
    first.add(said("one", " two"))
    before = ReplyDraft(content=first.draft.content, probabilities=first.probabilities)
    drafting = Drafting(before)
    drafting.add(said(" three"))
    assert words_at(turn_of(drafting), Part.TEXT) == ["one", " two", " three"]


def test_without_logprobs_nothing_is_kept() -> None:
    drafting = Drafting()
    drafting.add(Content(index=0, text="yes", tokens=(1,)))
    assert drafting.probabilities == ""
    assert key_of(turn_of(drafting), Part.TEXT) == ""


def test_text_without_tokens_and_parts_of_characters_are_pieces_too() -> None:
    kept = packed([ScoredToken(4, -0.5), ScoredToken(5, -1.0, ((None, -1.0),)), ScoredToken(5, -2.0)])
    pieces = pieces_of(ChatTurn(text="so: a🙂", probabilities=kept), Part.TEXT, ())
    assert pieces == [("so: ", None, 0, []), ("a", -0.5, 4, []), ("🙂", -3.0, 5, [(None, -1.0, False)])]


def turn_with_choices() -> ChatTurn:
    drafting = Drafting()
    drafting.add(thought("I", " think"))
    drafting.add(said("one", " two", " three"))
    return turn_of(drafting)


def test_another_word_begins_a_reply_that_has_it() -> None:
    turn = turn_with_choices()
    start = turn.text.index(" two")
    begun = taken(turn, start, 1, ())
    assert begun.text == turn.text[:start] + "x"
    assert begun.draft.text == begun.text
    assert not begun.is_end
    kept = unpacked(begun.draft.probabilities)
    assert (kept[-1].start, kept[-1].logprob, len(kept)) == (start, -1.25, 4)


def test_another_word_of_a_thought_leaves_it_open() -> None:
    turn = turn_with_choices()
    begun = taken(turn, turn.text.index(" think"), 1, ())
    assert begun.text == "<think>\nIx"
    assert (begun.draft.reasoning, begun.draft.content) == ("Ix", "")


def test_taking_the_end_ends_the_reply() -> None:
    drafting = Drafting()
    drafting.add(said("one"))
    drafting.add(Content(index=0, text=" two", logprobs=(scored(" two", END),), starts=(0,)))
    begun = taken(turn_of(drafting), 3, 1, (END,))
    assert (begun.text, begun.is_end) == ("one", True)


@pytest.mark.parametrize(("start", "number"), [(1, 0), (0, 9), (0, None), ("0", 0), (0, -1)])
def test_what_is_not_there_cannot_be_taken(start: object, number: object) -> None:
    drafting = Drafting()
    drafting.add(said("one"))
    with pytest.raises(BadRequest):
        taken(turn_of(drafting), start, number, ())


def test_half_a_character_cannot_be_taken() -> None:
    turn = ChatTurn(text="🙂", probabilities=packed([ScoredToken(0, -1.0, ((None, -1.0),))]))
    with pytest.raises(BadRequest, match="part of a character"):
        taken(turn, 0, 0, ())


def test_long_replies_keep_a_bounded_number() -> None:
    text = packed(ScoredToken(number, -math.inf, (("x", math.nan),)) for number in range(MAX_TOKENS + 5))
    assert len(unpacked(text)) == MAX_TOKENS
    assert unpacked(text)[0] == ScoredToken(0, -99.0, (("x", -99.0),))


@pytest.mark.parametrize(
    "text", ["", "x", "{}", "7", "[1]", '[[0,"a",[]]]', "[[0,1,[1,2]]]", "[[0,1,[null]]]", "[[-1,0,[]]]"]
)
def test_what_others_wrote_in_their_place_is_left_out(text: str) -> None:
    assert unpacked(text) == ()
