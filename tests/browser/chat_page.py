"""The Chat tab as its users handle it: what they press, and what they wait for."""

import re
from dataclasses import dataclass
from typing import Final

from playwright.async_api import Locator, Page, expect

from tests.browser.visits import TIMEOUT_MS

# Before there are words, dots or what is being waited for stand in their place.
_WORDS: Final = re.compile(r"^\s*(?!…|Processing the prompt)\w+ ?\w+")

_SECTIONS: Final = {
    "Chat": "chat-tab",
    "Notebook": "notebook-tab",
    "Character": "character-tab",
    "Images": "images-tab",
    "Settings": "settings-tab",
}
# Pages of the settings.
_PAGES: Final = {
    "General": "general-tab",
    "Model": "model-tab",
    "Download": "download-tab",
    "Templates": "template-tab",
    "API": "api-tab",
    "Prompts": "prompts-tab",
    "Presets": "presets-tab",
    "Grammars": "grammars-tab",
    "Lorebooks": "lorebooks-tab",
    "Knowledge": "knowledge-tab",
    "Memory": "memory-tab",
    "Tools & MCP": "tools-tab",
    "Extensions": "extensions-tab",
    "Data": "data-tab",
    "About": "about-tab",
}
# Every section, and every page of the settings.
PLACES: Final = (*(each for each in _SECTIONS if each != "Settings"), *_PAGES)

expect.set_options(timeout=TIMEOUT_MS)


@dataclass(frozen=True, slots=True)
class ChatPage:
    """Everything waits for what the page shows, never for time to pass."""

    page: Page

    @property
    def box(self) -> Locator:
        return self.page.locator("#box textarea")

    @property
    def replies(self) -> Locator:
        """Words of finished replies."""
        return self.page.locator("#chat .bot-row [data-testid=bot]")

    @property
    def live(self) -> Locator:
        """The reply that is being written."""
        return self.page.locator("#live [data-testid=bot]")

    @property
    def sent(self) -> Locator:
        return self.page.locator("#chat .user-row [data-testid=user]")

    @property
    def stop_button(self) -> Locator:
        return self.page.locator("#box .stop-button")

    @property
    def chats(self) -> Locator:
        return self.page.locator("#past-chats .chat-row")

    @property
    def chosen(self) -> Locator:
        return self.page.locator("#past-chats .chat-row[aria-current]")

    @property
    def versions(self) -> Locator:
        return self.page.locator("#chat .message-acts .versions")

    @property
    def notices(self) -> Locator:
        return self.page.locator(".toast-body")

    def button(self, name: str, within: str = "#chat") -> Locator:
        return self.page.locator(within).get_by_role("button", name=name, exact=True)

    async def arrive(self) -> None:
        """Opens the page and waits for the chat that was open last; there must be one."""
        await self.page.goto("/")
        await expect(self.chosen).to_have_count(1)

    async def until_open(self) -> None:
        """A chat is shown, with what was said in it: `say` would take a message that comes later for its own."""
        await expect(self.chosen).to_have_count(1)
        await expect(self.page.locator("#chat .message-row").first).to_be_attached()

    async def is_tidy(self) -> bool:
        """The tab is open, nothing stands in the box, nothing is being written, no notice is open."""
        if not await self.box.is_visible():
            return False
        left = self.page.locator(".toast-body, #box .thumbnail-item, #live .message-row, #chat textarea")
        return await left.count() == 0 and await self.box.input_value() == ""

    async def new(self) -> None:
        await self.page.click("#new-chat")
        await expect(self.chosen).to_have_count(0)
        await expect(self.page.locator("#chat .message-row")).to_have_count(0)

    async def write(self, words: str) -> None:
        """Sends, and does not wait for the reply."""
        await self.box.fill(words)
        await self.box.press("Enter")

    async def say(self, words: str) -> None:
        """Sends, and waits for the end of the reply."""
        asked = await self.sent.count()
        await self.write(words)
        await expect(self.sent, await self._state()).to_have_count(asked + 1)
        await self.until_done()

    async def _state(self) -> str:
        """What to know when a message is not there."""
        return f"box: {await self.box.input_value()!r}, notices: {await self.notices.all_inner_texts()}"

    async def until_done(self) -> None:
        """Whatever was being written is in the conversation, with its buttons."""
        await expect(self.page.locator("#live .message-row")).to_have_count(0)
        await expect(self.stop_button).to_have_count(0)
        await expect(self.page.locator("#chat .bot-row:last-of-type .message-acts").last).to_be_visible()

    async def growing(self) -> str:
        """Some of a reply that has grown while it was looked at."""
        await expect(self.live.last).to_have_text(_WORDS)
        first = await self.live.last.inner_text()
        await self.page.wait_for_function(
            "length => [...document.querySelectorAll('#live [data-testid=bot]')].at(-1)?.innerText.length > length",
            arg=len(first),
        )
        return first

    async def search(self, words: str) -> None:
        await self.page.locator("#chat-search input").fill(words)

    async def do(self, act: str, *then: str) -> None:
        """What the menu of the chat that is shown offers."""
        item = self.page.locator("#past-chats .chat-item").filter(has=self.page.locator("[aria-current]"))
        await item.hover()
        await item.locator(".chat-more").click()
        for name in (act, *then):
            await self.page.get_by_role("menu").get_by_text(name, exact=True).click()

    async def undo(self) -> None:
        await self.page.click("#undo-delete")

    async def go_to(self, place: str) -> None:
        """A section of the page, or a page of the settings. On a narrow page the navigation is in a drawer."""
        if place in _PAGES:
            await self.go_to("Settings")
            await self.page.click(f"#settings-list [data-section={_PAGES[place]}]")
            await expect(self.page.locator(f"#{_PAGES[place]}")).to_be_visible()
            return
        section = self.page.locator(f"#navigation [data-section={_SECTIONS[place]}]")
        await expect(section).to_be_attached()
        # A drawer that is closing is still in view.
        if not await self.page.evaluate("window.sides.isOpen('left')"):
            await self.page.click("#toggle-left")
        await section.click()
        await expect(self.page.locator(f"#{_SECTIONS[place]}")).to_be_visible()

    async def inspect(self, tab: str) -> None:
        """A tab of the inspector, which is opened."""
        toggle = self.page.locator("#toggle-inspector")
        await expect(toggle).to_have_attribute("aria-expanded", re.compile("true|false"))
        if await toggle.get_attribute("aria-expanded") == "false":
            await toggle.click()
        await self.page.locator("#inspector-tabs").get_by_role("tab", name=tab, exact=True).click()

    async def choose(self, menu: str, choice: str) -> None:
        """One of a menu's choices, by its words."""
        await self.page.locator(menu).locator("input").click()
        await self.page.get_by_role("option", name=choice).first.click()

    async def speak_with(self, character: str) -> None:
        await self.inspect("Chat")
        await self.page.locator("#mode").get_by_label("Character", exact=True).check()
        await self.choose("#character", character)

    async def speak_with_nobody(self) -> None:
        await self.page.locator("#mode").get_by_label("Assistant", exact=True).check()
        await expect(self.page.locator("#character")).to_be_hidden()
        await expect(self.chosen).to_have_count(1)

    async def open(self, title: str) -> None:
        await self.chats.filter(has_text=title).first.click()
        await expect(self.chosen).to_contain_text(title)
