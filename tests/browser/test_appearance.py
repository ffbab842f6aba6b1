"""What the page looks like: texts can be read, things stand apart from each other, and all is as it was.

Who changes how it looks takes the pictures anew, and looks at them: `python -m tests.browser.pictures`.
"""

from contextlib import aclosing
from pathlib import Path
from typing import Final

import pytest
from PIL import Image, ImageChops
from playwright.async_api import Browser, Page, expect

from tests.browser.chat_page import PLACES, ChatPage
from tests.browser.contrast import faint, measured
from tests.browser.pictures import FOLDER, differences, keep, taken
from tests.browser.scenes import LOOKS, SCENES, SIZES, visit
from tests.browser.sites import Site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_CLOSED: Final = "button.label-wrap:not(.open)"
_SECTIONS: Final = 5
_LEAST_GAP: Final = 8
_LEAST_MEASURED: Final = 750


@pytest.mark.parametrize("look", ["light", pytest.param("dark", marks=pytest.mark.extended)])
async def test_everything_can_be_read(browser: Browser, filled: Site, look: str) -> None:
    """Texts, what is typed, placeholders and icons, with everything unfolded."""
    found = []
    async with visit(browser, filled, "desktop") as scenes:
        await scenes.wear(look)
        for scene in SCENES:
            await scenes.show(scene)
            await _open_all(scenes.page)
            found += await measured(scenes.page)
    kinds = {each["kind"] for each in found}
    assert kinds == {"text", "typed", "placeholder", "icon"}
    assert len(found) > _LEAST_MEASURED
    assert faint(found) == []


@pytest.mark.extended
@pytest.mark.parametrize("look", LOOKS)
async def test_every_section_can_be_read(browser: Browser, filled: Site, look: str) -> None:
    """Those besides the screens that are compared, too."""
    found = []
    async with visit(browser, filled, "desktop") as scenes:
        await scenes.wear(look)
        for place in PLACES:
            await ChatPage(scenes.page).go_to(place)
            await _open_all(scenes.page)
            found += await measured(scenes.page)
    assert len(found) > _LEAST_MEASURED
    assert faint(found) == []


async def test_entries_of_the_navigation_stand_apart(chat: ChatPage) -> None:
    sections = chat.page.locator("#navigation .section")
    await expect(sections.nth(_SECTIONS - 1)).to_be_visible()
    padding = "section => parseFloat(getComputedStyle(section).paddingLeft)"
    # Those of Gradio stand together, and its fields are white, where its reset comes behind its other sheets.
    tabs = chat.page.locator("#inspector-tabs [role=tab]").filter(visible=True)
    await expect(tabs.first).to_be_visible()
    for each in (*await sections.all(), *await tabs.all()):
        assert await each.evaluate(padding) >= _LEAST_GAP
    await expect(chat.box).to_have_css("background-color", "rgba(0, 0, 0, 0)")


@pytest.mark.parametrize(
    "size", [pytest.param(size, marks=pytest.mark.extended if size == "small" else ()) for size in SIZES]
)
async def test_page_looks_as_it_did(browser: Browser, filled: Site, tmp_path: Path, size: str) -> None:
    found = []
    async with aclosing(taken(browser, filled, size)) as pictures:
        async for name, picture in pictures:
            if difference := differences(picture, name):
                found.append(difference)
                keep(picture, tmp_path, name)
    hint = f"What the page looks like now is in {tmp_path}. If that is right: python -m tests.browser.pictures"
    assert not found, "\n".join([*found, hint])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("look", LOOKS)
async def test_what_is_lost_moved_or_unreadable_is_seen(size: str, look: str) -> None:
    name = f"{SCENES[0]}-{size}-{look}"
    before = Image.open(FOLDER / f"{name}.png").convert("RGB")
    assert not differences(before, name)
    lost = before.copy()
    box = (before.width // 2 - 100, 80, before.width // 2 + 100, 110)
    lost.paste(before.resize((1, 1), box=(0, 56, 1, 57)).resize((box[2] - box[0], box[3] - box[1])), box)
    white = before.point(lambda value: 255 if value > 127 else value)
    for changed in (ImageChops.offset(before, 0, 12), lost, white if look == "light" else ImageChops.invert(before)):
        assert differences(changed, name)


async def _open_all(page: Page) -> None:
    """Everything that is folded on the tab that is shown."""
    folded = page.locator(_CLOSED).filter(visible=True)
    while await folded.count():
        each = await folded.first.element_handle()
        await folded.first.click()
        await page.wait_for_function("each => !each.isConnected || each.classList.contains('open')", arg=each)
