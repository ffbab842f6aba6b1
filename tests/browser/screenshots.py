"""Pictures of the page for README.md: `python -m tests.browser.screenshots` writes them into docs/images.

The chats that they show are written beforehand, so that they come out the same each time.
"""

import asyncio
import io
import json
import tempfile
from pathlib import Path
from typing import Final

import yaml
from PIL import Image
from playwright.async_api import Browser, Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.chromium import chromium
from tests.browser.sites import Site, real_site
from tests.browser.visits import DESKTOP, PHONE, visiting
from tests.live.server import ROOT

FOLDER: Final = ROOT / "docs" / "images"
LOOKS: Final = ("light", "dark")
SIZES: Final = {"desktop": DESKTOP, "phone": PHONE}
# Sections and pages of the settings, each with what is there once it is filled.
PLACES: Final = {
    "Notebook": "#notebook-text",
    "Character": "#character-menu",
    "Images": "#image-ratio",
    "General": "#look",
    "Model": "#model-estimate p",
    "Knowledge": "#knowledge-state",
    "Tools & MCP": "#tool-cards",
    "API": "#api-address",
}
REPLY: Final = """<think>
The area grows with the square of the radius. A small function and a table will show it.
</think>

A circle with the radius $r$ has the area

$$A = \\pi r^2$$

In Python:

```python
from math import pi

def area(radius: float) -> float:
    return pi * radius**2
```

| Radius | Area |
|---:|---:|
| 1 | 3.14 |
| 2 | 12.57 |
| 3 | 28.27 |

Twice the radius is **four times** the area."""


QUESTION: Final = "How do I compute the area of a circle? Show me some Python and a table."
OTHERS: Final = ("A name for a sourdough starter", "Regular expression for dates", "Trip to the lighthouse")
SPOKEN: Final = (
    ["My laptop's fan is loud. Is it broken?", "*She tilts her head and listens.* Not broken, only hungry for air!"],
    ["What do we need?", "A small brush, a drop of paste and ten minutes. *She is already holding the torch.*"],
)


async def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_chats(folder)
        async with real_site(folder) as site, chromium() as browser:
            for look in LOOKS:
                for size in SIZES:
                    await _take_all(browser, site, look, size)


def _write_chats(folder: Path) -> None:
    for other in OTHERS:
        _write(folder / "logs" / "instruct" / f"{other}.json", [[other, "Gladly."]])
    _write(folder / "logs" / "instruct" / "Area of a circle.json", [[QUESTION, REPLY]])
    greeting = yaml.safe_load((ROOT / "user_data/characters/Example.yaml").read_text(encoding="utf-8"))["greeting"]
    _write(folder / "logs" / "chat" / "Example" / "The fan.json", [["<|BEGIN-VISIBLE-CHAT|>", greeting], *SPOKEN])


def _write(file: Path, rows: list[list[str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    turn = {"timestamp": "Nov 27, 2026 10:15", "model_name": "SmolLM2-135M-Instruct", "tokens": 212, "seconds": 2.4}
    facts = {f"assistant_{number}": turn for number in range(len(rows))}
    visible = [["" if said.startswith("<|") else said, answer] for said, answer in rows]
    text = json.dumps({"internal": rows, "visible": visible, "metadata": facts})
    file.write_text(text, encoding="utf-8")


async def _take_all(browser: Browser, site: Site, look: str, size: str) -> None:
    async with visiting(browser, site.url, viewport=SIZES[size], color_scheme=look) as page:
        chat = ChatPage(page)
        await expect(chat.chosen).to_have_count(1)
        await page.evaluate("look => window.wearLook(look)", look)
        await _open_chat(chat, size)
        await _take(page, f"chat-{size}-{look}")
        await chat.inspect("Sampling")
        await expect(page.locator("#save-preset")).to_be_visible()
        await _take(page, f"sampling-{size}-{look}")
        await page.click("#toggle-inspector") if size == "desktop" else await page.keyboard.press("Escape")
        await page.keyboard.press("Control+Shift+M")
        await expect(page.locator("dialog[open]")).to_contain_text("Loaded")
        await _take(page, f"picker-{size}-{look}")
        await page.keyboard.press("Escape")
        for place, settled in PLACES.items():
            await chat.go_to(place)
            await expect(page.locator(settled).first).to_be_visible()
            await _take(page, f"{place.partition(' ')[0].lower()}-{size}-{look}")
        await chat.go_to("Chat")
        await _speak_with_character(chat, size)
        await _take(page, f"roleplay-{size}-{look}")
        await page.evaluate("document.querySelector('#mode input[value=instruct]').click()")
        await expect(chat.replies.locator(".katex-display")).to_be_attached()


async def _open_chat(chat: ChatPage, size: str) -> None:
    if size == "desktop":
        await chat.open("Area of a circle")
    await expect(chat.replies.locator(".katex-display")).to_be_visible()
    await chat.page.locator("#scroller").evaluate("scroller => scroller.scrollTo(0, 0)")


async def _speak_with_character(chat: ChatPage, size: str) -> None:
    await chat.speak_with("Example")
    await expect(chat.replies).to_have_count(3)
    if size == "phone":
        await chat.page.keyboard.press("Escape")


async def _take(page: Page, name: str) -> None:
    """As a picture of few colours, which a page is."""
    shot = Image.open(io.BytesIO(await page.screenshot(animations="disabled")))
    few = shot.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    few.save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    asyncio.run(main())
