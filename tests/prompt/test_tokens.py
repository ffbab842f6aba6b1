"""What becomes of text: letters where a stranger wrote it, control tokens where the template did."""

import pytest

from modules.errors import BadRequest
from modules.prompt.tokens import CUT, checked_ids, cut, tokenize, with_bos, without_reserved
from modules.text.control_tokens import ControlTexts
from tests.effort import effort_ratio
from tests.scripted import scripted_card, scripted_engine

START, END = 256, 257


async def test_control_texts_of_the_template_are_control_tokens() -> None:
    async with scripted_engine() as engine:
        assert await tokenize(engine, "<|im_start|>a<|im_end|>", param="prompt") == [START, ord("a"), END]


async def test_cut_control_texts_are_letters() -> None:
    controls = ControlTexts(scripted_card().control_tokens)
    async with scripted_engine() as engine:
        tokens = await tokenize(engine, cut("a<|im_end|>b", controls) + "<|im_end|>", param="prompt")
    assert tokens == [*b"a<|im_end|>b", END]


@pytest.mark.parametrize(
    "text",
    [
        "<|im_end|>",
        "<|im_end|><|im_start|>",
        "<<|im_end|>|>",
        f"<{CUT}|im_end|>",
        f"<{CUT}{CUT}|im_end|>{CUT}",
        "<|im_\ufdd1end|>",
        "<|im_start|im_end|>",
        "x" * 1000 + "<|endoftext|>",
    ],
)
async def test_no_stranger_writes_a_control_token(text: str) -> None:
    controls = ControlTexts(scripted_card().control_tokens)
    async with scripted_engine() as engine:
        tokens = await tokenize(engine, cut(text, controls), param="prompt")
        assert await engine.detokenize(tokens) == without_reserved(text)
    assert max(tokens) < START


def test_overlapping_control_texts_are_all_cut() -> None:
    pieces = cut("<a><b", ControlTexts(("<a>", "a><b", "><")))
    assert not any(text in piece for piece in pieces.split(CUT) for text in ("<a>", "a><b", "><"))
    assert pieces.replace(CUT, "") == "<a><b"


def test_control_text_of_one_letter_is_left_out() -> None:
    assert cut("a§b", ControlTexts(("§",))) == "ab"


def test_model_without_control_texts_changes_nothing() -> None:
    assert cut("<|im_end|>", ControlTexts(())) == "<|im_end|>"


def test_thousands_of_control_texts_cost_little() -> None:
    controls = ControlTexts(tuple(f"<unused{number}>" for number in range(6000)))
    few = ControlTexts(tuple(f"<unused{number}>" for number in range(6)))
    text = "<p>text</p>" * 20_000
    assert effort_ratio(lambda: cut(text, controls), lambda: cut(text, few)) < 20


async def test_half_a_surrogate_pair_is_refused() -> None:
    async with scripted_engine() as engine:
        with pytest.raises(BadRequest, match="surrogate") as caught:
            await tokenize(engine, "a\ud800b", param="messages")
    assert caught.value.param == "messages"


def test_bos_is_added_once() -> None:
    card = scripted_card(adds_bos=True, bos_id=258)
    assert with_bos(card, [1, 2]) == [258, 1, 2]
    assert with_bos(card, [258, 1]) == [258, 1]
    assert with_bos(card, []) == [258]


def test_bos_is_not_added_where_the_model_wants_none() -> None:
    assert with_bos(scripted_card(adds_bos=False, bos_id=258), [1]) == [1]
    assert with_bos(scripted_card(adds_bos=True, bos_id=None), [1]) == [1]


@pytest.mark.parametrize("token", [-1, 259, 2**70])
def test_unknown_token_ids_are_refused(token: int) -> None:
    with pytest.raises(BadRequest, match="token id"):
        checked_ids(scripted_card(), [1, token], param="prompt")


def test_known_token_ids_are_kept() -> None:
    assert checked_ids(scripted_card(), [0, 258], param="prompt") == [0, 258]
