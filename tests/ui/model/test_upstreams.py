"""Models on other servers, as an operator sets them up on the Models page."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path

import gradio as gr
import pytest

from modules.settings.file import read_settings_file
from modules.ui.model.picker.picker import ModelPicker
from modules.ui.model.upstreams import UpstreamHandlers, UpstreamParts, upstream_parts
from modules.ui.page.page import Page
from tests.chatmodels.remote.raw_server import Answer, Request, head, piece, raw_server
from tests.ui.open_page import Seen, asked_from, open_page

NOWHERE = "http://127.0.0.1:9/v1"


def _lists(*names: str) -> Answer:
    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        body = json.dumps({"data": [{"id": name} for name in names]}).encode()
        writer.write(head(kind="application/json") + piece(body) + piece(b""))

    return answer


@dataclass
class Section:
    """As one browser sees it."""

    page: Page
    seen: Seen = field(default_factory=Seen)

    def __post_init__(self) -> None:
        with gr.Blocks():
            self.parts: UpstreamParts = upstream_parts(can_change=True)
        self.handlers = UpstreamHandlers(self.page, self.parts)

    @property
    def listed(self) -> str:
        return str(self.seen.values[self.parts.listed]).replace("\\", "")

    async def open(self, request: gr.Request | None = None) -> None:
        self.seen.show(await self.handlers.opened(request or asked_from()))

    async def save(self, name: str, urls: str, key: str = "") -> None:
        self.seen.show(await self.handlers.saved(name, urls, key, asked_from()))

    async def choose(self, name: str, request: gr.Request | None = None) -> str:
        self.seen.show(self.handlers.chosen(name, request or asked_from()))
        return str(self.seen.values[self.parts.urls])


async def _offered(page: Page) -> set[str]:
    return {row["name"] for row in (await ModelPicker(page).listed())["rows"]}


async def test_a_server_is_added_changed_and_removed(tmp_path: Path) -> None:
    async with raw_server(_lists("a", "b")) as server, open_page(tmp_path) as page:
        section = Section(page)
        await section.open()
        assert section.listed.startswith("No other server is set up.")

        await section.save("lab", f" {server.url}, {NOWHERE}", "k3y")
        assert section.listed == f"**lab** (`{server.url}`, `{NOWHERE}`), with a key: a, b"
        assert section.seen.values[section.parts.key] == ""
        assert {"lab/a", "lab/b"} <= await _offered(page)

        # The key stays with the name, and is shown to nobody.
        await section.save("lab", server.url)
        assert [request.headers["authorization"] for request in server.requests] == ["Bearer k3y"] * 2
        assert await section.choose("lab") == server.url
        assert "k3y" not in f"{section.seen.values} {section.seen.properties}"
        await section.save("else", NOWHERE)
        assert "**else** (`http://127.0.0.1:9/v1`): it does not answer" in section.listed

        await page.saved_settings.aclose()
        stored = tmp_path / "settings.yaml"
        kept = read_settings_file(stored)
        assert kept == {"upstream": [f"lab={server.url}", f"else={NOWHERE}"], "upstream_key": ["lab=k3y"]}
        assert stored.stat().st_mode & 0o077 == 0

        section.seen.show(await section.handlers.removed("lab", asked_from()))
        assert section.listed.startswith("**else**")
        assert not {"lab/a", "lab/b"} & await _offered(page)
        assert section.seen.values[section.parts.urls] == ""
        await page.saved_settings.aclose()
        assert read_settings_file(stored) == {"upstream": [f"else={NOWHERE}"]}


@pytest.mark.parametrize(
    ("name", "urls", "key"),
    [
        ("", NOWHERE, ""),
        ("two words", NOWHERE, ""),
        ("lab", "", ""),
        ("lab", "127.0.0.1:9", ""),
        ("lab", "http://user:k3y@127.0.0.1:9/v1", ""),
        ("lab", NOWHERE, "two words"),
    ],
)
async def test_what_cannot_be_used_is_refused_and_changes_nothing(
    tmp_path: Path, name: str, urls: str, key: str
) -> None:
    async with open_page(tmp_path) as page:
        section = Section(page)
        with pytest.raises(gr.Error) as refused:
            await section.save(name, urls, key)
        assert "k3y" not in refused.value.message
        assert not page.runtime.remote
        assert page.settings.upstream == ()


async def test_strangers_change_no_server_and_see_no_address(tmp_path: Path) -> None:
    stranger = asked_from("page.example:7860", x_forwarded_for="192.0.2.1")
    async with raw_server(_lists("a")) as server, open_page(tmp_path, upstream=(f"lab={server.url}",)) as page:
        section = Section(page)
        await section.open(stranger)
        assert section.listed == "**lab**: a"
        assert await section.choose("lab", stranger) == ""
        with pytest.raises(gr.Error):
            await section.handlers.saved("lab", NOWHERE, "", stranger)
        with pytest.raises(gr.Error):
            await section.handlers.removed("lab", stranger)
        assert list(page.runtime.remote) == ["lab"]
