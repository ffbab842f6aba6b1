"""Ten thousand chats: what is done all the time costs little more than with a hundred."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modules.library.chats.histories import Histories, Place
from modules.library.chats.history import Attachment, ChatTurn, History, Row
from modules.library.chats.index import HistoryIndex, HistoryIndexing
from modules.library.chats.places import Places
from modules.paths import UserData

INSTRUCT = Place(None)
MANY = 10_000
FEW = 100
# All that may be done for each file is to look at its time and size, and to compare them.
LOOKS = 10


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> dict[int, UserData]:
    return {count: with_chats(tmp_path_factory.mktemp(f"chats{count}"), count) for count in (FEW, MANY)}


@pytest.fixture
def few_and_many(sizes: dict[int, UserData]) -> Iterator[tuple[Histories, Histories]]:
    few, many = Histories(sizes[FEW]), Histories(sizes[MANY])
    yield few, many
    few.close()
    many.close()


def with_chats(root: Path, count: int) -> UserData:
    data = UserData(root)
    data.instruct_logs.mkdir(parents=True)
    for number in range(count):
        text = f'{{"internal": [["question {number} of many", "answer"]], "visible": [["question", "answer"]]}}'
        (data.instruct_logs / f"20250101-00-{number:06}.json").write_text(text, encoding="utf-8")
    assert HistoryIndexing(Places(data), HistoryIndex(data.cache / "chats.sqlite3")).catch_up(60)
    return data


def fastest(act: Callable[[], object], *, times: int = 5) -> float:
    def seconds() -> float:
        start = time.perf_counter()
        act()
        return time.perf_counter() - start

    return min(seconds() for _ in range(times))


@pytest.mark.extended
@pytest.mark.slow
def test_listing_and_searching(sizes: dict[int, UserData], few_and_many: tuple[Histories, Histories]) -> None:
    few, many = few_and_many
    allowed = LOOKS * fastest(lambda: [entry.stat() for entry in os.scandir(sizes[MANY].instruct_logs)])
    assert fastest(lambda: many.list(INSTRUCT)) < fastest(lambda: few.list(INSTRUCT)) + allowed
    assert fastest(lambda: many.last(INSTRUCT)) < fastest(lambda: few.last(INSTRUCT)) + allowed
    assert fastest(lambda: many.search("question 77")) < fastest(lambda: few.search("question 77")) + allowed
    assert fastest(lambda: many.search("answer")) < fastest(lambda: few.search("answer")) + allowed
    assert [hit.snippet for hit in many.search("9876")] == ["question 9876 of many answer"]


@pytest.mark.extended
@pytest.mark.slow
def test_start_and_saving(sizes: dict[int, UserData], few_and_many: tuple[Histories, Histories]) -> None:
    few, many = few_and_many
    begin = fastest(lambda: Histories(sizes[MANY]))
    assert begin < 3 * fastest(lambda: Histories(sizes[FEW])) + 0.001
    history = History(rows=(Row(user=ChatTurn(text="x" * 1000), assistant=ChatTurn(text="y" * 1000)),) * 200)
    save = fastest(lambda: many.save(INSTRUCT, "growing", history), times=20)
    assert save < 3 * fastest(lambda: few.save(INSTRUCT, "growing", history), times=20)


@pytest.mark.extended
@pytest.mark.slow
def test_a_first_index_is_made_while_lists_are_read(tmp_path: Path, sizes: dict[int, UserData]) -> None:
    data = UserData(tmp_path)
    data.logs.mkdir()
    data.instruct_logs.symlink_to(sizes[MANY].instruct_logs, target_is_directory=True)
    histories = Histories(data)
    start = time.perf_counter()
    assert len(histories.list(INSTRUCT)) == FEW
    listed = time.perf_counter() - start
    assert histories.search("question")
    histories.close()
    assert listed < 0.2 * fastest(
        lambda: HistoryIndexing(Places(data), HistoryIndex(tmp_path / "x")).catch_up(60), times=1
    )


def test_a_first_index_leaves_time_to_others(tmp_path: Path) -> None:
    data = with_chats(tmp_path, 500)
    indexing = HistoryIndexing(Places(data), HistoryIndex(tmp_path / "new"))
    wall, cpu = time.perf_counter(), time.process_time()
    indexing.begin()
    indexing.wait()
    assert time.process_time() - cpu < 0.6 * (time.perf_counter() - wall)
    assert len(HistoryIndex(tmp_path / "new").stamps()) == 500


def test_pictures_cost_the_index_nothing(tmp_path: Path) -> None:
    data = UserData(tmp_path)
    histories = Histories(data)
    picture = Attachment(name="a.png", type="image", image_data="data:image/png;base64," + "A" * 5_000_000)
    histories.save(INSTRUCT, "x", History(rows=(Row(user=ChatTurn(text="needle", attachments=(picture,))),)))
    assert histories.search("needle")
    histories.close()
    assert (data.cache / "chats.sqlite3").stat().st_size < 200_000
