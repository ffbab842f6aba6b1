"""The SQLite index of collections: passages, their words and their vectors."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modules.library.full_text import IndexFile, phrases, spaced, storable
from modules.library.knowledge.collections import SourceFile
from modules.library.knowledge.passages import Passage

_VERSION: Final = 1
_TABLES: Final = (
    "DROP TABLE IF EXISTS files",
    "DROP TABLE IF EXISTS passages",
    "DROP TABLE IF EXISTS vectors",
    "DROP TABLE IF EXISTS texts",
    "CREATE TABLE files (number INTEGER PRIMARY KEY, collection TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, "
    "changed INTEGER NOT NULL, digest TEXT NOT NULL, problem TEXT NOT NULL, UNIQUE (collection, path))",
    "CREATE TABLE passages (number INTEGER PRIMARY KEY AUTOINCREMENT, file INTEGER NOT NULL, place INTEGER NOT NULL, page INTEGER NOT "
    "NULL, heading TEXT NOT NULL, text TEXT NOT NULL)",
    "CREATE INDEX passages_of_files ON passages (file)",
    "CREATE TABLE vectors (passage INTEGER PRIMARY KEY, model TEXT NOT NULL, vector BLOB NOT NULL)",
    "CREATE VIRTUAL TABLE texts USING fts5(heading, body, tokenize = 'porter unicode61 remove_diacritics 2')",
)
# A question of more different words than this is searched by its first ones.
_MAX_WORDS: Final = 64
_FOUND: Final = """
    SELECT texts.rowid FROM texts JOIN passages ON passages.number = texts.rowid JOIN files ON files.number = file
    WHERE texts MATCH ? AND collection IN (SELECT value FROM json_each(?))
    ORDER BY bm25(texts, 2.0, 1.0), texts.rowid LIMIT ?
"""
_READ: Final = """
    SELECT passages.number, collection, path, page, heading, text FROM passages JOIN files ON files.number = file
    WHERE passages.number IN (SELECT value FROM json_each(?))
"""
_VECTORS: Final = """
    SELECT passage, vector FROM vectors JOIN passages ON passages.number = passage JOIN files ON files.number = file
    WHERE model = ? AND collection IN (SELECT value FROM json_each(?)) ORDER BY passage
"""
_WITHOUT_VECTOR: Final = """
    SELECT passages.number, heading, text FROM passages JOIN files ON files.number = file
    LEFT JOIN vectors ON passage = passages.number AND model = ?
    WHERE collection = ? AND passage IS NULL ORDER BY passages.number LIMIT ?
"""
_COUNTS: Final = """
    SELECT count(*), coalesce(sum(vectors.model = ?), 0) FROM passages JOIN files ON files.number = file
    LEFT JOIN vectors ON passage = passages.number WHERE collection = ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedFile:
    """A file as the index has it; `problem` is the rest of a sentence that begins with its name, for one that cannot be
    read."""

    source: SourceFile
    digest: str
    problem: str = ""
    passages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPassage:
    """A passage of a collection's file; `page` is 0 where there are none."""

    number: int
    collection: str
    path: str
    page: int
    heading: str
    text: str


class KnowledgeIndex:
    """Safe to share between threads; every method may raise sqlite3.Error, after which a damaged file is gone, and what
    it held is missing until it is put in again."""

    def __init__(self, path: Path) -> None:
        self._file = IndexFile(path, _VERSION, _TABLES)

    def files(self, collection: str) -> dict[str, IndexedFile]:
        """By path."""
        found = (
            "SELECT path, size, changed, digest, problem, (SELECT count(*) FROM passages WHERE file = files.number) "
            "FROM files WHERE collection = ?"
        )
        with self._file.connection() as connection:
            rows = connection.execute(found, (collection,)).fetchall()
        return {
            path: IndexedFile(source=SourceFile(path, size, changed), digest=digest, problem=problem, passages=passages)
            for path, size, changed, digest, problem, passages in rows
        }

    def put(self, collection: str, file: IndexedFile, passages: Sequence[Passage]) -> None:
        """In place of what was there of that path."""
        source = file.source
        with self._file.writing() as connection:
            _remove(connection, collection, source.path)
            row = connection.execute(
                "INSERT INTO files (collection, path, size, changed, digest, problem) VALUES (?, ?, ?, ?, ?, ?)",
                (collection, source.path, source.size, source.changed, file.digest, storable(file.problem)),
            )
            for place, passage in enumerate(passages):
                _insert(connection, row.lastrowid or 0, place, passage, source.path)

    def touch(self, collection: str, source: SourceFile) -> None:
        """The file has another time, and the content that it had."""
        values = (source.size, source.changed, collection, source.path)
        with self._file.writing() as connection:
            connection.execute("UPDATE files SET size = ?, changed = ? WHERE collection = ? AND path = ?", values)

    def remove(self, collection: str, paths: Iterable[str]) -> None:
        with self._file.writing() as connection:
            for path in paths:
                _remove(connection, collection, path)

    def keep_only(self, collections: Iterable[str]) -> None:
        """Forget all others."""
        with self._file.connection() as connection:
            known = {row[0] for row in connection.execute("SELECT DISTINCT collection FROM files")}
        for gone in known - set(collections):
            self.remove(gone, self.files(gone))

    def search(self, words: str, collections: Sequence[str], limit: int) -> list[int]:
        """Numbers of passages with any of the words, the best first (BM25)."""
        query = " OR ".join(list(dict.fromkeys(phrases(words)))[:_MAX_WORDS])
        if not query:
            return []
        with self._file.connection() as connection:
            rows = connection.execute(_FOUND, (query, _listed(collections), limit)).fetchall()
        return [row[0] for row in rows]

    def read(self, numbers: Sequence[int]) -> list[FoundPassage]:
        """In the order of `numbers`; those that are gone are left out."""
        with self._file.connection() as connection:
            rows = connection.execute(_READ, (_listed(numbers),)).fetchall()
        found: Mapping[int, FoundPassage] = {
            row[0]: FoundPassage(
                number=row[0], collection=row[1], path=row[2], page=row[3], heading=row[4], text=row[5]
            )
            for row in rows
        }
        return [found[number] for number in numbers if number in found]

    def vectors(self, collections: Sequence[str], model: str) -> tuple[list[int], bytes]:
        """Numbers of passages, and their vectors as 16-bit floats one behind the other."""
        with self._file.connection() as connection:
            rows = connection.execute(_VECTORS, (model, _listed(collections))).fetchall()
        return [row[0] for row in rows], b"".join(row[1] for row in rows)

    def without_vector(self, collection: str, model: str, limit: int) -> list[tuple[int, str]]:
        """Numbers and texts of the first passages that have no vector of that model."""
        with self._file.connection() as connection:
            rows = connection.execute(_WITHOUT_VECTOR, (model, collection, limit)).fetchall()
        return [(number, f"{heading}\n{text}" if heading else text) for number, heading, text in rows]

    def put_vectors(self, model: str, vectors: Iterable[tuple[int, bytes]]) -> None:
        """Of passages that are gone meanwhile, none is kept."""
        put = "INSERT OR REPLACE INTO vectors SELECT number, ?, ? FROM passages WHERE number = ?"
        with self._file.writing() as connection:
            connection.executemany(put, [(model, vector, number) for number, vector in vectors])

    def counts(self, collection: str, model: str) -> tuple[int, int]:
        """How many passages there are, and how many of them have a vector of that model."""
        with self._file.connection() as connection:
            passages, vectors = connection.execute(_COUNTS, (model, collection)).fetchone()
        return passages, vectors


def _insert(connection: sqlite3.Connection, file: int, place: int, passage: Passage, path: str) -> None:
    """The file's name is found like words of the heading."""
    heading, text = storable(passage.heading), storable(passage.text)
    row = connection.execute(
        "INSERT INTO passages (file, place, page, heading, text) VALUES (?, ?, ?, ?, ?)",
        (file, place, passage.page, heading, text),
    )
    words = (row.lastrowid, spaced(storable(f"{path} {heading}")), spaced(text))
    connection.execute("INSERT INTO texts (rowid, heading, body) VALUES (?, ?, ?)", words)


def _remove(connection: sqlite3.Connection, collection: str, path: str) -> None:
    row = connection.execute(
        "SELECT number FROM files WHERE collection = ? AND path = ?", (collection, path)
    ).fetchone()
    if row is None:
        return
    for table, column in (("texts", "rowid"), ("vectors", "passage")):
        connection.execute(
            f"DELETE FROM {table} WHERE {column} IN (SELECT number FROM passages WHERE file = ?)",  # noqa: S608 - own names
            row,
        )
    connection.execute("DELETE FROM passages WHERE file = ?", row)
    connection.execute("DELETE FROM files WHERE number = ?", row)


def _listed(values: Sequence[str] | Sequence[int]) -> str:
    """For json_each, which has no bound of how many."""
    return json.dumps(list(values))


def best_of(words: str, passages: Sequence[Passage], limit: int) -> list[int]:
    """Places in `passages` of those with any of the words, the best first; for texts that are in no collection."""
    query = " OR ".join(list(dict.fromkeys(phrases(words)))[:_MAX_WORDS])
    if not query:
        return []
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(_TABLES[-1])
        rows = [(place, spaced(each.heading), spaced(storable(each.text))) for place, each in enumerate(passages)]
        connection.executemany("INSERT INTO texts (rowid, heading, body) VALUES (?, ?, ?)", rows)
        found = connection.execute(
            "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY bm25(texts, 2.0, 1.0), rowid LIMIT ?", (query, limit)
        )
        return [row[0] for row in found.fetchall()]
