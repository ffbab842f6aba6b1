"""A page with passwords: nothing but the way in is open to those who do not know one."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

import httpx
import pytest
import pytest_asyncio

from tests.ui.security.hostile import Trap
from tests.ui.served import ServedPage, served_page
from tests.ui.wire import new_tab

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Passwords may have colons in them.
PASSWORD: Final = "pass:word:x"
GUARDED: Final = (
    "/config",
    "/news",
    "/gradio_api/app_id",
    "/gradio_api/login_check",
    "/gradio_api/queue/data?session_hash=x",
    "/gradio_api/upload_progress?upload_id=x",
    "/gradio_api/file=/etc/passwd",
    "/gradio_api/stream/x/0/1/playlist.m3u8",
)
GUARDED_POSTS: Final = (
    "/left",
    "/gradio_api/queue/join",
    "/gradio_api/cancel",
    "/gradio_api/reset",
    "/gradio_api/component_server",
    "/gradio_api/stream/x",
)
WRONG: Final = (
    {"username": "me", "password": "pass"},
    {"username": "me", "password": "pass:word"},
    {"username": "me", "password": ""},
    {"username": "", "password": PASSWORD},
    {"username": "ME", "password": PASSWORD},
    {"username": "me", "password": "ä" * 5000},
    {"username": "me", "password": f"{PASSWORD}\0"},
    {"username": "other", "password": PASSWORD},
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(trap: Trap) -> AsyncIterator[ServedPage]:
    async with served_page(trap.folder, gradio_auth=f"me:{PASSWORD},other:second") as served:
        yield served


@pytest.mark.parametrize("path", GUARDED)
async def test_a_stranger_gets_nothing(page: ServedPage, path: str) -> None:
    async with _stranger(page) as http:
        assert (await http.get(path)).status_code == 401
        forged = {"cookie": "access-token=x; access-token-unsecure-x=y"}
        assert (await http.get(path, headers=forged)).status_code == 401


@pytest.mark.parametrize("path", GUARDED_POSTS)
async def test_a_stranger_runs_nothing(page: ServedPage, path: str) -> None:
    async with _stranger(page) as http:
        body = {"data": [], "fn_index": 0, "session_hash": "x", "event_id": "x"}
        assert (await http.post(path, json=body)).status_code == 401
        assert (await http.post("/gradio_api/upload", files={"files": ("a.txt", b"x")})).status_code == 401


@pytest.mark.parametrize("words", WRONG, ids=range(len(WRONG)))
async def test_wrong_passwords_are_refused(page: ServedPage, words: Mapping[str, str]) -> None:
    async with _stranger(page) as http:
        assert (await http.post("/login", data=words)).status_code in {400, 422}
        assert (await http.get("/config")).status_code == 401


async def test_the_page_of_a_stranger_asks_for_a_password_only(page: ServedPage) -> None:
    async with _stranger(page) as http:
        text = (await http.get("/")).text
    assert "auth_required" in text
    assert "system message" not in text.lower()


async def test_who_knows_the_password_chats_until_he_leaves(page: ServedPage) -> None:
    async with _stranger(page) as http:
        assert (await http.post("/login", data={"username": "me", "password": PASSWORD})).status_code == 200
        async with new_tab(http) as tab:
            assert await tab.ask("echo: signed in") == "signed in"
        await http.get("/logout")
        assert (await http.get("/config")).status_code == 401


def _stranger(page: ServedPage) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=page.url, trust_env=False, timeout=20)
