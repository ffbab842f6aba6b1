"""Drawing: what repeats, what differs, what is forced and what never comes."""

import pytest

from modules.sampling import Sampling
from tests.backends.contract.subjects import Subject
from tests.streams import whole

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def said(subject: Subject, sampling: Sampling) -> str:
    return (await whole(subject.engine, await subject.generation(sampling=sampling, ignore_eos=True))).text


async def test_a_seed_repeats_itself(subject: Subject) -> None:
    """On the same cache: a prompt that is read anew may differ from one that was cached in the last bits of a logit."""
    hot = Sampling(temperature=1.5, seed=7)
    _, first, again = [await said(subject, hot) for _ in range(3)]
    assert first == again


async def test_other_seeds_and_none_at_all_say_other_things(subject: Subject) -> None:
    if not subject.draws:
        assert await said(subject, Sampling(seed=1)) == await said(subject, Sampling(seed=2))
        return
    for seeds in ((1, 2, 3), (None, None, None)):
        assert len({await said(subject, Sampling(temperature=1.5, seed=seed)) for seed in seeds}) > 1


async def test_greedy_in_all_its_forms(subject: Subject) -> None:
    forms = (Sampling(temperature=0), Sampling(do_sample=False), Sampling(top_k=1))
    assert len({await said(subject, form) for form in forms}) == 1


async def test_bias_and_bans(subject: Subject) -> None:
    generation = await subject.generation(max_tokens=6)
    first = (await whole(subject.engine, generation)).tokens[0]
    forced = await subject.generation(max_tokens=6, sampling=Sampling(logit_bias={first: 100.0}))
    banned = await subject.generation(max_tokens=6, sampling=Sampling(temperature=0, banned_tokens=(first,)))
    if subject.draws:
        assert set((await whole(subject.engine, forced)).tokens) == {first}
        assert first not in (await whole(subject.engine, banned)).tokens
    else:
        assert (await whole(subject.engine, forced)).tokens == (await whole(subject.engine, generation)).tokens
