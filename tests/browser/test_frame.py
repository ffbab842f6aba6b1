"""The frame of the page: columns, sections and settings, at every size of a window, by keys, and in every look."""

from typing import Any, Final, Literal

import pytest
import yaml
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.browser.chat_page import PLACES as EVERY_PLACE
from tests.browser.chat_page import ChatPage
from tests.browser.clicks import at_most, count_clicks
from tests.browser.sites import Site
from tests.browser.targets import FINGER, POINTER, small
from tests.browser.visits import PHONE, visiting, watched
from tests.daily import some_daily
from tests.settling import settles

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PLACES: Final = ("Notebook", "Character", "Images", "General", "Model", "Download", "API", "Extensions", "Chat")
_MOST_KEYS: Final = 6
_MOST_SHIFT: Final = 0.05
_LEAST_TEXT: Final = 480
_TOUCH: Final = 44
_SCHEMES: Final[tuple[Literal["dark"], Literal["light"]]] = ("dark", "light")
# Zoomed to 400 and 200 %, and small windows.
_SIZES: Final = (
    {"width": 320, "height": 256},
    {"width": 720, "height": 450},
    {"width": 1024, "height": 700},
    PHONE,
)
_NOTE_SHIFTS: Final = """window.shifted = 0;
new PerformanceObserver(list => { for (const each of list.getEntries()) window.shifted += each.value; })
  .observe({type: 'layout-shift', buffered: true});"""
_PLACES_OF_NAVIGATION: Final = """() => [...document.querySelectorAll('#navigation .section, #model-pill, #toggle-left')]
  .map(each => { const {x, y, width} = each.getBoundingClientRect(); return [each.textContent.trim(), x, y, width].join(); }).join(';')"""
# What reaches beyond the window's edge and is in nothing that scrolls by itself.
_BEYOND: Final = """() => [...document.querySelectorAll('#frame *')].filter(each => {
    const {right, width} = each.getBoundingClientRect();
    if (!each.checkVisibility({visibilityProperty: true}) || width === 0 || right <= innerWidth + 1) return false;
    for (let up = each; up; up = up.parentElement) if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(up).overflowX)
      && up.getBoundingClientRect().right <= innerWidth + 1) return false;
    return true;
  }).map(each => `${each.localName}#${each.id}.${each.className}`).slice(0, 5)"""
_LANDMARKS: Final = ("banner", "main", "navigation", "complementary")


async def _until_still(page: Page) -> None:
    await page.evaluate(
        """async () => { const frame = () => new Promise(requestAnimationFrame);
          for (let before = '', now = document.body.innerHTML.length, same = 0; same < 10; await frame()) {
            before = now; now = document.body.innerHTML.length; same = now === before ? same + 1 : 0; } }"""
    )


async def test_nothing_moves_while_the_page_opens_and_sections_change(browser: Browser, scripted: Site) -> None:
    async with watched(browser, scripted.url, viewport={"width": 1440, "height": 900}) as (context, _):
        await context.add_init_script(_NOTE_SHIFTS)
        page = await context.new_page()
        chat = ChatPage(page)
        await page.goto("/")
        await expect(chat.chosen).to_have_count(1)
        await _until_still(page)
        at_first = await page.evaluate(_PLACES_OF_NAVIGATION)
        for place in PLACES:
            await chat.go_to(place)
            await _until_still(page)
            assert await page.evaluate(_PLACES_OF_NAVIGATION) == at_first, place
        assert await page.evaluate("window.shifted") < _MOST_SHIFT


async def test_landmarks_and_names(browser: Browser, scripted: Site) -> None:
    async with visiting(browser, scripted.url) as page:
        await expect(ChatPage(page).chosen).to_have_count(1)
        for role in _LANDMARKS:
            await expect(page.get_by_role(role).filter(visible=True).first).to_be_visible()
        await expect(page.get_by_role("main")).to_have_count(1)
        await expect(page.get_by_role("heading", level=1)).to_have_count(1)
        await page.keyboard.press("Tab")
        await page.evaluate("document.querySelector('#skip a').focus()")
        await expect(page.get_by_role("link", name="Skip to the message box")).to_be_in_viewport()
        await page.keyboard.press("Enter")
        await expect(page.locator("#box textarea")).to_be_focused()
        names = await page.locator("#left button, #header button, #navigation button").filter(visible=True).all()
        labels = [await each.get_attribute("aria-label") or await each.inner_text() for each in names]
        assert len(labels) == len(set(labels)), labels


async def test_few_keys_lead_from_the_box_to_the_chats_and_the_settings(browser: Browser, scripted: Site) -> None:
    async with visiting(browser, scripted.url) as page:
        await expect(ChatPage(page).chosen).to_have_count(1)
        await page.locator("#box textarea").focus()
        await page.keyboard.press("F6")
        await page.wait_for_function("document.activeElement.closest('#chat-list') !== null")
        await page.keyboard.press("F6")
        await expect(page.locator("#navigation [aria-current=page]")).to_be_focused()
        for _ in range(4):
            await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator("#settings-tab")).to_be_visible()
        await page.keyboard.press("Shift+Escape")
        await expect(page.locator("#box textarea")).to_be_focused()
        await page.keyboard.press("F6")
        for _ in range(_MOST_KEYS - 1):
            if await page.evaluate("document.activeElement.closest('#new-chat') !== null"):
                break
            await page.keyboard.press("Shift+Tab")
        assert await page.evaluate("document.activeElement.closest('#new-chat') !== null")


@pytest.mark.parametrize("size", some_daily(_SIZES, every=2, ids=lambda size: str(size["width"])))
async def test_everything_fits_into_small_windows(browser: Browser, scripted: Site, size: ViewportSize) -> None:
    async with visiting(browser, scripted.url, viewport=size) as page:
        chat = ChatPage(page)
        await expect(chat.chosen).to_have_count(1)
        await expect(chat.box).to_be_in_viewport(ratio=1)
        conversation = await page.locator("#scroller").bounding_box()
        assert conversation is not None
        assert conversation["height"] >= 100
        if size["width"] == 1024:
            assert conversation["width"] >= _LEAST_TEXT
        for place in PLACES:
            await chat.go_to(place)
            await settles(lambda: page.evaluate("document.documentElement.scrollWidth"), size["width"])
            await settles(lambda: page.evaluate(_BEYOND), [])


async def test_sides_of_a_phone_lie_over_the_conversation(browser: Browser, scripted: Site) -> None:
    async with visiting(browser, scripted.url, viewport=PHONE, has_touch=True) as page:
        left, inspector = page.locator("#left"), page.locator("#inspector")
        await expect(page.locator("#box textarea")).to_be_visible()
        await expect(left).to_be_hidden()
        await expect(inspector).to_be_hidden()
        await page.click("#toggle-inspector")
        await expect(inspector).to_be_in_viewport(ratio=1)
        box = await inspector.bounding_box()
        assert box is not None
        assert (round(box["width"]), round(box["y"] + box["height"])) == (PHONE["width"], PHONE["height"])
        await page.keyboard.press("Escape")
        await expect(inspector).to_be_hidden()
        await expect(page.locator("#toggle-inspector")).to_be_focused()
        await page.click("#toggle-left")
        await expect(left).to_be_visible()
        await page.wait_for_function("document.querySelector('#left').contains(document.activeElement)")
        heights = [await each.bounding_box() for each in await page.locator("#navigation .section").all()]
        assert all(each is not None and each["height"] >= _TOUCH for each in heights)
        await page.mouse.click(PHONE["width"] - 10, 300)
        await expect(left).to_be_hidden()


@pytest.mark.parametrize(
    ("least", "places"),
    [
        (FINGER, ("Chat", "Character", "Model")),
        pytest.param(POINTER, EVERY_PLACE, marks=pytest.mark.extended),
        pytest.param(FINGER, EVERY_PLACE, marks=pytest.mark.extended),
    ],
    ids=("finger", "pointer-everywhere", "finger-everywhere"),
)
async def test_what_is_pressed_is_large_enough(
    browser: Browser, scripted: Site, least: int, places: tuple[str, ...]
) -> None:
    device = {"viewport": PHONE, "has_touch": True, "is_mobile": True} if least == FINGER else {}
    found: dict[str, str] = {}
    async with visiting(browser, scripted.url, **device) as page:
        chat = ChatPage(page)
        await expect(chat.chosen).to_have_count(1)
        for place in places:
            await chat.go_to(place)
            await _until_still(page)
            found |= dict.fromkeys(await small(page, least), place)
        await chat.go_to("Chat")
        for tab in ("Chat", "Sampling", "Tools", "Info"):
            await chat.inspect(tab)
            found |= dict.fromkeys(await small(page, least), f"inspector: {tab}")
        if least == FINGER:
            await page.keyboard.press("Escape")
            await page.click("#toggle-left")
        found |= dict.fromkeys(await small(page, least), "left")
    assert found == {}


async def test_columns_stay_as_they_were_left(browser: Browser, scripted: Site) -> None:
    async with visiting(browser, scripted.url) as page:
        await ChatPage(page).until_open()
        await page.click("#toggle-left")
        await page.click("#toggle-inspector")
        await expect(page.locator("#left")).to_be_hidden()
        await expect(page.locator("#inspector")).to_be_hidden()
        await page.reload()
        await ChatPage(page).until_open()
        await expect(page.locator("#left")).to_be_hidden()
        await expect(page.locator("#inspector")).to_be_hidden()
        await page.keyboard.press("Control+b")
        await expect(page.locator("#left")).to_be_visible()


async def test_look_follows_the_system_until_one_is_chosen(browser: Browser, scripted: Site) -> None:
    dark = "document.body.classList.contains('dark')"
    # What the browser itself draws, as bars and menus, too.
    worn = f"{dark} ? 'dark' : 'light'", "document.documentElement.style.colorScheme"
    async with visiting(browser, scripted.url, color_scheme="light") as page:
        chat = ChatPage(page)
        await chat.until_open()
        for scheme in _SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            for each in worn:
                await page.wait_for_function(f"({each}) === '{scheme}'")
        await chat.go_to("General")
        await expect(page.locator("#look input[value=system]")).to_be_checked()
        await page.locator("#look").get_by_text("Dark", exact=True).click()
        await page.wait_for_function(dark)
        await page.reload()
        await page.wait_for_function(dark)
        await chat.until_open()
        for scheme in _SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            assert [await page.evaluate(each) for each in worn] == ["dark", "dark"]


async def test_simple_hides_what_experts_look_for_and_keeps_it(chat: ChatPage, scripted: Site) -> None:
    page = chat.page
    await chat.go_to("General")
    await page.locator("#level").get_by_text("Simple", exact=True).click()
    await expect(page.locator("#settings-list [data-section=template-tab]")).to_be_hidden()
    await scripted.server.until(lambda: _saved(scripted).get("show_expert") is not True)
    await chat.go_to("Chat")
    await chat.inspect("Sampling")
    await expect(page.locator("#parameter-temperature")).to_be_visible()
    folded = page.locator("#inspector-sampling .label-wrap").filter(has_text="Sampler order")
    await expect(folded).to_be_hidden()
    await page.get_by_role("button", name="Show all parameters").click()
    await expect(folded).to_be_visible()
    await scripted.server.until(lambda: _saved(scripted).get("show_expert") is True)
    await page.reload()
    await chat.inspect("Sampling")
    await expect(folded).to_be_visible()
    await chat.inspect("Chat")


async def test_settings_are_found_by_what_they_say(chat: ChatPage) -> None:
    page = chat.page
    await chat.go_to("Settings")
    await page.fill("#settings-search", "api log")
    await page.locator("#settings-list .hit").filter(has_text="API request").click()
    await expect(page.locator("#switch-openai_debug")).to_be_in_viewport()
    await page.fill("#settings-search", "context length")
    # What was found before it may still be in view.
    await page.locator("#settings-list .hit").filter(has_text="Context length").first.click()
    await expect(page.locator("#model-tab")).to_be_visible()
    await page.fill("#settings-search", "zebra")
    await expect(page.get_by_text("No setting is called that.")).to_be_visible()
    await page.fill("#settings-search", "")
    await chat.go_to("Chat")


def _saved(site: Site) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((site.data / "settings.yaml").read_text(encoding="utf-8"))
    return content


async def test_what_is_changed_most_is_two_clicks_away(browser: Browser, scripted: Site) -> None:
    async with watched(browser, scripted.url) as (context, _):
        await count_clicks(context)
        page = await context.new_page()
        chat = ChatPage(page)
        await chat.arrive()
        await page.evaluate("window.sides.close('inspector')")
        await chat.new()
        for name, field, typed in (
            ("temperature", "#chat-temperature input[type=number]", "0.3"),
            ("system prompt", "#system-message textarea", "Be brief."),
        ):
            async with at_most(page, 2, name):
                await page.click("#toggle-inspector")
                await page.locator(field).click()
                await page.keyboard.press("Control+a")
                await page.keyboard.type(typed)
                await chat.box.focus()
                # Asked for with what was typed just before.
                await chat.say("sampling")
            await page.click("#toggle-inspector")
        await expect(chat.replies.first).to_have_text("0.3 1 0 0")
        await chat.inspect("Sampling")
        await expect(page.locator("#parameter-temperature input[type=number]")).to_have_value("0.3")
        await page.locator("#parameter-temperature input[type=number]").fill("0")
        await page.keyboard.press("Tab")
        await chat.inspect("Chat")
        await expect(page.locator("#chat-temperature input[type=number]")).to_have_value("0")
        await page.locator("#system-message textarea").fill("")
        await chat.say("sampling")
        await expect(chat.replies.last).to_have_text("0 1 0 0")
