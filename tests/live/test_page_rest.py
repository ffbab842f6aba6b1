"""What an open page costs: nothing while nobody writes, and no more memory after many replies."""

import asyncio
import json
import os
from pathlib import Path
from typing import Final

import pytest

from tests.live.page_server import SCRIPTED, page_client, page_server
from tests.ui.wire import Tab, new_tab

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.extended, pytest.mark.timeout(240)]

# PAGE_IDLE_SECONDS=30 watches for longer.
WINDOW_SECONDS: Final = float(os.environ.get("PAGE_IDLE_SECONDS", "5"))
IDLE_SHARE: Final = 0.02
WARM_UP, REPLIES = 10, 50
GROWTH_MIB: Final = 25


async def test_an_open_page_costs_nothing_while_nobody_writes(tmp_path: Path) -> None:
    async with page_server(tmp_path, *SCRIPTED) as server, page_client(server) as page, new_tab(page) as tab:
        assert await tab.ask("echo: hello") == "hello"
        async with page.stream("GET", f"/gradio_api/heartbeat/{tab.session}") as heartbeat:
            assert heartbeat.status_code == 200
            # The last second's saving is still to come.
            await server.until(lambda: "hello" in _saved(tmp_path))
            shares = []
            for _ in range(3):
                before = server.cpu_seconds()
                await asyncio.sleep(WINDOW_SECONDS)
                shares.append((server.cpu_seconds() - before) / WINDOW_SECONDS)
            assert min(shares) < IDLE_SHARE, shares
            # A clock that runs makes every open page ask again and again.
            assert not any(_timers(tab))


async def test_fifty_replies_in_one_chat_leave_memory_flat(tmp_path: Path) -> None:
    async with page_server(tmp_path, *SCRIPTED) as server, page_client(server) as page, new_tab(page) as tab:
        warm = 0.0
        for number in range(REPLIES):
            if number == WARM_UP:
                warm = server.memory_mib()
            assert await tab.ask(f"echo: {number} {'word ' * 20}") == f"{number} {'word ' * 20}".strip()
        assert len(tab.words) == 2 * REPLIES
        assert server.memory_mib() - warm < GROWTH_MIB


def _saved(folder: Path) -> str:
    return json.dumps([path.read_text() for path in (folder / "logs").rglob("*.json")])


def _timers(tab: Tab) -> list[bool]:
    """Whether each clock on the page is running when it is opened."""
    return [bool(each["props"].get("active")) for each in tab.components.values() if each["type"] == "timer"]
