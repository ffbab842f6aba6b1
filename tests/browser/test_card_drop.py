"""A character card that is dropped on the page: one more click, and one talks with it."""

import json

import pytest
from playwright.async_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CARD = {"name": "Ada Drop", "first_mes": "Good day.", "alternate_greetings": ["Bonjour.", "Ahoy."], "tags": ["maths"]}
DROP = """([name, text]) => {
  const dragged = new DataTransfer();
  dragged.items.add(new File([text], name));
  const event = new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: dragged });
  document.querySelector('#box').dispatchEvent(event);
}"""


async def test_card_is_dropped_and_talked_with(chat: ChatPage, scripted: Site) -> None:
    page = chat.page
    dialog = page.get_by_role("dialog")

    async def drop(**fields: str) -> None:
        await page.evaluate(DROP, ["ada.json", json.dumps({"spec": "chara_card_v3", "data": CARD | fields})])

    await drop()
    await expect(dialog).to_contain_text("Ada Drop is imported")
    await expect(dialog).to_contain_text("2 alternate greetings")
    await dialog.get_by_role("button", name="Talk").click()
    await expect(chat.replies).to_have_text("Good day.")
    await expect(page.locator("#chat .versions")).to_have_text("1/3")
    await page.get_by_role("button", name="Next version").first.click()
    await expect(chat.replies).to_have_text("Bonjour.")
    await drop(personality="stern")
    await expect(dialog).to_contain_text("There is a character called Ada Drop")
    await dialog.get_by_role("button", name="Replace").click()
    await expect(dialog).to_contain_text("Ada Drop is imported")
    assert "personality: stern" in (scripted.data / "characters" / "Ada Drop.yaml").read_text("utf-8")
    await dialog.get_by_role("button", name="Close", exact=True).first.click()
    await chat.go_to("Character")
    tiles = page.locator(".character-grid .tile")
    await expect(tiles.filter(has_text="Ada Drop")).to_have_count(1)
    await page.get_by_role("button", name="maths").click()
    await expect(tiles).to_have_count(1)
    await page.get_by_role("button", name="More for Ada Drop").click()
    await page.get_by_role("menuitem", name="Delete").click()
    await expect(tiles.filter(has_text="Ada Drop")).to_have_count(0)
    await page.click("#character-undo")
    await expect(tiles.filter(has_text="Ada Drop")).to_have_count(1)
    await chat.go_to("Chat")
    await chat.speak_with_nobody()
