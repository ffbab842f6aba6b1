"""The index of passages: found by words, read, replaced, with vectors; and the order of several rankings."""

from pathlib import Path

import numpy as np
import pytest

from modules.library.knowledge.collections import SourceFile
from modules.library.knowledge.index import IndexedFile, KnowledgeIndex, best_of
from modules.library.knowledge.passages import Passage
from modules.library.knowledge.ranking import fused
from modules.library.knowledge.vectors import half_floats, nearest

CLOCK = Passage(text="The clock is wound each morning.", start=0, end=30, page=3, heading="Clocks")
BELL = Passage(text="The bell rings at noon.", start=0, end=20)


@pytest.fixture
def index(tmp_path: Path) -> KnowledgeIndex:
    return KnowledgeIndex(tmp_path / "index.sqlite3")


def put(index: KnowledgeIndex, collection: str, path: str, *passages: Passage) -> None:
    index.put(collection, IndexedFile(source=SourceFile(path, 1, 1), digest="d"), passages)


def test_words_find_passages_of_the_chosen_collections(index: KnowledgeIndex) -> None:
    put(index, "tower", "a.pdf", CLOCK, BELL)
    put(index, "other", "b.txt", BELL)
    (found,) = index.read(index.search("When are clocks winding?", ["tower"], 10))
    assert (found.collection, found.path, found.page, found.heading, found.text) == (
        *("tower", "a.pdf", 3, "Clocks"),
        CLOCK.text,
    )
    assert len(index.search("bell", ["tower", "other"], 10)) == 2
    assert index.search("bell", [], 10) == []


@pytest.mark.parametrize("words", ['"', "AND OR NOT", "texts:x*", "(", "a-b^c", "", "\0", "\ud800", "NEAR(x y)"])
def test_anything_can_be_looked_for(index: KnowledgeIndex, words: str) -> None:
    put(index, "tower", "a.pdf", CLOCK)
    assert isinstance(index.search(words, ["tower"], 10), list)


def test_the_name_of_a_file_is_found(index: KnowledgeIndex) -> None:
    put(index, "tower", "belfry-report.pdf", CLOCK)
    assert len(index.search("belfry", ["tower"], 5)) == 1


def test_scripts_without_spaces_are_found(index: KnowledgeIndex) -> None:
    put(index, "tower", "a.txt", Passage(text="時計は毎朝巻かれる", start=0, end=9))
    assert len(index.search("毎朝", ["tower"], 5)) == 1


def test_a_file_is_replaced_and_removed_with_its_passages(index: KnowledgeIndex) -> None:
    put(index, "tower", "a.pdf", CLOCK)
    put(index, "tower", "a.pdf", BELL)
    assert index.search("clock", ["tower"], 5) == []
    assert index.files("tower")["a.pdf"].passages == 1
    index.remove("tower", ["a.pdf"])
    assert index.search("bell", ["tower"], 5) == []
    assert index.counts("tower", "m") == (0, 0)


def test_collections_that_are_gone_are_forgotten(index: KnowledgeIndex) -> None:
    put(index, "tower", "a.pdf", CLOCK)
    put(index, "other", "a.pdf", CLOCK)
    index.keep_only(["other"])
    assert (index.files("tower"), list(index.files("other"))) == ({}, ["a.pdf"])


def test_a_damaged_file_is_made_anew(index: KnowledgeIndex, tmp_path: Path) -> None:
    put(index, "tower", "a.pdf", CLOCK)
    for path in tmp_path.glob("index.sqlite3*"):
        path.write_bytes(b"no database" * 500)
    with pytest.raises(Exception, match="database"):
        index.files("tower")
    assert index.files("tower") == {}


def test_vectors_belong_to_passages_and_a_model(index: KnowledgeIndex) -> None:
    put(index, "tower", "a.pdf", CLOCK, BELL)
    numbers = [number for number, _ in index.without_vector("tower", "m", 10)]
    rows = [np.array(row, np.float32).tobytes() for row in ([1, 0], [0.6, 0.8])]
    index.put_vectors("m", zip(numbers, map(half_floats, rows), strict=True))
    assert index.without_vector("tower", "m", 10) == []
    assert index.counts("tower", "m") == (2, 2)
    # A model that was chosen later has to compute all of them.
    assert len(index.without_vector("tower", "other", 10)) == 2
    known, vectors = index.vectors(["tower"], "m")
    asked = np.array([0, 1], np.float32).tobytes()
    assert nearest(asked, known, vectors, 1) == [numbers[1]]
    assert nearest(np.array([1, 0, 0], np.float32).tobytes(), known, vectors, 1) == []


def test_fusion_prefers_what_several_rankings_have() -> None:
    assert fused([1, 2, 3], [3, 4]) == [3, 1, 2, 4]
    assert fused([1, 2], []) == [1, 2]


def test_texts_outside_of_collections_are_ranked_too() -> None:
    assert best_of("when does the bell ring", [CLOCK, BELL], 1) == [1]
    assert best_of("zebra", [CLOCK, BELL], 1) == []
