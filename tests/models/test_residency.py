"""Who leaves, who is waited for and who is refused: hand-made cases, and laws that hold for any models and limits."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from modules.engine.types import ModelKind
from modules.models.residency import (
    Fits,
    MemoryLimits,
    MemoryUse,
    ModelNeed,
    MustWait,
    NeverFits,
    Resident,
    Shortage,
    excess,
    plan,
)


def resident(name: str, host: int = 0, **more: object) -> Resident:
    return replace(Resident(name, memory=MemoryUse(host)), **more)  # type: ignore[arg-type]


def need(host: int = 0, name: str = "new", kind: ModelKind = ModelKind.CHAT) -> ModelNeed:
    return ModelNeed(name, kind, MemoryUse(host))


def test_nobody_leaves_while_there_is_room() -> None:
    assert plan([resident("a", 4)], need(4), MemoryLimits(2, host=8)) == Fits()


def test_the_least_recently_used_leaves() -> None:
    loaded = [resident("a", last_used=3), resident("b", last_used=1), resident("c", last_used=2)]
    assert plan(loaded, need(), MemoryLimits(3)) == Fits(("b",))


def test_unused_models_leave_before_older_ones_in_use() -> None:
    loaded = [resident("a", last_used=1, is_used=True), resident("b", last_used=2)]
    assert plan(loaded, need(), MemoryLimits(2)) == Fits(("b",))


def test_no_more_leave_than_have_to() -> None:
    loaded = [resident("small", 1, last_used=1), resident("large", 8, last_used=2)]
    assert plan(loaded, need(8), MemoryLimits(9, host=10)) == Fits(("large",))


def test_models_in_use_are_waited_for_and_held() -> None:
    loaded = [resident("a", 5, last_used=1, is_used=True), resident("b", 5, last_used=2, is_used=True)]
    assert plan(loaded, need(5), MemoryLimits(9, host=10)) == MustWait(("a",))
    assert plan(loaded, need(5), MemoryLimits(9, host=10), held=("b",)) == MustWait(("b",))


def test_a_model_of_the_same_name_is_replaced() -> None:
    loaded = [resident("a", 5, is_pinned=True), resident("b", 5)]
    assert plan(loaded, need(5, "a"), MemoryLimits(2, host=10)) == Fits(("a",))


def test_what_is_too_large_alone_is_refused_with_numbers() -> None:
    assert plan([resident("a", 5)], need(11), MemoryLimits(9, host=10)) == NeverFits(Shortage.HOST, 11, 10)
    gpu = ModelNeed("new", memory=MemoryUse(1, 11))
    assert plan([], gpu, MemoryLimits(9, gpu=10)) == NeverFits(Shortage.GPU, 11, 10)


def test_what_has_no_room_beside_pinned_models_is_refused() -> None:
    loaded = [resident("a", 6, is_pinned=True, is_used=True), resident("b", 2)]
    assert plan(loaded, need(5), MemoryLimits(9, host=10)) == NeverFits(Shortage.PINNED, 5, 4, ("a",))
    assert plan(loaded, need(), MemoryLimits(1)) == NeverFits(Shortage.PINNED, 0, 0, ("a",))


def test_other_kinds_count_for_memory_only() -> None:
    loaded = [resident("chat", 4, last_used=2), resident("words", 4, kind=ModelKind.EMBEDDING, last_used=1)]
    assert plan(loaded, need(1), MemoryLimits(1, host=10)) == Fits(("chat",))
    assert plan(loaded, need(2, kind=ModelKind.EMBEDDING), MemoryLimits(1, host=10)) == Fits()
    assert plan(loaded, need(6, kind=ModelKind.EMBEDDING), MemoryLimits(1, host=10)) == Fits(("words",))


def test_what_has_grown_too_large_leaves_when_it_is_not_in_use() -> None:
    loaded = [resident("a", 6, last_used=1), resident("b", 6, last_used=2), resident("c", 6, last_used=3, is_used=True)]
    assert excess(loaded, MemoryLimits(9, host=12)) == ("a",)
    assert excess(loaded[2:], MemoryLimits(9, host=1)) == ()
    assert excess(loaded, MemoryLimits(9)) == ()


NAMES = "abcdef"
residents = st.lists(
    st.builds(
        Resident,
        name=st.sampled_from(NAMES),
        kind=st.sampled_from([ModelKind.CHAT, ModelKind.CHAT, ModelKind.EMBEDDING]),
        memory=st.builds(MemoryUse, st.integers(0, 6), st.integers(0, 6)),
        last_used=st.integers(0, 5).map(float),
        is_used=st.booleans(),
        is_pinned=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda each: each.name,
)
needs = st.builds(
    ModelNeed,
    name=st.sampled_from([*NAMES, "new"]),
    kind=st.sampled_from(list(ModelKind)),
    memory=st.builds(MemoryUse, st.integers(0, 9), st.integers(0, 9)),
)
bounds = st.one_of(st.none(), st.integers(0, 20))
limits = st.builds(MemoryLimits, st.integers(1, 5), bounds, bounds)


def is_within(loaded: list[Resident], limits: MemoryLimits) -> bool:
    chats = sum(each.kind is ModelKind.CHAT for each in loaded)
    host = sum(each.memory.host for each in loaded)
    gpu = sum(each.memory.gpu for each in loaded)
    return (
        chats <= limits.models
        and (limits.host is None or host <= limits.host)
        and (limits.gpu is None or gpu <= limits.gpu)
    )


@given(residents, needs, limits, st.sets(st.sampled_from(NAMES)))
def test_laws_of_a_plan(loaded: list[Resident], need: ModelNeed, limits: MemoryLimits, held: set[str]) -> None:
    others = [each for each in loaded if each.name != need.name]
    newcomer = Resident(need.name, need.kind, need.memory)
    match plan(loaded, need, limits, held):
        case NeverFits():
            assert not is_within([*(each for each in others if each.is_pinned), newcomer], limits)
        case Fits(names) | MustWait(names) as decision:
            gone = [each for each in loaded if each.name in names]
            staying = [each for each in others if each.name not in names]
            assert len(gone) == len(names)
            assert is_within([*staying, newcomer], limits)
            assert not any(each.is_pinned for each in gone if each.name != need.name)
            assert isinstance(decision, MustWait) is any(each.is_used for each in gone)
            for each in gone:
                if each.name != need.name:
                    assert not is_within([*staying, each, newcomer], limits)


@given(residents, needs, limits)
def test_waiting_comes_to_an_end(loaded: list[Resident], need: ModelNeed, limits: MemoryLimits) -> None:
    """No use of what is held begins, so its uses end one by one; others come and go. Then it is the newcomer's turn."""
    decision = plan(loaded, need, limits)
    held: tuple[str, ...] = ()
    rounds = 0
    while isinstance(decision, MustWait):
        held = decision.hold
        ending = next(each for each in loaded if each.name in held and each.is_used)
        loaded = [replace(each, is_used=each.is_used and each is not ending, last_used=9.0) for each in loaded]
        loaded = [each if each.name in held else replace(each, is_used=not each.is_used) for each in loaded]
        decision = plan(loaded, need, limits, held)
        rounds += 1
        assert rounds <= len(NAMES)
    assert isinstance(decision, Fits | NeverFits)
