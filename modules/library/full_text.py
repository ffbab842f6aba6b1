"""What full-text indexes have in common: a file that can be made anew, and how words are found."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final

# Another copy of the program may be writing.
_PATIENCE: Final = 10.0
# From this version on SQLite can overwrite deleted text in a full-text index.
_SECURE_FTS: Final = (3, 42)
# Scripts that put no spaces between words: each character counts as a word there.
_UNSPACED: Final = (
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_CHARACTER: Final = re.compile(f"({_UNSPACED})")
# Around each word that was found in a snippet; no characters of any text.
MARK_BEGINS: Final = "\ufdd0"
MARK_ENDS: Final = "\ufdd1"
_SPACED: Final = re.compile(f" ({MARK_BEGINS}?{_UNSPACED}{MARK_ENDS}?) ")
# What SQLite has no text for: half characters, and the one that ends a text.
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_SAYS_NOTHING: Final = re.compile(r"[\W_]*")


def spaced(text: str) -> str:
    """As the index is to see it: with spaces around characters that are words of their own."""
    return _CHARACTER.sub(r" \1 ", text)


def unspaced(text: str) -> str:
    """What `spaced` was given, with single spaces; marks around words that were found stay."""
    return " ".join(_SPACED.sub(r"\1", text).split())


def storable(text: str) -> str:
    return _UNSTORABLE.sub("\ufffd", text)


def phrases(words: str) -> list[str]:
    """Each word as a phrase of what FTS5 makes of it, in quotes."""
    plain = (word.replace('"', "") for word in _UNSTORABLE.sub(" ", words).split())
    return [f'"{spaced(word)}"' for word in plain if not _SAYS_NOTHING.fullmatch(word)]


@dataclass(frozen=True, slots=True)
class IndexFile:
    """An SQLite file that holds only what can be read from elsewhere. One of another `version` is made anew by the
    statements `tables`, of which `texts` is the full-text table. Every use may raise sqlite3.Error, after which a damaged
    file is gone."""

    path: Path
    version: int
    tables: Sequence[str]
    _preparing: Lock = field(default_factory=Lock)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction from its first reading on: kept when the block ends well."""
        with self.connection() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as connection:
                with self._preparing:
                    self._prepare(connection)
                yield connection
        except sqlite3.DatabaseError as error:
            # Its subclasses have other causes than a damaged file.
            if type(error) is sqlite3.DatabaseError:
                self._discard()
            raise

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """What is deleted is overwritten, so that a deleted text is gone from this file too."""
        for setting in ("journal_mode = WAL", "synchronous = NORMAL", "secure_delete = ON"):
            connection.execute(f"PRAGMA {setting}")
        if connection.execute("PRAGMA user_version").fetchone() == (self.version,):
            return
        for statement in self.tables:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {self.version}")
        if sqlite3.sqlite_version_info >= _SECURE_FTS:
            connection.execute("INSERT INTO texts (texts, rank) VALUES ('secure-delete', 1)")
        connection.commit()

    def _discard(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
