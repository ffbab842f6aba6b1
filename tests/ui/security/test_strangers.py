"""Who may call the page's port, for what, and what every answer says to browsers."""

import json
from typing import Any, Final

import httpx
import pytest

from modules.ui.shell.paths import OpenTo, open_to
from tests.ui.served import ServedPage
from tests.ui.wire import new_tab

pytestmark = pytest.mark.asyncio(loop_scope="module")

JOIN: Final = "/gradio_api/queue/join"
OPEN: Final = (
    "/",
    "/config",
    "/theme.css",
    "/login_check",
    "/gradio_api/app_id",
    "/gradio_api/file=/etc/passwd",
    "/nothing",
)
CLOSED: Final = (
    "/docs",
    "/openapi.json",
    "/redoc",
    "/monitoring",
    "/monitoring/summary",
    "/monitoring/key",
    "/pwa_icon",
    "/file=/etc/passwd",
    "/gradio_api/info",
    "/gradio_api/openapi.json",
    "/gradio_api/runs",
    "/gradio_api/run-history/records",
    "/gradio_api/deep_link?session_hash=x",
    "/gradio_api/dev/reload",
    "/gradio_api/heartbeat/x",
    "/gradio_api/token",
    "/gradio_api/proxy=http://127.0.0.1:9/",
    "/gradio_api/custom_component/x/client/y/z",
    "/gradio_api/vibe-code",
    "/gradio_api/profiling/traces",
    "/gradio_api/mcp/sse",
    "/gradio_api/file=http://127.0.0.1:9/",
    "/gradio_api/file=HTTPS://example.com/",
    "/gradio_api/file=file:///etc/passwd",
)
CLOSED_TO_POSTS: Final = (
    "/gradio_api/run/predict",
    "/gradio_api/api/predict",
    "/gradio_api/call/predict",
    "/gradio_api/call/v2/predict",
    "/gradio_api/process_recording",
    "/gradio_api/vibe-edit",
    "/run/predict",
    "/queue/join",
)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example"])
async def test_a_foreign_host_is_refused(page: ServedPage, host: str) -> None:
    response = await page.http.get("/config", headers={"host": host})
    assert response.status_code == 400
    _expect_headers(response)


@pytest.mark.parametrize(
    "sent",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost.evil.example"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
    ],
    ids=lambda sent: next(iter(sent.values())),
)
async def test_what_other_pages_send_is_refused(page: ServedPage, sent: dict[str, str]) -> None:
    before = await _chats(page)
    for response in (
        await page.http.get("/config", headers=sent),
        await page.http.post(JOIN, json=await _message(page), headers=sent),
        await page.http.options(JOIN, headers={**sent, "access-control-request-method": "POST"}),
    ):
        assert response.status_code in {403, 404, 405}, response.text
        assert "access-control-allow-origin" not in response.headers
        _expect_headers(response)
    assert await _chats(page) == before


async def test_a_form_cannot_post_an_event(page: ServedPage) -> None:
    content = json.dumps(await _message(page))
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        response = await page.http.post(JOIN, content=content, headers={"content-type": kind})
        assert response.status_code == 415, kind


async def test_its_own_page_may(page: ServedPage) -> None:
    own = {"origin": page.url, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
    assert (await page.http.post(JOIN, json=await _message(page), headers=own)).status_code == 200
    assert (await page.http.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"})).is_success


@pytest.mark.parametrize("path", CLOSED)
async def test_what_nobody_needs_is_closed(page: ServedPage, path: str) -> None:
    response = await page.http.get(path)
    assert response.status_code == 404
    _expect_headers(response)


@pytest.mark.parametrize("path", CLOSED_TO_POSTS)
async def test_events_go_through_the_queue_only(page: ServedPage, path: str) -> None:
    assert (await page.http.post(path, json={"data": [], "fn_index": 0})).status_code == 404


async def test_no_socket_is_opened(page: ServedPage) -> None:
    asking = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    assert (await page.http.get(JOIN, headers=asking)).status_code in {400, 404, 405}


@pytest.mark.parametrize("path", OPEN)
async def test_every_answer_has_its_headers(page: ServedPage, path: str) -> None:
    _expect_headers(await page.http.get(path))


async def test_the_configuration_says_nothing_of_this_machine(page: ServedPage) -> None:
    async with new_tab(page.http):
        text = (await page.http.get("/config")).text + (await page.http.get("/")).text
    assert str(page.folder) not in text


@pytest.mark.parametrize(
    "path", ["/gradio_api/file=C:/x.png", "/gradio_api/file=/tmp/a b.png", "/static/js/x.js", "/logout/"]
)
async def test_what_the_page_needs_is_open(path: str) -> None:
    assert open_to(path) is not OpenTo.NOBODY


def _expect_headers(response: httpx.Response) -> None:
    assert response.headers["x-content-type-options"] == "nosniff"
    policy = response.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert "access-control-allow-origin" not in response.headers


async def _message(page: ServedPage) -> dict[str, Any]:
    """The body of an event that begins a reply."""
    async with new_tab(page.http) as tab:
        dependency = tab.dependency("box", "submit")
        tab.values[tab.component("box")] = {"text": "echo: run", "files": []}
        return {
            "data": [tab.values[number] for number in dependency["inputs"]],
            "fn_index": dependency["id"],
            "session_hash": "x",
        }


async def _chats(page: ServedPage) -> int:
    return len(list((page.folder / "logs").rglob("*.json")))
