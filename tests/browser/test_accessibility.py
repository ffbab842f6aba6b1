"""The basics for people who use a keyboard or a screen reader: names, order, contrast."""

from typing import Any, Final

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site
from tests.browser.visits import visiting

pytestmark = [pytest.mark.browser, pytest.mark.extended, pytest.mark.asyncio(loop_scope="session")]

TABS: Final = ("Chat", "Notebook", "Character", "General", "Model", "API")
_NAMED_ROLES: Final = frozenset(
    "button checkbox combobox listbox radio slider spinbutton switch tab textbox link".split()
)
_LEAST_CONTRAST: Final = 4.5
_MAIN_TEXTS: Final = (
    "#chat .user-row .prose",
    "#chat .bot-row .prose",
    "#chat .message-acts",
    "#past-chats .chat-title",
    "#new-chat",
    "#chat-actions button",
    "#inspector label > span",
    "#navigation .section",
)
# Colours as they come out: what is behind a text is the nearest ground that is not clear.
_CONTRAST: Final = """element => {
  const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d');
  const channels = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const over = ([r, g, b, a], [x, y, z]) => [[r, x], [g, y], [b, z]].map(([top, under]) => (top * a + under * (255 - a)) / 255);
  const grounds = [];
  for (let each = element; each; each = each.parentElement) grounds.push(channels(getComputedStyle(each).backgroundColor));
  const ground = grounds.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  const text = over(channels(getComputedStyle(element).color), ground);
  const light = rgb => { const [r, g, b] = rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const [high, low] = [light(text), light(ground)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}"""


@pytest.mark.parametrize("tab", TABS)
async def test_everything_that_can_be_used_has_a_name(chat: ChatPage, tab: str) -> None:
    await chat.go_to(tab)
    if tab == "Chat":
        await chat.say("echo: Hello")
    nameless = await _nameless(chat.page)
    await chat.go_to("Chat")
    assert nameless == []


async def test_tabulator_reaches_box_chats_and_actions(chat: ChatPage) -> None:
    await chat.say("echo: Hello")
    await chat.page.locator("#skip a").focus()
    reached = await _reached_by_tabulator(chat.page, presses=80)
    assert {"new-chat", "chat-search", "past-chats", "box", "regenerate", "mode"} <= reached


@pytest.mark.parametrize("look", ["dark", "light"])
async def test_main_texts_stand_out(browser: Browser, scripted: Site, look: str) -> None:
    async with visiting(browser, scripted.url) as page:
        await expect(ChatPage(page).chosen).to_have_count(1)
        await page.evaluate("look => window.wearLook(look)", look)
        await expect(page.locator("#chat .message-acts").first).to_be_attached()
        await page.locator("#chat .bot-row").last.hover()
        contrasts = {text: await page.locator(text).first.evaluate(_CONTRAST) for text in _MAIN_TEXTS}
        assert {text: round(each, 1) for text, each in contrasts.items() if each < _LEAST_CONTRAST} == {}


async def _nameless(page: Page) -> list[str]:
    """What a screen reader would call nothing but its kind; by the browser's own accessibility tree."""
    session = await page.context.new_cdp_session(page)
    tree = await session.send("Accessibility.getFullAXTree")
    nodes = [node for node in tree["nodes"] if not node.get("ignored") and _value(node, "role") in _NAMED_ROLES]
    nameless = [node for node in nodes if not str(_value(node, "name") or "").strip()]
    found = [await session.send("DOM.describeNode", {"backendNodeId": node["backendDOMNodeId"]}) for node in nameless]
    await session.detach()
    return [
        f"{_value(node, 'role')}: {html['node'].get('attributes')}" for node, html in zip(nameless, found, strict=True)
    ]


def _value(node: dict[str, Any], name: str) -> object:
    return node.get(name, {}).get("value")


async def _reached_by_tabulator(page: Page, presses: int) -> set[str]:
    reached: set[str] = set()
    for _ in range(presses):
        await page.keyboard.press("Tab")
        reached |= set(
            await page.evaluate(
                "() => { const ids = []; for (let e = document.activeElement; e; e = e.parentElement) if (e.id) ids.push(e.id); return ids; }"
            )
        )
    return reached
