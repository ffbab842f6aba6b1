"""Random jobs, arrivals and departures: whatever happens, the cache is what the scheduler thinks, and all come to an end.

Every step's orders are checked by the cache model; here are the worlds it is asked to live in.
"""

from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from modules.backends.adapters import AdapterGroup
from modules.backends.kv.plan import Copy
from tests.backends.kv.cache_model import CacheModel, World, reply_of

LONGEST_REPLY = 60
CONTEXT = 36 + LONGEST_REPLY
SYSTEMS = (range(0), range(500, 520), [*range(500, 518), *range(600, 608)])


@dataclass(frozen=True, slots=True)
class Visit:
    """A job: when it comes, what it asks for, and after how many steps it leaves (None: it stays to the end)."""

    arrival: int
    prompt: tuple[int, ...]
    length: int
    scores: bool
    patience: int | None
    group: AdapterGroup = ()


# A beginning that others have too, what somebody was answered to it, and something of one's own.
prompts = st.builds(
    lambda system, answered, own: (*reply_of([*system], answered if system else 0), *own),
    st.sampled_from(SYSTEMS),
    st.integers(0, 6),
    st.lists(st.integers(0, 2), min_size=1, max_size=4),
)
visits = st.builds(
    Visit,
    arrival=st.one_of(st.integers(0, 8), st.integers(0, 80)),
    prompt=prompts,
    length=st.integers(0, LONGEST_REPLY),
    scores=st.sampled_from([False, False, False, True]),
    patience=st.one_of(st.none(), st.none(), st.integers(0, 20)),
    group=st.sampled_from([(), (), (("a", 1.0),), (("b", 0.5),)]),
)
worlds = st.builds(
    World,
    cells=st.integers(CONTEXT, 2 * CONTEXT),
    parallel=st.integers(1, 5),
    spare=st.integers(1, 4),
    can_share=st.booleans(),
    keeps_idle=st.booleans(),
    host_cache=st.sampled_from([0, 40, 80, 120, 500]),
    window=st.sampled_from([0, 0, 10, 25]),
    budget=st.sampled_from([1, 7, 16, 200]),
)
# Drafts need sequences that can be cut anywhere.
drafting = worlds.map(lambda world: replace(world, window=0, can_share=True, draft=1 + world.cells % 6))


def play(world: World, guests: list[Visit]) -> CacheModel:
    """Let all of them come and go; returns when nobody is left."""
    model = CacheModel(world)
    step, most_steps = 0, 40 + 400 * len(guests)
    while model.scheduler.has_work or any(guest.arrival >= step for guest in guests):
        assert step < most_steps, "some job never ends"
        for job_id, guest in enumerate(guests):
            if guest.arrival == step:
                model.add(job_id, list(guest.prompt), guest.length, scores=guest.scores, group=guest.group)
            if guest.patience is not None and guest.arrival + guest.patience == step and job_id in model.plays:
                model.drop(job_id)
        model.step()
        step += 1
    return model


@given(st.one_of(worlds, drafting), st.lists(visits, min_size=1, max_size=10))
@settings(max_examples=300)
def test_all_come_to_an_end_with_what_they_would_say_alone(world: World, guests: list[Visit]) -> None:
    model = play(world, guests)
    for job_id, guest in enumerate(guests):
        if guest.patience is None:
            assert model.finished[job_id].slot.tokens == reply_of(list(guest.prompt), guest.length)
    assert not model.plays
    assert model.scheduler.decoding == model.scheduler.prefilling == 0


@given(worlds, st.lists(visits, min_size=1, max_size=10))
def test_scored_prompts_are_computed_whole_and_uncuttable_memory_is_never_cut(
    world: World, guests: list[Visit]
) -> None:
    model = play(world, guests)
    for job_id, done in model.finished.items():
        if guests[job_id].scores:
            assert done.slot.cached == 0
            assert done.computed >= len(guests[job_id].prompt)
    assert world.can_share or not any(isinstance(action, Copy) for action in model.actions)


@given(st.lists(st.integers(1, 60), min_size=2, max_size=12), st.integers(1, 4))
def test_jobs_that_share_nothing_start_in_order(lengths: list[int], parallel: int) -> None:
    model = play(
        World(cells=2 * CONTEXT, parallel=parallel, spare=2),
        [Visit(0, tuple(range(100 * job, 100 * job + length)), 3, False, None) for job, length in enumerate(lengths)],
    )
    assert model.started == sorted(model.started)
    assert len(model.started) == len(lengths)
