"""A message on the page: editing it, and what stands below it."""

import json
import re
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site
from tests.browser.visits import DESKTOP, PHONE, visiting
from tests.daily import some_daily

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_LEAST_SHARE: Final = 0.9
_LEAST_LINES: Final = 6
_LEAST_LABEL: Final = 40
_LEAST_SEEN: Final = 0.5


def _width(size: ViewportSize) -> str:
    return str(size["width"])


@pytest.mark.parametrize("side", ["user", "bot"])
async def test_editing_has_the_width_of_the_conversation(chat: ChatPage, side: str) -> None:
    await chat.say("count 600")
    row = chat.page.locator(f"#chat .{side}-row")
    await row.hover()
    await row.get_by_role("button", name="Edit").click()
    field = chat.page.locator("#chat textarea")
    await expect(field).to_be_focused()
    measures = """field => ({share: field.offsetWidth / document.querySelector('#chat').offsetWidth,
      lines: field.clientHeight / parseFloat(getComputedStyle(field).lineHeight), screens: field.offsetHeight / innerHeight,
      top: field.scrollTop})"""
    found = await field.evaluate(measures)
    assert found["share"] >= _LEAST_SHARE
    assert found["lines"] >= _LEAST_LINES
    assert found["screens"] <= 0.61
    assert found["top"] == 0
    for label in ("Save", "Cancel"):
        await expect(chat.button(label)).to_be_visible()
        assert await chat.button(label).evaluate("button => button.offsetWidth") > _LEAST_LABEL
        assert (
            await chat.button(label).evaluate("button => getComputedStyle(button, '::before').content") == f'"{label}"'
        )
    # As when a phone shows its keyboard.
    await chat.page.set_viewport_size({"width": DESKTOP["width"], "height": DESKTOP["height"] // 2})
    await expect(field).to_be_in_viewport(ratio=_LEAST_SEEN)
    await chat.page.set_viewport_size(DESKTOP)
    await chat.page.keyboard.press("Escape")
    await expect(field).to_have_count(0)


async def test_escape_leaves_a_message_and_control_enter_saves_it(chat: ChatPage) -> None:
    await chat.say("echo: As it was")
    for key, text, shown in (("Escape", "Given up", "As it was"), ("Control+Enter", "As it is", "As it is")):
        await chat.button("Edit").last.click()
        field = chat.page.locator("#chat textarea")
        await field.fill(text)
        await chat.page.keyboard.press(key)
        await expect(field).to_have_count(0)
        await expect(chat.replies).to_have_text(shown)
    await expect(chat.versions).to_have_text("2/2")


async def test_escape_in_a_message_stops_no_reply_and_save_asks_for_none(chat: ChatPage) -> None:
    await chat.say("echo: Quiet")
    await chat.button("Edit").last.click()
    await chat.page.keyboard.press("Escape")
    await chat.sent.first.hover()
    await chat.button("Edit").first.click()
    await chat.page.locator("#chat textarea").fill("echo: Another question")
    await chat.button("Save").click()
    await expect(chat.sent).to_have_text("echo: Another question")
    await expect(chat.replies).to_have_text("Quiet")


async def test_what_is_edited_stays_with_its_chat_and_outlives_a_reply(chat: ChatPage) -> None:
    field, page = chat.page.locator("#chat textarea"), chat.page
    await chat.say("echo: In one chat")
    await chat.new()
    await chat.say("echo: In another")
    await chat.write("slow 3000")
    await chat.growing()
    for key in ("Control+Enter", "Alt+Enter"):
        await page.keyboard.press(key)
        await expect(chat.notices.filter(has_text="Stop it first").last).to_be_visible()
    await chat.growing()
    await page.locator("#chat .user-row").first.hover()
    await chat.button("Edit").first.click()
    await field.fill("echo: Half of it")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_text("save this when it is complete")).to_be_visible()
    await chat.stop_button.click()
    await expect(chat.replies).to_have_count(2)
    await chat.open("In one chat")
    await expect(field).to_have_count(0)
    await expect(chat.sent).to_have_text("echo: In one chat")
    await chat.open("In another")
    await expect(field).to_have_value("echo: Half of it")
    await page.reload()
    await expect(field).to_have_value("echo: Half of it")
    await field.press("Control+Enter")
    await expect(chat.replies).to_have_text(["Half of it"])
    await expect(field).to_have_count(0)


@pytest.mark.parametrize(
    "size",
    some_daily([PHONE, {"width": 1440, "height": 900}, {"width": 1024, "height": 700}], every=3, ids=_width),
)
async def test_pace_of_each_reply_can_be_seen(browser: Browser, scripted: Site, size: ViewportSize) -> None:
    device = {"has_touch": True, "is_mobile": True} if size == PHONE else {}
    async with visiting(browser, scripted.url, viewport=size, **device) as page:
        chat = ChatPage(page)
        await chat.until_open()
        await expect(page.locator("#send-menu")).to_be_in_viewport(ratio=1)
        for number in (1, 2):
            await chat.say(f"echo: Number {number}")
        paces = page.locator("#chat .message-acts .pace")
        await expect(paces.nth(1)).to_be_attached()
        for pace in await paces.all():
            await pace.scroll_into_view_if_needed()
            await expect(pace).to_be_in_viewport(ratio=1)
            assert await pace.evaluate(
                "pace => pace.scrollWidth <= pace.clientWidth || getComputedStyle(pace).overflow === 'visible'"
            )
            assert await pace.evaluate(
                "pace => pace.checkVisibility({opacityProperty: true, visibilityProperty: true})"
            )
            assert not re.search(r"\d{4}|\d,\d{3}\.\d", await pace.inner_text())


# Gradio's Markdown compares what it shows with what it has shown by a list of five values.
_COUNT_LOOKS: Final = """() => {
  const whole = JSON.stringify;
  window.looks = 0;
  JSON.stringify = (value, ...more) => {
    if (Array.isArray(value) && value.length === 5) window.looks += 1;
    return whole(value, ...more);
  };
}"""


async def edit(chat: ChatPage, number: int, text: str) -> None:
    await begin_edit(chat, number, text)
    await chat.page.keyboard.press("Control+Enter")


async def begin_edit(chat: ChatPage, number: int, text: str) -> None:
    """A reply, by its number."""
    row = chat.page.locator("#chat .bot-row").nth(number)
    await row.hover()
    await row.get_by_role("button", name="Edit").click()
    await chat.page.locator("#chat textarea").fill(text)


async def test_what_another_tab_has_changed_is_shown_and_not_acted_on(
    chat: ChatPage, browser: Browser, scripted: Site
) -> None:
    for word in ("one", "two"):
        await chat.say(f"echo: {word}")
    async with visiting(browser, scripted.url) as page:
        other = ChatPage(page)
        await expect(other.replies).to_have_text(["one", "two"])
        # While something is edited, it is left alone.
        await begin_edit(other, 1, "two, overwritten")
        await edit(chat, 1, "two, changed")
        # Gradio shows it before the server knows.
        await scripted.server.until(lambda: any("two, changed" in each.read_text("utf-8") for each in _chats(scripted)))
        await page.keyboard.press("Control+Enter")
        await expect(other.replies).to_have_text(["one", "two, changed"])
        await expect(page.get_by_text("changed in another tab")).to_be_visible()
        # By itself, when nothing is.
        await edit(chat, 1, "two, changed again")
        await expect(other.replies).to_have_text(["one", "two, changed again"])
        await edit(other, 0, "one, changed")
        await expect(chat.replies).to_have_text(["one, changed", "two, changed again"])
        await other.box.fill("half a message")
        await chat.write("slow 500")
        await expect(other.live.last).to_contain_text("abc")
        await chat.stop_button.click()
        await expect(other.replies).to_have_count(3)
        await other.until_done()
        await chat.do("Delete")
        await expect(page.get_by_text("deleted in another tab")).to_be_visible()
        await expect(other.page.locator("#chat .message-row")).to_have_count(0)
        await expect(other.box).to_have_value("half a message")
        await chat.undo()
        await expect(chat.replies).to_have_count(3)


def _chats(site: Site) -> list[Path]:
    return list((site.data / "logs" / "instruct").glob("*.json"))


async def test_branches_are_a_tree_and_the_prompt_can_be_seen(chat: ChatPage, scripted: Site) -> None:
    tree = chat.page.locator("#branch-tree")
    nodes = tree.get_by_role("treeitem")
    for word in ("First", "Second"):
        await chat.say(f"echo: {word}")
    await chat.sent.first.hover()
    await chat.button("Edit").first.click()
    await chat.page.locator("#chat textarea").fill("echo: Other")
    await chat.page.keyboard.press("Control+Enter")
    await expect(chat.replies).to_have_text(["Other"])
    await chat.until_done()
    await chat.inspect("Info")
    texts = ["echo: Other", "echo: First", "First", "echo: Second", "Second", "Other"]
    await expect(nodes.locator(".branch-text")).to_have_text(texts)
    await expect(tree.locator("[aria-current]")).to_have_text("Other")
    await expect(tree.locator("[aria-selected=true]")).to_have_count(2)
    reply = chat.page.locator("#reply-info")
    await expect(reply).to_contain_text("scripted")
    await expect(reply).to_contain_text("SHA-256 of the prompt")
    await chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await reply.get_by_role("button", name="Copy receipt").click()
    copied = (
        "async () => { try { return JSON.parse(await navigator.clipboard.readText()).seeds } catch { return null } }"
    )
    await chat.page.wait_for_function(copied)
    prompt = chat.page.locator(".prompt-shown")
    await reply.get_by_role("button", name="Show the prompt").click()
    await expect(prompt.locator("pre")).to_contain_text("echo: Other")
    await expect(prompt).not_to_contain_text("Made anew")
    await chat.page.keyboard.press("Escape")
    assert "echo: Other" not in scripted.server.log
    # By keys: from the last message up to the branch that was left.
    await tree.locator("[aria-current]").focus()
    for key in ("ArrowUp", "Home", "ArrowRight", "ArrowDown", "Enter"):
        await chat.page.keyboard.press(key)
    await expect(chat.replies).to_have_text(["First", "Second"])
    await expect(tree.locator("[aria-current]")).to_have_text("Second")
    await nodes.filter(has_text="Other").first.click()
    await expect(chat.replies).to_have_text(["Other"])
    # A chat that branches off stands in the tree, and leads back.
    await chat.say("echo: Third")
    await chat.sent.first.hover()
    await chat.button("Branch here").first.click()
    await expect(nodes.first).to_contain_text("Branched off: ")
    await expect(chat.replies).to_have_text(["Other"])
    await nodes.first.click()
    await expect(chat.replies).to_have_text(["Other", "Third"])
    link = nodes.filter(has_text="Branch: ")
    await expect(link).to_have_count(1)
    await link.click()
    await expect(chat.replies).to_have_text(["Other"])
    await expect(nodes.first).to_contain_text("Branched off: ")
    await chat.inspect("Chat")


async def test_the_tree_of_a_long_chat_is_folded_and_leads_to_its_messages(chat: ChatPage, scripted: Site) -> None:
    rows = [[f"Question {number}", f"Answer {number}"] for number in range(250)]
    (scripted.data / "logs" / "instruct" / "A long walk.json").write_text(
        json.dumps({"internal": rows, "visible": rows}), encoding="utf-8"
    )
    await chat.arrive()
    await chat.open("A long walk")
    await chat.inspect("Info")
    nodes = chat.page.locator("#branch-tree").get_by_role("treeitem")
    await expect(nodes).to_have_count(3)
    await nodes.nth(1).click()
    await expect(nodes).to_have_count(500)
    await nodes.filter(has_text="Question 17").first.click()
    await expect(chat.sent.filter(has_text="Question 17").first).to_be_in_viewport()
    await chat.inspect("Chat")
    await chat.page.evaluate(_COUNT_LOOKS)
    await chat.say("echo: and on")
    await expect(chat.replies.last).to_have_text("and on")
    # Not at each of the 500 that are there, whenever something is added to them.
    assert await chat.page.evaluate("window.looks") < 100
