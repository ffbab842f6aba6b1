"""How replies look, whatever a model writes: code, formulas, tables, thoughts; and nothing of it runs or fetches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CODE = "def area(r: float) -> float:\n    return 3.14 * r ** 2  # <div>"
RICH = f"""## Circles

A circle has the area $A = \\pi r^2$, and $$\\int_0^1 x\\,dx = \\frac{{1}}{{2}}$$

```python
{CODE}
```

| radius | area |
|---|---|
| 1 | 3.14 |
| 2 | 12.57 |

Wrap it in a <div> or a <b>bold</b> tag."""

MONEY = (
    "It costs $5 and then $10 more.",
    "Prices: $1,000-$2,000 (about US$3k).",
    "Use $HOME and $PATH in bash.",
    "I paid $20/month, now it is $25/month.",
    "$5 or 5$",
    "Between $5",
)
SHELL = "echo $x$ and $$ and \\[a\\]"
FORMULAS = f"""It costs $5 for $x^2$ and $10 for \\(a_1\\), and

$$y$$

\\[z\\]

`$HOME` and `$PATH` are $E = mc^2$, the $n$th, where $b<c$.

```sh
{SHELL}
```"""

# Each sets window.ran if anything of it runs.
HOSTILE = (
    '<img src="x" onerror="window.ran = 1">',
    "<svg/onload=window.ran=1>",
    '<svg><animate onbegin="window.ran=1" attributeName="x" dur="1s"/></svg>',
    "<script>window.ran = 1</script>",
    '</script><script>window.ran = 1</script><img src="x" onerror="window.ran = 1">',
    '<iframe srcdoc="<script>parent.ran = 1</script>"></iframe>',
    '<details open ontoggle="window.ran = 1"><summary>x</summary></details>',
    "[click me](javascript:window.ran=1)",
    "[click me](JaVaScRiPt&#58;window.ran=1)",
    '<a href="javascript:window.ran=1">click me</a>',
    "![x](x){onerror=window.ran=1}",
    '![x" onerror="window.ran=1](x)',
    "$\\href{javascript:window.ran=1}{click me}$",
    '$\\htmlData{x="}{<img src=x onerror=window.ran=1>}$',
    '```html\n</code></pre><img src=x onerror="window.ran=1">\n```',
    '```"><img src=x onerror=window.ran=1>\nx\n```',
    '`</code><img src=x onerror="window.ran=1">`',
    '| a |\n|---|\n| <img src=x onerror="window.ran=1"> |',
    '<think><img src=x onerror="window.ran=1"></think> done',
    '```mermaid\ngraph TD; A["<img src=x onerror=window.ran=1>"]\n```',
)

_HANDLERS = """[...document.querySelectorAll('#chat *')].flatMap(element =>
  [...element.attributes].map(attribute => attribute.name).filter(name => name.startsWith('on')))"""
CARD = """name: '<img src=x onerror="window.ran = 1">'
greeting: 'Hi <svg/onload=window.ran=1> </script><script>window.ran=1</script> [click me](javascript:window.ran=1)'
context: Somebody who means no good.
"""


async def test_code_formulas_and_tables(chat: ChatPage) -> None:
    await chat.say(f"echo: {RICH}")
    reply = chat.replies
    await expect(reply.locator("h2")).to_have_text("Circles")
    await expect(reply.locator(".katex")).to_have_count(2)
    await expect(reply.locator(".katex-display")).to_have_count(1)
    await expect(reply.locator("table td")).to_have_text(["1", "3.14", "2", "12.57"])
    await expect(reply.locator("pre code .token.keyword").first).to_have_text("def")
    await expect(reply).to_contain_text("Wrap it in a <div> or a <b>bold</b> tag.")


async def test_money_and_variables_are_words(chat: ChatPage) -> None:
    await chat.say("echo: " + "\n\n".join(MONEY))
    await expect(chat.replies.last.locator("p")).to_have_text(list(MONEY))
    await expect(chat.sent.last.locator("p")).to_have_text([f"echo: {MONEY[0]}", *MONEY[1:]])
    await expect(chat.page.locator("#chat .katex")).to_have_count(0)


async def test_formulas_beside_money_and_code(chat: ChatPage) -> None:
    await chat.say(f"echo: {FORMULAS}")
    reply = chat.replies.last
    formulas = reply.locator(".katex annotation")
    await expect(formulas).to_have_text(["x^2", "a_1", "y", "z", "E = mc^2", "n", "b<c"])
    await expect(reply.locator(".katex-display")).to_have_count(2)
    await expect(reply.locator("p").first).to_contain_text("costs $5 for")
    await expect(reply.locator("code")).to_have_text(["$HOME", "$PATH", SHELL + "\n"])
    await chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await chat.button("Copy message").last.click()
    await chat.page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('It costs')")
    assert await _clipboard(chat) == FORMULAS


async def test_what_is_copied_is_what_was_written(chat: ChatPage) -> None:
    await chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await chat.say(f"echo: {RICH}")
    await chat.replies.locator("pre").hover()
    await chat.replies.locator(".copy_code_button").click()
    await chat.page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('def area')")
    assert (await _clipboard(chat)).strip() == CODE
    await chat.button("Copy message").last.click()
    await chat.page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('## Circles')")
    assert await _clipboard(chat) == RICH


async def test_thought_is_folded_away(chat: ChatPage) -> None:
    await chat.say("echo: <think>\nI wonder about that.\n</think>\n\nForty-two.")
    await expect(chat.replies.last).to_have_text("Forty-two.")
    thought = chat.page.locator("#chat .bot-row").get_by_text("I wonder about that.")
    await expect(thought).to_be_hidden()
    await chat.page.locator("#chat .bot-row").get_by_text("Thought").first.click()
    await expect(thought).to_be_visible()


async def test_no_script_of_a_reply_runs(chat: ChatPage) -> None:
    await chat.say("echo: " + "\n\n".join(HOSTILE))
    await expect(chat.replies.last).to_contain_text("<svg/onload=window.ran=1>")
    await _expect_nothing_ran(chat)
    await chat.page.reload()
    await expect(chat.replies.last).to_contain_text("<svg/onload=window.ran=1>")
    await _expect_nothing_ran(chat)


async def test_no_script_of_a_character_runs(chat: ChatPage, scripted: Site) -> None:
    (scripted.data / "characters" / "Mallory.yaml").write_text(CARD, encoding="utf-8")
    await chat.page.reload()
    await expect(chat.chosen).to_have_count(1)
    await chat.speak_with("Mallory")
    await expect(chat.replies.first).to_contain_text("<svg/onload=window.ran=1>")
    await chat.say("echo: Hello")
    await _expect_nothing_ran(chat)
    await chat.speak_with_nobody()


async def test_link_opens_in_a_tab_that_knows_nothing_of_this_one(chat: ChatPage) -> None:
    await chat.say("echo: See [the manual](https://example.com/manual).")
    link = chat.replies.get_by_role("link", name="the manual")
    assert await link.get_attribute("href") == "https://example.com/manual"
    assert await link.get_attribute("target") == "_blank"
    assert "noopener" in (await link.get_attribute("rel") or "")


async def test_pictures_elsewhere_are_not_fetched(chat: ChatPage) -> None:
    async with _listening() as (address, connections):
        await chat.say(f"echo: Look ![cat]({address}/cat.png) and ![dog](https://example.com/dog.png)")
        await expect(chat.replies.locator("img")).to_have_count(2)
        await chat.page.wait_for_function("[...document.images].every((image) => image.complete)")
        assert connections == []


async def _expect_nothing_ran(chat: ChatPage) -> None:
    for link in await chat.page.locator("#chat .bot-row a").all():
        assert "script" not in (await link.get_attribute("href") or "").lower()
    for link in await chat.page.locator("#chat .bot-row").get_by_text("click me").filter(visible=True).all():
        await link.click()
    assert await chat.page.locator("#chat [data-testid=bot] :is(script, iframe, animate)").count() == 0
    assert await chat.page.evaluate(_HANDLERS) == []
    assert await chat.page.evaluate("window.ran") is None


async def _clipboard(chat: ChatPage) -> str:
    return str(await chat.page.evaluate("navigator.clipboard.readText()"))


@asynccontextmanager
async def _listening() -> AsyncIterator[tuple[str, list[str]]]:
    """The address of somebody else's server on this machine, and who has connected to it."""
    connections: list[str] = []

    async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(str(writer.get_extra_info("peername")))
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", connections
