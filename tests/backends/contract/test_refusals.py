"""What cannot be done is refused with a reason, and hurts nobody."""

import asyncio
from typing import Any

import pytest

from modules.engine.types import Prompt
from modules.errors import BadRequest
from modules.sampling import Sampling
from tests.backends.contract.subjects import CONTEXT, Subject
from tests.streams import whole

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOO_LARGE = 10_000_000


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": Prompt(())},
        {"prompt": Prompt((1, -1))},
        {"prompt": Prompt((1, TOO_LARGE))},
        {"sampling": Sampling(logit_bias={-1: 1.0})},
        {"sampling": Sampling(logit_bias={TOO_LARGE: 1.0})},
        {"sampling": Sampling(banned_tokens=(-1,))},
        {"sampling": Sampling(banned_tokens=(TOO_LARGE,))},
    ],
    ids=["empty", "negative", "too large", "bias negative", "bias too large", "ban negative", "ban too large"],
)
async def test_bad_tokens(subject: Subject, fields: dict[str, Any]) -> None:
    beside = asyncio.create_task(whole(subject.engine, await subject.generation()))
    with pytest.raises(BadRequest) as refused:
        await whole(subject.engine, await subject.generation(**fields))
    assert refused.value.param is not None
    assert (await beside).text
    assert subject.engine.is_alive


async def test_a_prompt_that_leaves_no_room(subject: Subject) -> None:
    with pytest.raises(BadRequest) as refused:
        await whole(subject.engine, await subject.filled(CONTEXT))
    assert refused.value.code == "context_length_exceeded"
    assert str(CONTEXT) in refused.value.message


async def test_a_prompt_that_fills_the_context_can_be_scored(subject: Subject) -> None:
    reply = await whole(subject.engine, await subject.filled(CONTEXT, max_tokens=0, prompt_logprobs=0))
    assert reply.prompt_logprobs is not None
    assert len(reply.prompt_logprobs) == CONTEXT
    with pytest.raises(BadRequest):
        await whole(subject.engine, await subject.filled(CONTEXT + 1, max_tokens=0))


@pytest.mark.parametrize("token", [-1, TOO_LARGE])
async def test_unknown_tokens_have_no_text(subject: Subject, token: int) -> None:
    with pytest.raises(BadRequest):
        await subject.engine.detokenize([token])
