"""Text to tokens and back: any text, control tokens only where they are meant."""

import pytest

from tests.backends.contract.subjects import Subject
from tests.streams import whole

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a",
        " a  b\n\n\tc ",
        "né e\u0301",
        "🙂👩‍💻🏳️‍🌈",
        "日本語 한국어 עברית",
        "a\0b",
        "\ufeff\u200b\ufdd0",
        "x" * 5000,
    ],
    ids=["empty", "space", "letter", "spaces", "accents", "emoji", "scripts", "nul", "invisible", "long"],
)
async def test_every_text_comes_back(subject: Subject, text: str) -> None:
    tokens = await subject.engine.tokenize(text, special=False)
    assert await subject.engine.detokenize(tokens) == text
    assert all(0 <= token < subject.engine.card.vocabulary for token in tokens)


async def test_half_a_surrogate_pair_breaks_nothing(subject: Subject) -> None:
    tokens = await subject.engine.tokenize("a\ud83dz", special=False)
    text = await subject.engine.detokenize(tokens)
    assert (text[0], text[-1]) == ("a", "z")


async def test_control_texts_are_control_tokens_only_where_asked(subject: Subject) -> None:
    control = subject.engine.card.control_tokens[-1]
    (token,) = await subject.engine.tokenize(control, special=True)
    letters = await subject.engine.tokenize(control, special=False)
    assert token not in letters
    assert len(letters) > 1
    for tokens in ([token], letters):
        assert await subject.engine.detokenize(tokens) == control


async def test_the_card_tells_the_truth(subject: Subject) -> None:
    card = subject.engine.card
    assert card.eos_ids
    assert all(0 <= token < card.vocabulary for token in card.eos_ids)
    for control in card.control_tokens:
        assert len(await subject.engine.tokenize(control, special=True)) == 1
    assert card.eos_token in card.control_tokens


async def test_characters_that_tokens_divide_are_whole(subject: Subject) -> None:
    generation = await subject.generation(ignore_eos=True, max_tokens=60)
    reply = await whole(subject.engine, generation)
    assert "\ufffd" not in reply.text
    assert len(reply.tokens) == 60
