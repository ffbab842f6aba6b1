"""Dialogs and menus of the page: the focus stays within and comes back, Escape closes the topmost, no press is lost."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site
from tests.browser.visits import PHONE, visiting
from tests.settling import settles

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_OPEN = """kind => {
  const { element } = window.overlay;
  window.answers = [];
  window.handle = window.overlay.open({
    title: 'Name of the folder', kind, content: element('label', {}, element('span', {}, 'Name'), element('input', {type: 'text'})),
    onClose: (result) => window.answers.push(result ?? null),
    actions: [
      {label: 'Cancel'},
      {label: 'Save', kind: 'primary', value: 'saved', act: (handle) => {
        const name = handle.body.querySelector('input').value;
        if (!name) throw new Error('Enter a name.');
      }},
    ],
  });
}"""
_MENU = """() => window.overlay.menu(document.querySelector('#box textarea'), [
  {label: 'Rename', act: () => { window.chosen = 'rename'; }},
  {label: 'Move to', items: [{label: 'Work', act: () => { window.chosen = 'work'; }}]},
  {separator: true},
  {label: 'Gone', disabled: true},
  {label: 'Delete', act: () => { window.chosen = 'delete'; }},
])"""


async def test_dialog_keeps_the_focus_and_gives_it_back(chat: ChatPage) -> None:
    page = chat.page
    await chat.box.focus()
    await page.evaluate(_OPEN, "dialog")
    dialog = page.get_by_role("dialog", name="Name of the folder")
    await expect(dialog.get_by_label("Name", exact=True)).to_be_focused()
    for _ in range(6):
        await page.keyboard.press("Tab")
        # Between the last and the first the focus is the browser's own.
        assert await page.evaluate("document.activeElement.matches('.overlay *, body, dialog')")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_have_text("Enter a name.")
    await dialog.get_by_label("Name", exact=True).fill("Work")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_have_count(0)
    await settles(lambda: page.evaluate("window.answers"), ["saved"])
    await expect(chat.box).to_be_focused()


async def test_escape_closes_the_topmost_and_does_not_stop_the_reply(chat: ChatPage) -> None:
    page = chat.page
    await chat.write("slow 3000")
    await expect(chat.live.last).to_contain_text("abc")
    await page.evaluate(_OPEN, "sheet")
    await page.evaluate(
        "() => { window.sure = window.overlay.confirm({title: 'Sure?', confirm: 'Delete', isDangerous: true}); }"
    )
    await expect(page.get_by_role("button", name="Delete", exact=True).last).to_be_focused()
    for left in (1, 0):
        await page.keyboard.press("Escape")
        await expect(page.locator("dialog.overlay")).to_have_count(left)
    assert await page.evaluate("window.sure") is False
    await expect(chat.stop_button).to_have_count(1)
    await page.keyboard.press("Escape")
    await chat.until_done()


async def test_press_beside_a_dialog_closes_it_and_one_that_begins_within_does_not(chat: ChatPage) -> None:
    page = chat.page
    await page.evaluate(_OPEN, "dialog")
    field = page.locator(".overlay input")
    await expect(field).to_be_focused()
    await _until_there(page, "dialog.overlay")
    box = await field.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 9, box["y"] + 9)
    await page.mouse.down()
    await page.mouse.move(4, 4)
    await page.mouse.up()
    await expect(field).to_be_visible()
    await page.mouse.click(4, 4)
    await expect(field).to_have_count(0)
    await settles(lambda: page.evaluate("window.answers"), [None])


async def test_menu_is_used_with_keys(chat: ChatPage) -> None:
    page = chat.page
    await chat.box.focus()
    await page.evaluate(_MENU)
    menu = page.get_by_role("menu")
    await expect(menu.get_by_role("menuitem", name="Rename")).to_be_focused()
    await page.keyboard.press("ArrowUp")
    await expect(menu.get_by_role("menuitem", name="Delete")).to_be_focused()
    await page.keyboard.press("m")
    await page.keyboard.press("ArrowRight")
    await expect(menu.get_by_role("menuitem")).to_contain_text(["Back", "Work"])
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("Escape")
    await expect(menu).to_have_count(0)
    await expect(chat.box).to_be_focused()
    await page.evaluate(_MENU)
    await expect(menu.get_by_role("menuitem", name="Rename")).to_be_focused()
    await page.keyboard.press("End")
    await page.keyboard.press("Enter")
    await settles(lambda: page.evaluate("window.chosen"), "delete")
    await expect(chat.box).to_have_value("")


async def test_on_a_phone_both_are_sheets_at_the_lower_edge(browser: Browser, scripted: Site) -> None:
    async with visiting(browser, scripted.url, viewport=PHONE, has_touch=True) as page:
        await expect(ChatPage(page).box).to_be_visible()
        await page.evaluate(_OPEN, "dialog")
        assert await _below(page, "dialog.overlay") == (0, PHONE["width"], 0)
        await page.keyboard.press("Escape")
        await expect(page.locator("dialog.overlay")).to_have_count(0)
        await page.evaluate(_MENU)
        assert await _below(page, ".overlay-menu") == (0, PHONE["width"], 0)
        heights = await page.locator(".overlay-item").evaluate_all("all => all.map(each => each.offsetHeight)")
        assert min(heights) >= 44


async def _below(page: Page, selector: str) -> tuple[float, float, float]:
    """Left edge, width, and what is left below it, once it has arrived."""
    await _until_there(page, selector)
    box = await page.locator(selector).bounding_box()
    assert box is not None
    return box["x"], box["width"], PHONE["height"] - box["y"] - box["height"]


async def _until_there(page: Page, selector: str) -> None:
    await page.locator(selector).evaluate("each => Promise.all(each.getAnimations().map(every => every.finished))")
