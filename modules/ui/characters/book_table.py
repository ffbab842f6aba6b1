"""A lorebook as rows of a table: what people write of an entry; all else of it stays as it is."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from modules.library.lorebooks.book import Lorebook
from modules.library.lorebooks.formats import read_book

Rows: TypeAlias = list[list[Any]]

HEADERS: Final = ["On", "Name", "Keys", "Content", "Always", "Order", "#"]
TYPES: Final = ["bool", "str", "str", "str", "bool", "number", "number"]
# Of larger books the first ones: a browser draws them all.
MOST: Final = 300


def rows_of(book: Lorebook | None) -> Rows:
    """The last cell is the entry's number in the book, by which it is found again."""
    return [_row(entry, number) for number, entry in enumerate(_entries(book)[:MOST])]


def with_rows(book: Lorebook | None, rows: Sequence[Sequence[Any]]) -> Lorebook | None:
    """The book as the table has it: entries whose row is gone are gone, new rows are new entries. None for an empty one."""
    entries = _entries(book)
    known: dict[int, Mapping[str, Any]] = dict(enumerate(entries[:MOST]))
    written = [_entry(known.pop(_number(row[-1]), {}), row) for row in rows if _says_something(row)]
    kept = [*written, *entries[MOST:]]
    if not kept:
        return None
    raw = dict(book.raw) if book is not None else {"extensions": {}}
    is_own_form = isinstance(raw.get("entries"), dict)
    named: object = {str(number): each for number, each in enumerate(kept)} if is_own_form else kept
    return read_book(raw | {"entries": named}, "The lorebook")


def _entries(book: Lorebook | None) -> list[Mapping[str, Any]]:
    entries = book.raw.get("entries") if book is not None else None
    found = entries.values() if isinstance(entries, dict) else entries if isinstance(entries, list) else []
    return [each for each in found if isinstance(each, dict)]


def _row(entry: Mapping[str, Any], number: int) -> list[Any]:
    keys = entry.get("keys", entry.get("key"))
    return [
        entry.get("enabled") is not False and entry.get("disable") is not True,
        str(entry.get("name") or entry.get("comment") or ""),
        _shown_keys(keys),
        str(entry.get("content") or ""),
        entry.get("constant") is True,
        entry.get("insertion_order", entry.get("order", 100)),
        number,
    ]


def _shown_keys(keys: object) -> str:
    return ", ".join(map(str, keys)) if isinstance(keys, list) else str(keys or "")


def _entry(before: Mapping[str, Any], row: Sequence[Any]) -> dict[str, Any]:
    """In the form that the entry had; a new one is the third version's."""
    is_world = "key" in before and "keys" not in before
    is_on, name, keys, content, always, order, _ = row
    shown = _row(before, 0) if before else [None] * len(HEADERS)
    texts = [each.strip() for each in str(keys or "").split(",") if each.strip()]
    changed: dict[str, Any] = {
        "content": str(content or ""),
        "constant": _is_true(always),
        "order" if is_world else "insertion_order": _order(order),
        "disable" if is_world else "enabled": _is_true(is_on) is not is_world,
    }
    # A comma within a key would be lost by reading it back.
    if keys != shown[2]:
        changed["key" if is_world else "keys"] = texts
    if name != shown[1]:
        changed["comment" if "comment" in before and not before.get("name") else "name"] = str(name or "")
    new = {} if before else {"keys": texts, "extensions": {}, "use_regex": False}
    return {**new, **before, **changed}


def _says_something(row: Sequence[Any]) -> bool:
    return len(row) == len(HEADERS) and any(str(cell or "").strip() for cell in row[1:4])


def _is_true(cell: object) -> bool:
    return cell is True or str(cell).lower() == "true"


def _order(cell: object) -> int | float:
    try:
        number = float(str(cell))
    except ValueError:
        return 100
    return int(number) if number.is_integer() and abs(number) < 1e9 else 100


def _number(cell: object) -> int:
    """Of no entry for a new row."""
    try:
        return int(float(str(cell)))
    except (ValueError, OverflowError):
        return -1
