"""A prompt must leave room for its reply."""

import pytest

from modules.engine.types import Prompt
from modules.errors import BadRequest, ContextTooLong
from modules.prompt.tokens import fitted, reply_limit
from tests.scripted import scripted_card

CARD = scripted_card(context=10)


def test_prompt_that_leaves_one_token_fits() -> None:
    assert fitted(CARD, [1] * 9, param="messages") == Prompt((1,) * 9)


@pytest.mark.parametrize("length", [10, 11])
def test_prompt_without_room_for_a_reply_is_refused(length: int) -> None:
    with pytest.raises(ContextTooLong, match="maximum context length is 10 tokens") as caught:
        fitted(CARD, [1] * length, param="prompt")
    assert (caught.value.prompt_tokens, caught.value.context, caught.value.param) == (length, 10, "prompt")


def test_prompt_that_is_only_scored_may_fill_the_context() -> None:
    assert len(fitted(CARD, [1] * 10, param="prompt", room=0).tokens) == 10


def test_empty_prompt_is_refused() -> None:
    with pytest.raises(BadRequest, match="empty"):
        fitted(CARD, [], param="prompt")


@pytest.mark.parametrize(("wanted", "limit"), [(None, 6), (3, 3), (99, 6), (0, 0)])
def test_reply_is_limited_by_the_context(wanted: int | None, limit: int) -> None:
    assert reply_limit(CARD, Prompt((1,) * 4), wanted) == limit
