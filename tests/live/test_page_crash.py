"""The page when something ends in the middle of a reply: the server, the model, the tab. What was said is kept."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any, Final

import pytest

from tests.live.page_server import SCRIPTED, page_client, page_server
from tests.ui.wire import new_tab

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(180)]

# Its words come every 20 ms; a chat is stored once a second.
WORDS_A_SECOND: Final = 50
LOST_AT_MOST: Final = 2 * WORDS_A_SECOND


async def test_a_killed_server_loses_a_second_at_most(tmp_path: Path) -> None:
    async with page_server(tmp_path, *SCRIPTED) as server, page_client(server) as page, new_tab(page) as tab:
        assert await tab.ask("echo: said before") == "said before"
        await tab.say("slow 2000")
        await server.until(lambda: len(tab.live_words) > 3 * WORDS_A_SECOND)
        shown = tab.live_words
        server.send_signal(signal.SIGKILL)
        server.kill()
    (chat,) = chats(tmp_path)
    assert chat["internal"][0] == ["echo: said before", "said before"]
    asked, kept = chat["internal"][1]
    assert asked == "slow 2000"
    assert len(kept) > len(shown) - LOST_AT_MOST
    assert leftovers(tmp_path) == []
    async with page_server(tmp_path, *SCRIPTED) as again, page_client(again) as page, new_tab(page) as tab:
        assert tab.words == ["echo: said before", "said before", "slow 2000", kept]
        assert await tab.ask("echo: and on") == "and on"


@pytest.mark.extended
async def test_a_killed_model_is_told_and_comes_back(tmp_path: Path) -> None:
    async with page_server(tmp_path, *SCRIPTED) as server, page_client(server) as page, new_tab(page) as tab:
        event = await tab.say("slow 2000")
        await server.until(lambda: len(tab.live_words) > 20)
        server.model_process().kill()
        await tab.over(event)
        assert event.error
        asked, reply = tab.words
        assert asked == "slow 2000"
        assert reply.startswith("abcdefghij")
        assert chats(tmp_path)[0]["internal"] == [[asked, reply]]
        assert await tab.ask("echo: back again") == "back again"


@pytest.mark.extended
async def test_an_unloaded_model_is_told(tmp_path: Path) -> None:
    async with page_server(tmp_path, *SCRIPTED) as server, page_client(server) as page, new_tab(page) as tab:
        event = await tab.say("stall")
        await tab.until("waiting")
        async with server.client() as api:
            unloading = asyncio.create_task(api.post("/v1/internal/model/unload"))
            await tab.over(event)
            assert (await unloading).status_code == 200
        assert event.error
        assert tab.words == ["stall", "waiting"]
        refused = await tab.act("box", "submit", box={"text": "echo: x", "files": []})
        assert "model" in str(refused.error).lower()


def chats(folder: Path) -> list[dict[str, Any]]:
    """Every chat on disk; each must be one."""
    files = [path for path in (folder / "logs").rglob("*.json") if path.name != "state.json"]
    return [chat for chat in (json.loads(path.read_text()) for path in files) if "internal" in chat]


def leftovers(folder: Path) -> list[Path]:
    return [path for path in (folder / "logs").rglob("*.json") if not path.stat().st_size]
