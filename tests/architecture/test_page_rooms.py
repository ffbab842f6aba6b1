"""The page's rooms: the folders and modules at the top of modules/ui, and the imports between them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final

import pytest

from tests.architecture.source_tree import Source, imports_of, program_sources

_TOP: Final = "modules/ui/"
MAX_ROOMS: Final = 18
MAX_ARROWS: Final = 48


def rooms_of(sources: Iterable[Source]) -> dict[str, set[str]]:
    """For each room the others that it imports."""
    arrows: defaultdict[str, set[str]] = defaultdict(set)
    for source in sources:
        if not source.path.startswith(_TOP) or source.path == f"{_TOP}__init__.py":
            continue
        here = _room(source.path.removeprefix(_TOP))
        found = {name.split(".")[2] for _, name in imports_of(source) if name.startswith("modules.ui.")}
        arrows[here] |= found - {here}
    return dict(arrows)


def _room(path: str) -> str:
    return path.partition("/")[0].removesuffix(".py")


def upward(rooms: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Rooms of a circle, in which one has to import from above; empty where there is none."""
    try:
        TopologicalSorter(rooms).prepare()
    except CycleError as circle:
        return tuple(circle.args[1])
    return ()


def test_page_has_few_rooms_and_few_arrows_between_them() -> None:
    rooms = rooms_of(program_sources())
    assert {"app", "server", "chat", "shell"} <= rooms.keys()
    assert len(rooms) <= MAX_ROOMS
    assert sum(map(len, rooms.values())) <= MAX_ARROWS, rooms


def test_no_arrow_of_the_page_goes_upward() -> None:
    assert upward(rooms_of(program_sources())) == ()


@pytest.mark.parametrize(
    ("texts", "is_found"),
    [
        ({"modules/ui/a/x.py": "from modules.ui.b.y import f", "modules/ui/b/y.py": "import modules.ui.c"}, False),
        ({"modules/ui/a/x.py": "from modules.ui.b.y import f", "modules/ui/b.py": "from modules.ui.a import x"}, True),
    ],
)
def test_upward_arrow_is_found(texts: dict[str, str], is_found: bool) -> None:
    rooms = rooms_of(Source(path, text) for path, text in texts.items())
    assert rooms["a"] == {"b"}
    assert bool(upward(rooms)) is is_found
