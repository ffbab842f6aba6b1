"""Eight screens of the page, filled with the same things each time: for pictures, and for whatever looks at all of it."""

import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import yaml
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site, scripted_site
from tests.browser.visits import PHONE, watched
from tests.live.server import ROOT

SIZES: Final = {"desktop": {"width": 1440, "height": 900}, "small": {"width": 1024, "height": 700}, "phone": PHONE}
LOOKS: Final = ("dark", "light")
SCENES: Final = ("chat", "welcome", "character", "notebook", "parameters", "characters", "model", "session")

_FONTS: Final = Path(__file__).parent / "fonts"
_FACES: Final = (("Page", 400, "DejaVuSans"), ("Page", 700, "DejaVuSans-Bold"), ("Page Mono", 400, "DejaVuSansMono"))
_TABS: Final = {
    "notebook": "Notebook",
    "characters": "Character",
    "model": "Model",
    "session": "API",
}
_SETTLED: Final = {
    "notebook": "#notebook-text",
    "parameters": "#save-preset",
    "characters": "#character-menu",
    "model": "#model-status",
    "session": "#api-address",
}
# What a browser gets with the page itself.
_FILLED: Final = re.compile(r"^http://[^/]+/(assets/config-\w+\.js)?$")
_PORT: Final = "5000"
# It is counted a moment after a chat is shown.
_CONTEXT_USE: Final = {"chat": "7 %", "welcome": "0 %", "character": "18 %", "parameters": "18 %"}
# Where an event has brought the address since.
_SAME_PORT: Final = r"""port => {
  const same = (words) => words.replace(/(127\.0\.0\.1:)\d+/g, "$1" + port);
  for (const field of document.querySelectorAll("#api-tab input, #api-tab textarea")) field.value = same(field.value);
  const texts = document.createTreeWalker(document.querySelector("#api-tab"), NodeFilter.SHOW_TEXT);
  for (let each = texts.nextNode(); each; each = texts.nextNode()) if (/127/.test(each.data)) each.data = same(each.data);
}"""
_PICTURES: Final = {"character": "#chat .avatar-container img", "characters": "#character-picture img"}
_TITLE: Final = "Area of a circle"
_QUESTION: Final = "How do I compute the area of a circle? Show me some Python and a table."
_REPLY: Final = """<think>
The area grows with the square of the radius.
</think>

A circle with the radius $r$ has the area

$$A = \\pi r^2$$

```python
from math import pi

# As a function of the radius.
def area(radius: float) -> float:
    return round(pi * radius**2, 2) or "0"
```

| Radius | Area |
|---:|---:|
| 1 | 3.14 |
| 2 | 12.57 |

Twice the radius is **four times** the area, see [Area](https://example.org), `area(2)`, or

- a list
- of two

> and a quotation."""
_FACTS: Final = {
    "timestamp": "Nov 27, 2026 10:15",
    "model_name": "SmolLM2-135M-Instruct",
    "tokens": 212,
    "seconds": 2.4,
}
_SPOKEN: Final = (
    ["My laptop's fan is loud. Is it broken?", "*She tilts her head and listens.* Not broken, only hungry for air!"],
    ["What do we need?", "A small brush, a drop of paste and ten minutes. *She is already holding the torch.*"],
)
# What moves or is loaded later must not be seen half way.
_STILL: Final = """*, *::before, *::after { transition: none !important; animation: none !important; caret-color: transparent !important; }
.toast-wrap { display: none !important; }"""


@asynccontextmanager
async def filled_site(folder: Path) -> AsyncIterator[Site]:
    """A site with the scripted model, and with chats that nobody adds to."""
    facts = {f"assistant_{number}": _FACTS for number in range(3)}
    for other in ("A name for a sourdough starter", "Regular expression for dates", "Trip to the lighthouse"):
        _write(folder / "logs" / "instruct" / f"{other}.json", [[other, "Gladly."]], facts)
    _write(folder / "logs" / "instruct" / f"{_TITLE}.json", [[_QUESTION, _REPLY], ["Thank you!", "Gladly."]], facts)
    greeting = yaml.safe_load((ROOT / "user_data/characters/Example.yaml").read_text(encoding="utf-8"))["greeting"]
    spoken = [["<|BEGIN-VISIBLE-CHAT|>", greeting], *_SPOKEN]
    _write(folder / "logs" / "chat" / "Example" / "The fan.json", spoken, facts)
    async with scripted_site(folder, dark_theme=True) as site:
        yield site


@asynccontextmanager
async def visit(browser: Browser, site: Site, size: str) -> AsyncIterator["Scenes"]:
    """By somebody who is told that the API is at the port that it has in examples; ports differ from run to run."""

    async def tell(route: Route) -> None:
        answer = await route.fetch()
        body = (await answer.text()).replace(site.server.url.rpartition(":")[2], _PORT)
        await route.fulfill(response=answer, body=body)

    async with watched(browser, site.url, viewport=SIZES[size], reduced_motion="reduce") as (context, _):
        await context.route(_FILLED, tell)
        page = await context.new_page()
        await page.goto("/")
        scenes = Scenes(page, size)
        await scenes.arrive()
        yield scenes
        await scenes.leave_character()


class Scenes:
    """One visit that goes from screen to screen."""

    def __init__(self, page: Page, size: str) -> None:
        self.page = page
        self._chat = ChatPage(page)
        # Elsewhere the inspector lies over the chat.
        self._has_room = size == "desktop"

    async def arrive(self) -> None:
        await expect(self._chat.chosen).to_have_count(1)
        await self.page.add_style_tag(content=f"{_faces()}\n{_STILL}")
        await self.page.evaluate("document.fonts.ready")

    async def wear(self, look: str) -> None:
        await self.page.evaluate("look => window.wearLook(look)", look)

    async def show(self, scene: str) -> None:
        """The screen, as it is when nothing on it changes any more."""
        await self._close_inspector()
        match scene:
            case "chat":
                await self._open_chat()
            case "welcome":
                await self._click("#new-chat")
                await expect(self.page.get_by_text("What shall we talk about?")).to_be_visible()
            case "character":
                await self._speak_with_character()
            case "parameters":
                await self._chat.go_to("Chat")
                await self._chat.inspect("Sampling")
                await expect(self.page.locator(_SETTLED[scene])).to_be_visible()
            case _:
                await self._chat.go_to(_TABS[scene])
                await expect(self.page.locator(_SETTLED[scene])).to_be_visible()
        if scene in _CONTEXT_USE:
            await expect(self.page.locator("#gauge")).to_contain_text(_CONTEXT_USE[scene])
        if scene == "session":
            await self.page.evaluate(_SAME_PORT, _PORT)
        if scene in {"character", "characters"}:
            await expect(self.page.locator(_PICTURES[scene]).first).to_be_visible()
        await self.page.mouse.move(0, 0)
        await self.page.evaluate("document.activeElement?.blur()")
        await self._until_still()

    async def _open_chat(self) -> None:
        await self._click(f"#past-chats .chat-row:has-text('{_TITLE}')")
        await expect(self._chat.replies.locator(".katex-display")).to_be_visible()
        await expect(self._chat.replies.locator("code .hljs-comment, code .token.comment").first).to_be_attached()
        await self._scroll_to("#chat .user-row")

    async def _close_inspector(self) -> None:
        if not self._has_room:
            await self.page.evaluate("window.sides.close('inspector')")

    async def _speak_with_character(self) -> None:
        await self._chat.go_to("Chat")
        await self._chat.inspect("Chat")
        await self._click("#mode input[value=chat]")
        await expect(self.page.locator("#character input")).to_be_visible()
        await self.page.locator("#character input").focus()
        await self.page.get_by_role("option", name="Example").first.dispatch_event("mousedown")
        await expect(self._chat.replies).to_have_count(3)
        await self.page.evaluate("document.activeElement.blur()")
        await self._close_inspector()

    async def leave_character(self) -> None:
        await self._click("#mode input[value=instruct]")
        await expect(self._chat.replies.locator(".katex-display").first).to_be_attached()

    async def _click(self, selector: str) -> None:
        """On a phone the sides are closed."""
        await self.page.locator(selector).first.dispatch_event("click")

    async def _scroll_to(self, selector: str) -> None:
        await self._until_still()
        await self.page.locator("#scroller").hover()
        await self.page.mouse.wheel(0, -20_000)
        await expect(self.page.locator(selector).first).to_be_in_viewport()
        await self.page.mouse.move(0, 0)

    async def _until_still(self) -> None:
        """Until some frames in a row have everything in the same place, pictures too."""
        await self.page.evaluate(
            """async () => {
              const frame = () => new Promise(requestAnimationFrame);
              const looks = () => [...document.querySelectorAll('body *')].map(each => { const {x, y, width, height} = each.getBoundingClientRect();
                return [...[x, y, width, height].map(Math.round), each.localName === 'img' && (each.currentSrc + each.complete)].join(); }).join(';');
              for (let before = '', now = looks(), same = 0; same < 5; before = now, await frame(), now = looks()) same = now === before ? same + 1 : 0;
              await Promise.all([...document.images].map(each => each.checkVisibility() && each.decode().catch(() => {})));
              await frame();
            }"""
        )


def _write(file: Path, rows: list[list[str]], facts: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    visible = [["" if said.startswith("<|") else said, answer] for said, answer in rows]
    file.write_text(json.dumps({"internal": rows, "visible": visible, "metadata": facts}), encoding="utf-8")


def _faces() -> str:
    """Letters of the same shape and width on every machine."""
    faces = [
        f"@font-face {{ font-family: '{family}'; font-weight: {weight}; src: url(data:font/woff2;base64,{_encoded(name)}); }}"
        for family, weight, name in _FACES
    ]
    uses = ":root, .gradio-container { --font: 'Page', sans-serif !important; --font-mono: 'Page Mono', monospace !important; }"
    return "\n".join([*faces, uses, "body, .gradio-container { font-family: 'Page', sans-serif !important; }"])


def _encoded(name: str) -> str:
    return base64.b64encode((_FONTS / f"{name}.woff2").read_bytes()).decode()
