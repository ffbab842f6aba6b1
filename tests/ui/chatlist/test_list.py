"""The list of chats as browsers ask for it: what it says, when it changes, and what it refuses."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.ui.served import ServedPage, served_page
from tests.ui.wire import Event, Tab, new_tab

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

EARLIER = "20260102-10-00-00"


def keep(folder: Path, chat: str, text: str, place: str = "instruct") -> None:
    file = folder / "logs" / place / f"{chat}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"internal": [[text, "Yes"]], "visible": [[text, "Yes"]]}), encoding="utf-8")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedPage]:
    folder = tmp_path_factory.mktemp("user_data")
    keep(folder, EARLIER, "Good <script> morning")
    keep(folder, "20260103-10-00-00", "Of Ann", "chat/Ann")
    async with served_page(folder) as served:
        yield served


@asynccontextmanager
async def opened(page: ServedPage, chat: str = "") -> AsyncIterator[Tab]:
    """A tab with a new chat, or with that one of the list."""
    async with new_tab(page.http) as tab:
        await tab.act("past-chats", "select", event_data={"chat": chat})
        yield tab


def shown(tab: Tab) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(tab.value("past-chats"))
    return value


async def served(tab: Tab, function: str, **asked: Any) -> Any:
    body = {
        "data": asked,
        "component_id": tab.component("past-chats"),
        "fn_name": function,
        "session_hash": tab.session,
    }
    # Written in ASCII, JSON can hold what is no text.
    headers = {"content-type": "application/json"}
    answer = await tab.http.post("/gradio_api/component_server", content=json.dumps(body), headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def addressed(tab: Tab, chat: str) -> Event:
    """As a page that is opened with the address of a chat."""
    place = tab.component("place")
    (load,) = (
        each for each in tab.events if place in each["inputs"] and any(event == "load" for _, event in each["targets"])
    )
    return await tab.over(await tab.send(load, [None, json.dumps({"asked": chat})]))


async def changed(tab: Tab, revision: str) -> Any:
    """The list, once the stream of news says that it is another one."""
    async with tab.http.stream("GET", "/news") as answer:
        async for line in answer.aiter_lines():
            if line and json.loads(line.removeprefix("data: "))["chats"] != revision:
                break
    return await served(tab, "list_changes", revision=revision)


def row(told: dict[str, Any], title: str) -> dict[str, Any]:
    """Empty where there is none."""
    return next((each for each in told["chats"] if each["title"] == title), {})


async def test_every_browser_hears_of_a_new_chat_before_its_reply_is_complete(page: ServedPage) -> None:
    async with opened(page) as first, opened(page) as second:
        before = shown(second)
        assert await served(second, "list_changes", revision=before["revision"]) == {"revision": before["revision"]}
        await first.say("slow 1000")
        told = await changed(second, before["revision"])
        while not row(told, "slow 1000").get("writing"):
            told = await changed(second, told["revision"])
        await first.until_words("slow 1000")
        assert row(shown(first), "slow 1000")["id"] == shown(first)["chat"]
        await first.act("new-chat", "click")
        # It goes on while nobody looks, and then is one that nobody has seen.
        chat = row(told, "slow 1000")["id"]
        await second.act("past-chats", "select", event_data={"chat": EARLIER})
        await first.begin("past-chats", "clear", event_data={"chat": chat})
        while any(each["id"] == chat for each in told["chats"]):
            told = await changed(second, told["revision"])


async def test_a_reply_that_nobody_has_seen_is_marked_until_somebody_opens_it(page: ServedPage) -> None:
    async with opened(page) as tab:
        await tab.say("slow 100")
        await tab.until_words("slow 100")
        chat = shown(tab)["chat"]
        await tab.act("new-chat", "click")
        told = shown(tab)
        while not row(told, "slow 100").get("unseen"):
            told = await changed(tab, told["revision"])
        await tab.act("past-chats", "select", event_data={"chat": chat})
        told = await served(tab, "list_changes", revision="")
        assert "unseen" not in row(told, "slow 100")
        assert tab.words[0] == "slow 100"


async def test_chats_are_arranged(page: ServedPage) -> None:
    async with opened(page, EARLIER) as tab:
        assert "<" not in tab.value("past-chats")
        told = await served(tab, "arrange_chats", act="new folder", name="Work", chat=EARLIER)
        (folder,) = told["folders"]
        assert row(told, "Good <script> morning")["folder"] == folder["id"]
        await served(tab, "arrange_chats", act="tag", chat=EARLIER, tags=["early"])
        told = await served(tab, "arrange_chats", act="pin", chat=EARLIER)
        assert row(told, "Good <script> morning")["pinned"] is True
        found = await served(tab, "search_chats", words="morn #early")
        assert row(found, "Good <script> morning")["pieces"] == [
            ["Good <script> ", False],
            ["morning", True],
            [" Yes", False],
        ]
        assert (await served(tab, "search_chats", words="evening"))["chats"] == []
        await served(tab, "arrange_chats", act="unpin", chat=EARLIER)
        told = await served(tab, "arrange_chats", act="delete folder", folder=folder["id"])
        assert told["folders"] == []


@pytest.mark.parametrize(
    "asked",
    [
        {"act": "pin", "chat": "20000101-10-00-00"},
        {"act": "pin", "chat": "../../settings"},
        {"act": "pin", "chat": EARLIER, "character": "../.."},
        {"act": "move", "chat": EARLIER, "folder": "gone"},
        {"act": "format"},
        {"act": 1},
        {"act": "rename folder", "folder": "gone", "name": "\ud800"},
    ],
)
async def test_what_cannot_be_is_said(page: ServedPage, asked: dict[str, Any]) -> None:
    async with new_tab(page.http) as tab:
        before = sorted(page.folder.glob("logs/**/*"))
        assert (await served(tab, "arrange_chats", **asked))["error"]
        assert sorted(page.folder.glob("logs/**/*")) == before


async def test_a_copy_and_a_branch_say_what_they_are(page: ServedPage) -> None:
    async with opened(page, EARLIER) as tab:
        for kind in ("branch", "copy"):
            await tab.act("past-chats", "copy", event_data={"chat": EARLIER, "kind": kind})
            assert shown(tab)["title"] == f"Good <script> morning ({kind})"
            assert tab.words[1] == "Yes"
        await tab.act("past-chats", "clear", event_data={"chat": EARLIER})
        assert shown(tab)["title"] == "Good <script> morning (copy)"
        await tab.act("undo-delete", "click")
        assert shown(tab)["chat"] == EARLIER


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("20000101-10-00-00", "no such chat"),
        ("../../settings", "no such chat"),
        ("20260103-10-00-00", "led with the character Ann"),
    ],
)
async def test_an_address_that_leads_nowhere_is_told_of(page: ServedPage, asked: str, said: str) -> None:
    async with new_tab(page.http) as tab:
        event = await addressed(tab, asked)
        assert said in " ".join(event.notices)
        assert (shown(tab)["chat"], tab.words) == ("", [])
        refused = await tab.act("past-chats", "select", event_data={"chat": asked})
        assert said in str(refused.error)


async def test_an_address_leads_to_its_chat(page: ServedPage) -> None:
    keep(page.folder, "20260104-10-00-00", "Addressed")
    async with opened(page, "20260104-10-00-00") as tab:
        await tab.act("past-chats", "submit", event_data={"chat": "20260104-10-00-00", "name": "Under its old address"})
    async with new_tab(page.http) as tab:
        await addressed(tab, "20260104-10-00-00")
        assert (shown(tab)["title"], tab.words) == ("Under its old address", ["Addressed", "Yes"])


async def test_visitors_have_no_list(tmp_path: Path) -> None:
    keep(tmp_path, EARLIER, "The owner's")
    async with served_page(tmp_path, multi_user=True) as page, new_tab(page.http) as tab:
        assert (await served(tab, "list_changes", revision=""))["chats"] == []
        assert (await served(tab, "search_chats", words="owner"))["chats"] == []
        for asked in ({"act": "pin", "chat": EARLIER}, {"act": "new folder", "name": "x"}):
            assert "multi-user" in (await served(tab, "arrange_chats", **asked))["error"]
        for event in ("delete", "clear", "submit", "copy", "download", "select"):
            told = await tab.act("past-chats", event, event_data={"chat": EARLIER, "name": "x", "format": "zip"})
            assert "owner" not in "".join(tab.heard)
            assert event == "select" or told.error or event == "delete"
        assert [file.name for file in (tmp_path / "logs").rglob("*.json")] == [f"{EARLIER}.json"]


async def test_a_chat_that_another_tab_has_changed_is_shown_with_its_reply(page: ServedPage) -> None:
    async with opened(page) as first, opened(page) as second:
        assert await first.ask("echo: one") == "one"
        chat = shown(first)["chat"]
        await second.act("past-chats", "select", event_data={"chat": chat})
        assert second.words == first.words
        told = await served(second, "list_changes", character=None, revision="", limit=0, chat=chat)
        assert told["state"] == mark(second) == mark(first)
        await first.ask("echo: two")
        told = await served(second, "list_changes", character=None, revision="", limit=0, chat=chat)
        assert told["state"] == mark(first) != mark(second)
        reply = await first.say("slow 500")
        await first.until("abc")
        told = await served(second, "list_changes", character=None, revision="", limit=0, chat=chat)
        assert told["state"].startswith("reply ")
        again = await served(second, "list_changes", character=None, revision=told["revision"], limit=0, chat=chat)
        assert again == {"revision": told["revision"], "state": told["state"]}
        pace = second.labelled("Max tokens/s (pace)")
        second.values[pace] = 15
        followed = await second.begin("past-chats", "select", event_data={"chat": chat, "changed": "elsewhere"})
        await second.until("abc")
        await first.act("box", "stop")
        await first.over(reply)
        await second.over(followed)
        assert second.words == first.words
        assert mark(second) == mark(first)
        # What nobody has entered there just now is not remembered.
        async with new_tab(page.http) as later:
            assert later.values[pace] == 0


async def test_a_chat_that_another_tab_has_deleted_is_left(page: ServedPage) -> None:
    async with opened(page) as first, opened(page) as second:
        await first.ask("echo: one")
        chat = shown(first)["chat"]
        await second.act("past-chats", "select", event_data={"chat": chat})
        await first.act("past-chats", "delete")
        told = await served(second, "list_changes", character=None, revision="", limit=0, chat=chat)
        assert (told["gone"], told["chat"]) == (True, "")
        event = await second.act("past-chats", "select", event_data={"chat": chat, "changed": "elsewhere"})
        assert "deleted in another tab" in event.notices[0]
        assert (second.words, shown(second)["chat"]) == ([], "")
        await first.act("undo-delete", "click")


def mark(tab: Tab) -> str:
    return str(json.loads(tab.value("place"))["mark"])
