"""The command palette, the prompt library and the page's language, as their users handle them."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site
from tests.browser.visits import visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_PROMPT = "---\nname: Explain\ntags: [learn]\n---\necho: {{topic}} in a {{tone:select:dry,warm}} tone\n"


async def test_palette_finds_settings_sections_and_chats_and_keeps_what_was_used(chat: ChatPage) -> None:
    page = chat.page
    field = page.get_by_role("combobox", name="Search and commands")
    options = page.locator("#palette-list [role=option]")
    await chat.box.focus()
    await page.keyboard.press("Control+k")
    await field.fill("notebook")
    await expect(options.first).to_contain_text("Notebook")
    await page.keyboard.press("Enter")
    await expect(field).to_have_count(0)
    await expect(page.locator("#notebook-tab")).to_be_visible()
    await page.keyboard.press("Control+k")
    await expect(page.locator("#palette-list [role=group]").first).to_contain_text("Recently used")
    await expect(options.first).to_contain_text("Notebook")
    # Chats are found by what is said in them.
    await field.fill("morning to you")
    await expect(options.filter(has_text="Good morning").first).to_be_visible()
    await field.fill("temperature")
    await options.filter(has_text="Temperature").first.click()
    await expect(field).to_have_count(0)
    await expect(page.get_by_role("spinbutton", name="number input for Temperature", exact=True)).to_be_visible()
    # Enter counts for the words that were typed, however late it is known what they find.
    await page.keyboard.press("Control+k")
    await expect(options.first).to_be_visible()
    await field.evaluate(
        """field => { field.value = 'notebook'; field.dispatchEvent(new Event('input'));
          field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', cancelable: true })); }"""
    )
    # The notebook may have been in view before: only a palette that is gone can be opened again.
    await expect(field).to_have_count(0)
    await expect(page.locator("#notebook-text")).to_be_visible()
    await page.keyboard.press("Control+k")
    await field.fill("zzzz")
    await expect(page.get_by_text("Nothing found.")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(field).to_have_count(0)
    await page.evaluate("window.sections.show('chat-tab'); window.sides.close('inspector')")


async def test_slash_inserts_a_prompt_with_its_variables_and_sends_nothing(chat: ChatPage, scripted: Site) -> None:
    page = chat.page
    folder = scripted.data / "prompts"
    folder.mkdir()
    (folder / "explain.md").write_text(_PROMPT, encoding="utf-8")
    await chat.box.press("/")
    await expect(page.get_by_role("combobox", name="Insert a prompt")).to_be_focused()
    await page.keyboard.type("learn")
    await page.keyboard.press("Enter")
    form = page.get_by_role("dialog", name="Explain")
    await expect(form.get_by_label("topic")).to_be_focused()
    await page.keyboard.type("Rain")
    await form.get_by_label("tone").select_option("warm")
    await form.get_by_role("button", name="Insert").click()
    await expect(chat.box).to_have_value("echo: Rain in a warm tone")
    await expect(chat.box).to_be_focused()
    await expect(chat.sent).to_have_count(0)
    await chat.box.press("Enter")
    await chat.until_done()
    await expect(chat.replies).to_have_text("Rain in a warm tone")


async def test_prompts_are_written_and_deleted_in_the_settings(chat: ChatPage, scripted: Site) -> None:
    page = chat.page
    folder = scripted.data / "prompts"
    folder.mkdir(exist_ok=True)
    (folder / "bad.md").write_text("---\nname: Bad\n", encoding="utf-8")
    await page.evaluate("window.sections.show('prompts-tab')")
    library = page.locator("#prompt-library")
    await expect(library.get_by_role("alert")).to_contain_text("bad.md: the front matter has no end.")
    await library.get_by_role("button", name="New prompt").click()
    form = page.get_by_role("dialog", name="New prompt")
    await form.get_by_role("button", name="Save").click()
    await expect(form.get_by_role("alert")).to_contain_text("Give the prompt a name")
    await form.get_by_label("Name").fill("Sum up")
    await form.get_by_label("Text").fill("Sum up: {{text:long}}")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Keep editing").click()
    await form.get_by_role("button", name="Save").click()
    row = library.get_by_role("listitem").filter(has_text="Sum up")
    await expect(row).to_be_visible()
    assert (folder / "Sum up.md").read_text() == "---\nname: Sum up\n---\nSum up: {{text:long}}\n"
    await row.get_by_role("button", name="Delete").click()
    await expect(row).to_have_count(0)
    await scripted.server.until(lambda: not (folder / "Sum up.md").exists())
    await library.get_by_role("button", name="Undo").click()
    await expect(row).to_be_visible()
    await page.evaluate("window.sections.show('chat-tab')")


async def test_page_speaks_the_browser_s_language_until_another_is_chosen(browser: Browser, scripted: Site) -> None:
    async with visiting(browser, scripted.url, locale="de-AT") as page:
        await expect(page.locator("#new-chat")).to_have_text("Neuer Chat")
        assert await page.evaluate("document.documentElement.lang") == "de"
        await page.locator("[data-section=settings-tab]").first.click()
        choice = page.locator("#language")
        await expect(choice.get_by_label("System")).to_be_checked()
        async with page.expect_navigation():
            await choice.get_by_text("English").click()
        await expect(page.locator("#new-chat")).to_have_text("New chat")
        await page.reload()
        await expect(page.locator("#new-chat")).to_have_text("New chat")
        assert await page.evaluate("document.documentElement.lang") == "en"
