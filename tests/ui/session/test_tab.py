"""The Session tab's handlers: what is saved, what starts and stops, and who may not."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import pytest_asyncio
import yaml

from modules.settings.values import API_EXTENSION
from modules.ui.page.page import Page
from modules.ui.session.layout import ApiParts, ProgramParts, api_parts, extension_parts, general_parts
from modules.ui.session.program import ProgramHandlers
from modules.ui.session.services import ApiService
from tests.extend.loaded import write_extension
from tests.ui.open_page import Seen, asked_from, open_page

KEY = "sk-secret-of-the-test"
GOOD = "def setup(host):\n    pass\n"
BROKEN = "import no_such_package_anywhere\n\ndef setup(host):\n    pass\n"


class Session:
    """The tab as one browser sees it."""

    def __init__(self, page: Page) -> None:
        with gr.Blocks():
            self.program_parts = ProgramParts(
                general=general_parts(page.settings), extensions=extension_parts(page.settings)
            )
            self.api_parts: ApiParts = api_parts()
        self.page = page
        self.program = ProgramHandlers(page, self.program_parts)
        self.api = ApiService(page, self.api_parts)
        self.seen = Seen()

    async def open(self, request: gr.Request | None = None) -> None:
        self.seen.show(await self.program.opened(request or asked_from()))
        self.seen.show(self.api.shown(request or asked_from()))

    async def save(self, extensions: list[str], parameters: str = "", **switches: bool) -> None:
        boxes = self.program_parts.general.switches
        states = [switches.get(name, bool(self.seen.values.get(box))) for name, box in boxes.items()]
        await self.program.save(asked_from(), extensions, parameters, *states)

    def visible(self, component: Any) -> bool:
        return bool(self.seen.properties[component]["visible"])


@pytest_asyncio.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    write_extension(tmp_path, "good", GOOD)
    write_extension(tmp_path, "broken", BROKEN)
    async with open_page(tmp_path, api_key=KEY, nowebui=False, default_extensions=["broken"]) as page:
        yield Session(page)


async def stored(session: Session) -> dict[str, Any]:
    """What the settings file holds once everything is written."""
    await session.page.saved_settings.aclose()
    content: dict[str, Any] = yaml.safe_load(session.page.runtime.data.settings.read_text("utf-8"))
    return content


async def test_extensions_are_listed_with_what_is_wrong(session: Session) -> None:
    await session.open()
    choices = session.seen.properties[session.program_parts.extensions.chosen]["choices"]
    labels = {name: label for label, name in choices}
    assert labels["good"] == "good"
    assert "no_such_package_anywhere" in labels["broken"]
    assert API_EXTENSION in labels


async def test_what_is_saved_counts_at_the_next_start(session: Session) -> None:
    session.page.runtime.data.settings.write_text("mode: chat\ngood-old: 1\n")
    await session.open()
    await session.save(["good", API_EXTENSION], "good-words: hello\n", verbose=True, dark_theme=False)
    assert await stored(session) == {
        "mode": "chat",
        "default_extensions": ["good", API_EXTENSION],
        "good-words": "hello",
        "verbose": True,
        "dark_theme": False,
    }
    again = Session(session.page)
    await again.open()
    assert again.seen.values[again.program_parts.extensions.chosen] == ["good", API_EXTENSION]
    assert again.seen.values[again.program_parts.extensions.parameters] == "good-words: hello\n"
    assert again.seen.values[again.program_parts.general.switches["verbose"]] is True


@pytest.mark.parametrize(
    ("extensions", "parameters"), [(["../evil"], ""), (["nobody"], ""), (["good"], "listen: true"), ([], "good-x: [")]
)
async def test_nothing_is_saved_when_a_part_is_wrong(session: Session, extensions: list[str], parameters: str) -> None:
    await session.open()
    with pytest.raises(gr.Error):
        await session.save(extensions, parameters, verbose=True)
    await session.page.saved_settings.aclose()
    assert not session.page.runtime.data.settings.exists()
    assert not session.page.settings.verbose


async def test_starting_again_is_asked_for(session: Session) -> None:
    assert not session.page.extensions.is_restart_requested
    await session.program.start_again(asked_from())
    assert session.page.extensions.is_restart_requested


async def test_the_conversation_changes_its_style(session: Session) -> None:
    update = await session.program.wear(asked_from(), "bubbles")
    assert update.constructor_args["layout"] == "bubble"
    assert (await stored(session))["chat_style"] == "bubbles"
    with pytest.raises(gr.Error):
        await session.program.wear(asked_from(), "../style")


async def test_the_api_starts_and_stops_without_its_flag(session: Session) -> None:
    parts = session.api_parts
    await session.open()
    assert session.seen.values[parts.status] == "Stopped"
    assert not session.visible(parts.address)
    session.seen.show(await session.api.start(asked_from()))
    assert session.seen.values[parts.status] == "Running"
    address = session.seen.values[parts.address]
    assert address.startswith("http://127.0.0.1:")
    assert session.seen.values[parts.key] == KEY
    assert KEY in session.seen.values[parts.code]
    assert address in session.api.example("Python", asked_from()).constructor_args["value"]
    session.seen.show(await session.api.stop(asked_from()))
    assert session.seen.values[parts.status] == "Stopped"
    assert not session.visible(parts.address)
    assert KEY not in session.seen.values[parts.code]


async def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    async with open_page(tmp_path / "one") as first:
        state = await first.extensions.services.start(API_EXTENSION)
        port = int(state.announced[-1].removesuffix("/v1").rpartition(":")[2])
        async with open_page(tmp_path / "two", api_port=port, nowebui=False) as second:
            session = Session(second)
            with pytest.raises(gr.Error, match="in use"):
                await session.api.start(asked_from())
            session.seen.show(session.api.shown(asked_from()))
            assert "in use" in session.seen.values[session.api_parts.status]


async def test_only_news_is_sent(session: Session) -> None:
    parts = session.api_parts
    await session.open()
    status, address, live = (session.seen.values[each] for each in (parts.status, parts.address, parts.live))
    assert session.api.refreshed(status, address, live, asked_from()) == {parts.live: gr.skip()}
    assert session.api.refreshed(status, address, "old", asked_from()) == {parts.live: live}
    await session.api.start(asked_from())
    assert session.api.refreshed(status, address, live, asked_from())[parts.status] == "Running"


@pytest.mark.parametrize(
    ("values", "host"),
    [({"multi_user": True}, "127.0.0.1:7860"), ({"listen": True}, "192.168.1.2:7860"), ({}, "chat.example.org")],
)
async def test_strangers_change_nothing_and_see_no_key(tmp_path: Path, values: dict[str, Any], host: str) -> None:
    async with open_page(tmp_path, api_key=KEY, nowebui=False, **values) as page:
        session = Session(page)
        stranger = asked_from(host)
        switches = [True] * len(session.program_parts.general.switches)
        before = page.settings
        for attempt in (
            session.program.save(stranger, [API_EXTENSION], "", *switches),
            session.program.start_again(stranger),
            session.program.wear(stranger, "bubbles"),
            session.api.start(stranger),
            session.api.stop(stranger),
        ):
            with pytest.raises(gr.Error):
                await attempt
        await page.saved_settings.aclose()
        assert page.settings == before
        assert not page.runtime.data.settings.exists()
        assert not page.extensions.is_restart_requested
        await page.extensions.services.start(API_EXTENSION)
        await session.open(stranger)
        assert session.seen.values[session.api_parts.status] == "Running"
        assert KEY not in repr(session.seen.values)
        assert not session.visible(session.api_parts.key)
        assert not session.visible(session.api_parts.examples)
        assert session.api.example("Python", stranger).constructor_args["value"] == ""


async def test_parameters_may_hold_keys_and_are_for_operators(session: Session) -> None:
    session.page.runtime.data.settings.write_text("good-key: sk-other-secret\n")
    await session.open(asked_from("chat.example.org"))
    assert session.seen.values[session.program_parts.extensions.parameters] == ""
    await session.open()
    assert "sk-other-secret" in session.seen.values[session.program_parts.extensions.parameters]
