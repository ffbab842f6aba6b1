"""Somebody's first hour with the page, on real models: eight tasks, each in as few clicks as were promised for it."""

import json
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.clicks import at_most, count_clicks
from tests.browser.sites import Site, real_site
from tests.browser.test_card_drop import CARD, DROP
from tests.browser.visits import watched
from tests.chat.attachment_files import pdf
from tests.model_files import QWEN

pytestmark = [
    pytest.mark.browser,
    pytest.mark.model,
    pytest.mark.extended,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="session"),
]
OLD_WORDS = [["Which lake is the deepest?", "Lake Baikal, by far."]]


async def test_every_task_of_a_first_visit_takes_few_clicks(browser: Browser, tmp_path: Path) -> None:
    old = tmp_path / "logs" / "instruct" / "20260102-10-00-00.json"
    old.parent.mkdir(parents=True)
    old.write_text(json.dumps({"internal": OLD_WORDS, "visible": OLD_WORDS}), encoding="utf-8")
    (tmp_path / "letter.pdf").write_bytes(pdf("The parcel weighs 73 grams and goes to Ulm."))
    simple = {"show_controls": False, "show_expert": False, "temperature": 1, "recommended_sampling": "off"}
    async with (
        real_site(tmp_path, **simple, max_new_tokens=24) as site,
        watched(browser, site.url, viewport={"width": 1440, "height": 900}) as (context, _),
    ):
        await count_clicks(context)
        chat = ChatPage(await context.new_page())
        await chat.arrive()
        await chat.new()
        await _load_another_model(chat)
        await _lower_the_temperature(chat, site)
        await _set_a_system_prompt(chat, site)
        await _find_an_old_chat(chat)
        await _talk_with_a_card(chat)
        await _ask_about_a_pdf(chat, tmp_path / "letter.pdf")
        await _compare_two_answers(chat)
        await _branch_at_a_word(chat)


async def _load_another_model(chat: ChatPage) -> None:
    page, name = chat.page, "qwen2.5-coder"
    await expect(page.locator("#model-pill .pill-name")).to_contain_text("SmolLM2")
    async with at_most(page, 2, "change the model and go on"):
        await page.click("#model-pill .pill")
        await page.locator(".picker-row").filter(has_text=name).click()
        await expect(page.locator("#model-pill .pill-name")).to_contain_text(name)
        await expect(page.locator("#model-pill .pill-dot.loaded")).to_be_visible()
        await chat.say("Name a colour.")
    await expect(page.locator("#chat .message-acts .info").last).to_contain_text(QWEN)


async def _lower_the_temperature(chat: ChatPage, site: Site) -> None:
    page = chat.page
    async with at_most(page, 2, "temperature, with the panel shut"):
        await page.click("#toggle-inspector")
        await page.locator("#chat-temperature input[type=number]").click()
        await page.keyboard.press("Control+a")
        await page.keyboard.type("0.1")
        await page.keyboard.press("Tab")
        await site.server.until(lambda: "temperature: 0.1" in (site.data / "settings.yaml").read_text("utf-8"))
        await expect(chat.box).to_be_visible()
    await page.click("#toggle-inspector")


async def _set_a_system_prompt(chat: ChatPage, site: Site) -> None:
    page = chat.page
    async with at_most(page, 2, "system prompt, with the panel shut"):
        await page.click("#toggle-inspector")
        await page.locator("#system-message textarea").click()
        await page.keyboard.type("Answer in one short sentence.")
        await chat.box.focus()
        await chat.say("Name a river.")
    await site.server.until(lambda: "Answer in one short" in (site.data / "settings.yaml").read_text("utf-8"))
    await page.click("#toggle-inspector")


async def _find_an_old_chat(chat: ChatPage) -> None:
    page = chat.page
    async with at_most(page, 2, "find a word in all chats"):
        await page.click("#chat-search input")
        await page.keyboard.type("Baikal")
        await expect(chat.chats).to_have_count(1)
        await expect(chat.chats).to_contain_text("Which lake")
        await chat.chats.click()
        await expect(chat.replies).to_have_text(["Lake Baikal, by far."])
    await chat.search("")


async def _talk_with_a_card(chat: ChatPage) -> None:
    page = chat.page
    async with at_most(page, 1, "a card, after it was dropped"):
        await page.evaluate(DROP, ["ada.json", json.dumps({"spec": "chara_card_v3", "data": CARD})])
        await page.get_by_role("dialog").get_by_role("button", name="Talk").click()
        await expect(chat.replies).to_have_text(["Good day."])
        await chat.box.focus()
        await chat.say("Who are you?")
    await page.click("#toggle-inspector")
    await chat.speak_with_nobody()
    await page.click("#toggle-inspector")
    await chat.new()


async def _ask_about_a_pdf(chat: ChatPage, letter: Path) -> None:
    page = chat.page
    async with at_most(page, 1, "attach a PDF and ask, but for the file dialog"):
        async with page.expect_file_chooser() as chooser:
            await page.locator("#box .upload-button").click()
        await (await chooser.value).set_files(letter)
        await expect(page.locator("#files li")).to_contain_text("letter.pdf")
        await chat.box.focus()
        await chat.say("How much does the parcel weigh?")
    await expect(page.locator("#chat .user-row")).to_contain_text("letter.pdf")
    await expect(chat.replies).to_contain_text(["73"])


async def _compare_two_answers(chat: ChatPage) -> None:
    page = chat.page
    async with at_most(page, 3, "another answer beside the first one"):
        await chat.button("Compare").last.click()
        await page.locator("#compare-right").get_by_role("button", name="Regenerate with").click()
        await page.get_by_role("menuitem", name="The same settings").click()
        await expect(page.locator("#compare-right [data-testid=bot]")).to_contain_text("73")
        await expect(page.locator("#compare-stop")).to_be_hidden()
    await page.keyboard.press("Escape")
    await expect(chat.versions).to_have_text("1/2")


async def _branch_at_a_word(chat: ChatPage) -> None:
    page = chat.page
    async with at_most(page, 0, "the probabilities, by keys"):
        await page.keyboard.press("Control+k")
        await page.keyboard.type("Probabilities")
        await expect(page.get_by_role("option", name="Probabilities").first).to_be_visible()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("checkbox", name="Probabilities")).to_be_focused()
        await page.keyboard.press("Space")
    await chat.new()
    for question in ("Name a tree.", "Name a bird."):
        await chat.say(question)
    before = await chat.chats.count()
    words = page.locator("#chat .token")
    await expect(words.first).to_be_visible()
    async with at_most(page, 2, "branch at a word"):
        await words.first.click()
        await page.locator("#token-popover").get_by_role("button", name="Take").nth(1).click()
        await expect(chat.chats).to_have_count(before + 1)
        await expect(chat.sent).to_have_count(1)
        await chat.until_done()
    await expect(chat.versions).to_have_text("2/2")
