"""Which files the page serves and takes: uploads, and nothing else of this machine."""

import os
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.ui.security.hostile import SECRET, Trap
from tests.ui.served import ServedPage
from tests.ui.wire import new_tab

pytestmark = pytest.mark.asyncio(loop_scope="module")

UPLOAD: Final = "/gradio_api/upload"
FILE: Final = "/gradio_api/file="
MIB: Final = 2**20


@pytest.mark.parametrize(
    "spelling",
    ["{}", "{}/../canary.txt", "//{}", "/proc/self/root{}", "%2e%2e/{}", "{}%00.png", "{}/.", "file://{}"],
)
async def test_files_beside_the_uploads_are_not_served(page: ServedPage, trap: Trap, spelling: str) -> None:
    for secret in (trap.folder / "canary.yaml", trap.folder.parent / "canary.txt", Path("/etc/passwd"), Path(__file__)):
        for path in (str(secret), str(secret).upper(), str(secret).swapcase()):
            response = await page.http.get(FILE + spelling.format(path))
            assert response.status_code in {400, 403, 404}, spelling
            assert SECRET not in response.text


async def test_a_link_among_the_uploads_leads_nowhere(page: ServedPage, trap: Trap) -> None:
    uploaded = Path(await _uploaded(page, "note.txt", b"hello"))
    link = uploaded.with_name("link.txt")
    link.symlink_to(trap.folder / "canary.txt")
    assert (await page.http.get(f"{FILE}{uploaded}")).text == "hello"
    assert (await page.http.get(f"{FILE}{link}")).status_code == 403
    link.unlink()


async def test_an_event_may_name_uploads_only(page: ServedPage, trap: Trap) -> None:
    uploaded = await _uploaded(page, "note.txt", b"the note")
    async with new_tab(page.http) as tab:
        for path in (
            trap.folder / "canary.txt",
            trap.folder.parent / "canary.json",
            Path(uploaded).parent / "../../../canary.txt",
        ):
            event = await tab.act("box", "submit", box={"text": "read", "files": [_named(str(path))]})
            assert event.error
        assert tab.words == []
        event = await tab.act("box", "submit", box={"text": "read", "files": [_named(uploaded)]})
        assert event.error is None
        assert "note.txt" in str(tab.words)
    copies = [
        path
        for path in (trap.folder / "cache").rglob("*")
        if path.is_file() and SECRET in path.read_text(errors="replace")
    ]
    assert copies == []


async def test_an_event_makes_nobody_fetch_anything(page: ServedPage) -> None:
    """Gradio would fetch what is no address of this network."""
    async with new_tab(page.http) as tab:
        for address in ("http://127.0.0.1:9/x.txt", "https://example.com/x.txt", "HTTP://example.com/x.txt"):
            event = await tab.act("box", "submit", box={"text": "read", "files": [_named(address)]})
            assert "Invalid request" in str(event.error)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.html", b"<script>alert(1)</script>"),
        ("picture.svg", b"<svg onload='alert(1)'/>"),
        ("a.xml", b"<x/>"),
        ("a.js", b"x"),
    ],
)
async def test_what_could_run_is_only_saved(page: ServedPage, name: str, content: bytes) -> None:
    path = await _uploaded(page, name, content)
    async with new_tab(page.http) as tab:
        # Naming it in an event must not make it the program's own.
        await tab.act("box", "submit", box={"text": "read", "files": [_named(path)]})
    response = await page.http.get(FILE + path)
    assert response.status_code == 200
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.headers["content-type"].startswith("application/octet-stream")
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name", ["../../x.py", "/etc/cron.d/x", "..\\..\\x.bat", "x\0.txt", "x" * 5000, "..", "CON", "a\r\nb.txt"]
)
async def test_a_file_s_name_cannot_choose_its_folder(page: ServedPage, trap: Trap, name: str) -> None:
    response = await page.http.post(UPLOAD, files={"files": (name, b"content")})
    assert response.status_code < 500
    for path in response.json() if response.status_code == 200 else ():
        assert _is_inside(path, trap.folder / "cache" / "gradio")
    trap_names = {path.name for path in trap.folder.parent.iterdir()}
    assert trap_names == {path.name for path in trap.outside} | {trap.folder.name}


async def test_too_large_a_file_is_refused_and_leaves_nothing(page: ServedPage, trap: Trap) -> None:
    before = _held(trap)
    response = await page.http.post(UPLOAD, files={"files": ("big.txt", b"x" * (65 * MIB))})
    assert response.status_code == 413
    assert _held(trap) < before + MIB
    assert (await page.http.get("/config")).status_code == 200


def _is_inside(path: str, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(folder)


def _held(trap: Trap) -> int:
    return sum(path.stat().st_size for path in (trap.folder / "cache" / "gradio").rglob("*") if path.is_file())


def _named(path: str) -> dict[str, object]:
    return {"path": path, "orig_name": "note.txt", "meta": {"_type": "gradio.FileData"}}


async def _uploaded(page: ServedPage, name: str, content: bytes) -> str:
    response: httpx.Response = await page.http.post(UPLOAD, files={"files": (name, content)})
    assert response.status_code == 200, response.text
    (path,) = response.json()
    return str(path)
