"""A draft model's cache holds a beginning of each job's tokens, whatever was drafted wrongly before."""

from hypothesis import given
from hypothesis import strategies as st

from modules.backends.llamacpp.speculation.draft_cells import DraftCells, Trim

# What happens to one of two jobs: it says some tokens after a draft of as many, of which some are right.
moves = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 4)), max_size=30)


class Cache:
    """What the sequences hold, by the orders that were given."""

    def __init__(self, cells: DraftCells) -> None:
        self.cells = cells
        self.held: dict[int, list[int]] = {}

    def trim(self, trims: list[Trim]) -> None:
        for trim in trims:
            del self.held.setdefault(trim.sequence, [])[trim.length :]

    def place(self, job_id: int, tokens: list[int]) -> None:
        self.trim(list(self.cells.place(job_id, tokens)))

    def read(self, job_id: int, tokens: list[int]) -> None:
        sequence = self.cells.sequence(job_id)
        assert sequence is not None
        self.held.setdefault(sequence, []).extend(tokens)
        self.cells.extend(job_id, tokens)

    def of(self, job_id: int) -> list[int]:
        sequence = self.cells.sequence(job_id)
        return self.held.get(sequence, []) if sequence is not None else []


@given(moves)
def test_what_is_held_is_always_a_beginning(steps: list[tuple[int, int, int]]) -> None:
    cache = Cache(DraftCells(10_000, 2))
    replies = {0: [1, 2, 3], 1: [1, 2, 4]}
    for number, (job_id, drafted, right) in enumerate(steps):
        tokens = replies[job_id]
        cache.place(job_id, tokens)
        held = cache.of(job_id)
        assert held == tokens[: len(held)]
        assert len(held) < len(tokens)
        draft = [1000 + number * 10 + at for at in range(drafted)]
        cache.read(job_id, [*tokens[len(held) :], *draft])
        tokens += [*draft[:right], 5000 + number]


def test_the_next_prompt_goes_on_from_the_one_that_begins_most_like_it() -> None:
    cache = Cache(DraftCells(100, 3))
    for job_id, tokens in enumerate(([1, 2, 3, 4], [9, 8, 7, 6])):
        cache.place(job_id, tokens)
        cache.read(job_id, tokens)
        cache.cells.forget(job_id)
    cache.place(7, [9, 8, 7, 5, 5])
    assert cache.of(7) == [9, 8, 7]


def test_without_idle_ones_only_the_job_s_own_beginning_stays() -> None:
    cache = Cache(DraftCells(100, 3, keeps_idle=False))
    cache.place(0, [1, 2])
    cache.read(0, [1, 2])
    cache.cells.forget(0)
    cache.place(1, [5, 6])
    assert sum(map(len, cache.held.values())) == 0


def test_what_finished_jobs_left_makes_room_and_what_running_ones_hold_does_not() -> None:
    cache = Cache(DraftCells(6, 3))
    for job_id in range(2):
        cache.place(job_id, [job_id] * 3)
        cache.read(job_id, [job_id] * 3)
    cache.cells.forget(0)
    cache.trim(list(cache.cells.make_room(3)))
    assert cache.cells.has_room(3)
    assert cache.of(1) == [1, 1, 1]
    cache.trim(list(cache.cells.make_room(4)))
    assert not cache.cells.has_room(4)


def test_more_jobs_than_sequences_go_without() -> None:
    cells = DraftCells(10, 1)
    list(cells.place(0, [1, 2]))
    list(cells.place(1, [1, 2]))
    assert cells.sequence(1) is None
    cells.forget(0)
    list(cells.place(1, [1, 2]))
    assert cells.sequence(1) is not None
