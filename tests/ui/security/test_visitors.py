"""With --multi-user, visitors are kept apart: nobody sees what another one writes, and nothing of it gets on disk."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.ui.security.hostile import ANY_EVENT, Trap
from tests.ui.served import ServedPage, served_page
from tests.ui.wire import Tab, new_tab

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.timeout(240)]

SECRET: Final = "the-visitor-s-own-words"
KEPT: Final = "what-the-owner-said-before"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(trap: Trap) -> AsyncIterator[ServedPage]:
    chat = trap.folder / "logs" / "instruct" / "20250101-00-00-00.json"
    chat.parent.mkdir(parents=True)
    chat.write_text(json.dumps({"internal": [[KEPT, KEPT]], "visible": [[KEPT, KEPT]]}))
    async with served_page(trap.folder, multi_user=True) as served:
        yield served


async def test_visitors_talk_side_by_side_and_leave_no_trace(page: ServedPage) -> None:
    before = _files(page.folder)
    async with new_tab(page.http) as first, new_tab(page.http) as second:
        replies = await asyncio.gather(first.ask(f"echo: {SECRET}"), second.ask("echo: somebody else"))
        assert list(replies) == [SECRET, "somebody else"]
        assert SECRET not in "".join(second.heard)
    async with new_tab(page.http) as later:
        assert later.words == []
        assert KEPT not in "".join(later.heard)
    assert _files(page.folder) == before


@pytest.mark.extended
async def test_no_event_reaches_another_s_chat_or_the_disk(page: ServedPage, trap: Trap) -> None:
    """All events of the page, with the names of what lies on disk, while somebody else is talking."""
    before = _files(page.folder)
    async with new_tab(page.http) as victim, new_tab(page.http) as visitor:
        assert await victim.ask(f"echo: {SECRET}") == SECRET
        for dependency in visitor.events:
            if dependency["backend_fn"]:
                for name in ("20250101-00-00-00", victim.session):
                    await _send(visitor, dependency, name)
        heard = "".join(visitor.heard)
        assert SECRET not in heard
        assert KEPT not in heard
        assert victim.words == [f"echo: {SECRET}", SECRET]
    assert _files(page.folder) == before
    trap.check()


async def _send(tab: Tab, dependency: dict[str, Any], name: str) -> None:
    kinds = [tab.components[number]["type"] for number in dependency["inputs"]]
    menus = {"multimodaltextbox": {"text": f"echo: {name}", "files": []}, "checkboxgroup": []}
    words = [
        menus.get(kind, name if kind in {"textbox", "dropdown", "radio", "html", "code"} else tab.values[number])
        for kind, number in zip(kinds, dependency["inputs"], strict=True)
    ]
    for data in (words, None):
        posted = await tab.post(dependency, data, ANY_EVENT)
        if posted.status_code == 200:
            await tab.over(tab.expect(posted, dependency))


def _files(folder: Path) -> dict[str, bytes]:
    """What is the user's; the cache is not."""
    files = (path for path in folder.rglob("*") if path.is_file() and "cache" not in path.relative_to(folder).parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
