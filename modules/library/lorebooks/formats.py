"""Lorebooks as cards, SillyTavern's World Info and the third version's own files have them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from modules.errors import BadRequest
from modules.library.lorebooks.book import Conditions, KeyRules, Logic, Lorebook, LoreEntry, Position
from modules.library.lorebooks.decorators import Decorated, decorated
from modules.messages import Role

SPEC: Final = "lorebook_v3"
MAX_ENTRIES: Final = 20_000

# SillyTavern's numbers. What stands around its author's note goes to the depth that the note has there.
_POSITIONS: Final = MappingProxyType(
    {
        0: Position.BEFORE,
        1: Position.AFTER,
        2: Position.DEPTH,
        3: Position.DEPTH,
        4: Position.DEPTH,
        5: Position.BEFORE_EXAMPLES,
        6: Position.AFTER_EXAMPLES,
        7: Position.OUTLET,
    }
)
_LOGIC: Final = (Logic.ANY, Logic.NOT_ALL, Logic.NOT_ANY, Logic.ALL)
_ROLES: Final = (Role.SYSTEM, Role.USER, Role.ASSISTANT)
# Fields that would change what happens and are not followed here.
_UNUSED: Final = MappingProxyType({"vectorized": "vector search"})


def is_lorebook(content: Mapping[str, object]) -> bool:
    """Whether a file holds a lorebook, in any format."""
    return content.get("spec") == SPEC or isinstance(content.get("entries"), dict | list)


def read_book(content: Mapping[str, object], file_name: str) -> Lorebook:
    """Raises BadRequest for what is no lorebook. Entries that are damaged are left out."""
    fields = content.get("data") if content.get("spec") == SPEC else content
    entries = fields.get("entries") if isinstance(fields, dict) else None
    if not isinstance(fields, dict) or not isinstance(entries, dict | list):
        raise BadRequest(f"{file_name} holds no lorebook: there are no `entries` in it.")
    found = [each for each in (entries.values() if isinstance(entries, dict) else entries) if isinstance(each, dict)]
    if len(found) > MAX_ENTRIES:
        raise BadRequest(f"{file_name} has more than {MAX_ENTRIES:,} entries, too many for a lorebook.")
    return Lorebook(
        name=_text(fields.get("name")),
        scan_depth=_whole(fields.get("scan_depth")),
        token_budget=_whole(fields.get("token_budget")),
        is_recursive=fields.get("recursive_scanning") is not False,
        entries=tuple(map(_entry, found)),
        raw=MappingProxyType(dict(fields)),
        unused=_unused(found),
    )


def book_file(book: Lorebook) -> bytes:
    """A file of the third version; SillyTavern's keep their own form, in which they say more."""
    is_own = isinstance(book.raw.get("entries"), dict)
    content = dict(book.raw) if is_own else {"spec": SPEC, "data": dict(book.raw)}
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def without_decorators(book: Mapping[str, object]) -> dict[str, object]:
    """For the second version of cards, which knows none."""
    entries = book.get("entries")
    kept = [_plain(each) for each in entries if isinstance(each, dict)] if isinstance(entries, list) else entries
    return {**book, "entries": kept}


def _plain(entry: Mapping[str, object]) -> dict[str, object]:
    plain = {key: value for key, value in entry.items() if key != "use_regex"}
    return {**plain, "content": decorated(_text(entry.get("content"))).text}


def _entry(fields: Mapping[str, object]) -> LoreEntry:
    """In cards what SillyTavern adds stands under `extensions`, in its own files beside the rest."""
    more = fields.get("extensions")
    more = {**(more if isinstance(more, dict) else {}), **{key: fields[key] for key in _OWN if key in fields}}
    content = decorated(_text(fields.get("content")))
    keys = _texts(fields.get("keys", fields.get("key")))
    order = _number(fields.get("insertion_order", fields.get("order")), 100.0)
    priority = _number(fields.get("priority"), 0.0)
    entry = LoreEntry(
        title=next(filter(None, (_text(fields.get("name")), _text(fields.get("comment")), *keys)), "entry")[:80],
        content=content.text.strip(),
        rules=_rules(fields, more, content, keys),
        conditions=_conditions(fields, more, content),
        order=order,
        priority=priority,
    )
    return _placed(entry, fields, more, content)


_OWN: Final = (
    "probability",
    "useProbability",
    "depth",
    "selectiveLogic",
    "group",
    "groupWeight",
    "scanDepth",
    "matchWholeWords",
    "caseSensitive",
    "role",
    "excludeRecursion",
    "preventRecursion",
    "delayUntilRecursion",
    "delay",
    "sticky",
    "cooldown",
    "outletName",
)


def _rules(
    fields: Mapping[str, object], more: Mapping[str, object], content: Decorated, keys: tuple[str, ...]
) -> KeyRules:
    secondary = _texts(fields.get("secondary_keys", fields.get("keysecondary")))
    logic = _whole(_first(more, "selectiveLogic", "selective_logic"))
    depth = content.number("scan_depth")
    return KeyRules(
        keys=keys,
        secondary=secondary if fields.get("selective") is not False else (),
        logic=_LOGIC[logic] if logic is not None and 0 <= logic < len(_LOGIC) else Logic.ANY,
        additional=content.lists("additional_keys"),
        excluded=tuple(key for each in content.lists("exclude_keys") for key in each),
        is_regex=fields.get("use_regex") is True,
        is_case_sensitive=fields.get("case_sensitive", _first(more, "caseSensitive", "case_sensitive")) is True,
        whole_words=_first(more, "matchWholeWords", "match_whole_words") is True,
        scan_depth=_whole(_first(more, "scanDepth", "scan_depth")) if depth is None else depth,
    )


def _conditions(fields: Mapping[str, object], more: Mapping[str, object], content: Decorated) -> Conditions:
    has_chance = _first(more, "useProbability", "use_probability") is not False
    is_constant = fields.get("constant") is True or "activate" in content
    return Conditions(
        is_enabled=fields.get("enabled") is not False and fields.get("disable") is not True,
        always=is_constant,
        never="dont_activate" in content and "activate" not in content,
        only_after=content.number("activate_only_after"),
        only_every=content.number("activate_only_every"),
        greeting=content.number("is_greeting"),
        again="keep_activate_after_match" in content,
        once="dont_activate_after_match" in content,
        delay=_messages(more.get("delay")),
        sticky=_messages(more.get("sticky")),
        cooldown=_messages(more.get("cooldown")),
        probability=_number(more.get("probability"), 100.0) if has_chance else 100.0,
        group=_text(more.get("group")),
        group_weight=_number(_first(more, "groupWeight", "group_weight"), 100.0),
        found_by_others=not _first(more, "excludeRecursion", "exclude_recursion"),
        finds_others=not _first(more, "preventRecursion", "prevent_recursion"),
        only_found_by_others=bool(_first(more, "delayUntilRecursion", "delay_until_recursion")),
    )


def _placed(
    entry: LoreEntry, fields: Mapping[str, object], more: Mapping[str, object], content: Decorated
) -> LoreEntry:
    stated = fields.get("position")
    number = _whole(stated) if not isinstance(stated, str) else _whole(more.get("position"))
    named = Position.AFTER if stated == Position.AFTER else Position.BEFORE
    position = named if number is None else _POSITIONS.get(number, named)
    depth = _whole(more.get("depth")) if number == 4 else None
    role = _whole(more.get("role"))
    decorator = content.number("depth")
    if decorator is not None:
        position, depth = Position.DEPTH, decorator
    return replace(
        entry,
        position=content.position() or position,
        depth=4 if depth is None else max(0, depth),
        outlet=_text(_first(more, "outletName", "outlet_name")).strip(),
        role=content.role() or (_ROLES[role] if role is not None and 0 <= role < len(_ROLES) else Role.SYSTEM),
    )


def _unused(entries: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    """What some entry asks for and gets not."""
    found: set[str] = set()
    for entry in entries:
        more = entry.get("extensions")
        more = more if isinstance(more, dict) else {}
        found |= {name for key, name in _UNUSED.items() if entry.get(key) or more.get(key)}
        content = entry.get("content")
        if isinstance(content, str) and content.lstrip().startswith("@@"):
            found |= {f"@@{name}" for name in decorated(content).unknown}
    return tuple(sorted(found))


def _first(fields: Mapping[str, object], *keys: str) -> object:
    return next((fields[key] for key in keys if fields.get(key) is not None), None)


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _texts(value: object) -> tuple[str, ...]:
    values = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(text for each in values if (text := _text(each).strip()))


def _whole(value: object) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
    return int(value) if is_number and isinstance(value, int | float) else None


def _messages(value: object) -> int:
    """0 for none."""
    return max(0, _whole(value) or 0)


def _number(value: object, default: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
    return float(value) if is_number and isinstance(value, int | float) else default
