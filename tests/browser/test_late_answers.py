"""What was entered while the page waits for an answer is still there when the answer comes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest
from playwright.async_api import Browser, Locator, Page, Request, Route, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site
from tests.browser.visits import visiting
from tests.model_files import QWEN, SMOLLM2

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_EVENTS: Final = "**/gradio_api/queue/join*"
_EVENTS_OF: Final = """([name, kind]) => {
  const owner = window.gradio_config.components.find((each) => each.props.elem_id === name).id;
  const starts = ({ targets }) => targets.some(([id, each]) => id === owner && each === kind);
  return window.gradio_config.dependencies.filter(starts).map(({ id }) => id);
}"""


@asynccontextmanager
async def _late(page: Page) -> AsyncIterator[None]:
    """Events that begin in the block reach the server, one after the other, when it ends."""
    free = asyncio.Event()

    async def hold(route: Route) -> None:
        await free.wait()
        await route.continue_()

    async with page.expect_request(_EVENTS):
        await page.route(_EVENTS, hold)
        try:
            yield
        finally:
            free.set()
    await page.unroute_all(behavior="wait")


def _event(request: Request) -> list[int]:
    """The number of the event that a request asks for, if it does."""
    return [json.loads(request.post_data or "{}")["fn_index"]] if "/queue/join" in request.url else []


def _number(page: Page, label: str) -> Locator:
    return page.get_by_label(f"number input for {label}", exact=True)


@pytest.mark.extended
async def test_parameter_survives_a_preset_that_was_chosen_before(chat: ChatPage) -> None:
    page = chat.page
    await chat.inspect("Sampling")
    await chat.choose("#preset-menu", "Deterministic")
    await expect(_number(page, "Top K")).to_have_value("1")
    async with _late(page):
        await chat.choose("#preset-menu", "min_p")
        await _number(page, "Temperature").fill("0.35")
        await _number(page, "Temperature").press("Tab")
    await expect(_number(page, "Min P")).to_have_value("0.05")
    await expect(_number(page, "Top K")).not_to_have_value("1")
    await expect(_number(page, "Temperature")).to_have_value("0.35")
    await chat.choose("#preset-menu", "Deterministic")
    await expect(_number(page, "Temperature")).not_to_have_value("0.35")
    await chat.go_to("Chat")


async def test_next_message_survives_the_sending_of_the_one_before(chat: ChatPage) -> None:
    async with _late(chat.page):
        async with chat.page.expect_request(_EVENTS):
            await chat.write("echo: The first")
        await chat.page.keyboard.type(" and then some")
    await expect(chat.replies).to_have_text("The first")
    await expect(chat.sent).to_have_text("echo: The first")
    await expect(chat.box).to_have_value(" and then some")
    await chat.box.fill("")


async def test_text_of_a_character_survives_its_choice(chat: ChatPage) -> None:
    page = chat.page
    await chat.go_to("Character")
    greeting = page.locator("#character-greeting textarea")
    await expect(page.locator("#character-menu input")).not_to_have_value("")
    await chat.choose("#character-menu", "Assistant")
    await page.locator("#character-tab").get_by_role("tab", name="Greetings").click()
    await expect(greeting).to_have_value("How can I help you today?")
    async with _late(page):
        await chat.choose("#character-menu", "Example")
        await greeting.fill("My own words")
    await expect(page.locator("#character-name input, #character-name textarea")).to_have_value("Chiharu Yamada")
    await expect(greeting).to_have_value("My own words")
    await chat.go_to("Chat")


async def test_what_is_saved_is_what_was_chosen(chat: ChatPage, scripted: Site) -> None:
    page = chat.page
    file = scripted.data / "characters" / "Assistant.yaml"
    before = file.read_text(encoding="utf-8")
    await chat.go_to("Character")
    await chat.choose("#character-menu", "Example")
    await expect(page.locator("#character-name input, #character-name textarea")).to_have_value("Chiharu Yamada")
    async with _late(page):
        await chat.choose("#character-menu", "Assistant")
        await page.click("#character-save")
    await expect(chat.notices.first).to_contain_text("Assistant")
    assert "Chiharu" not in file.read_text(encoding="utf-8")
    file.write_text(before, encoding="utf-8")
    await chat.go_to("Chat")


async def test_message_waits_for_the_choice_of_its_chat(chat: ChatPage) -> None:
    """The second choice is held back by Gradio while the first is under way, and ends what leaves before it."""
    page = chat.page
    await chat.speak_with("Example")
    await expect(chat.replies.first).to_contain_text("I'm Chiharu.")
    sending = await page.evaluate(_EVENTS_OF, ["box", "submit"])
    left: list[int] = []
    page.on("request", lambda request: left.extend(_event(request)))
    async with _late(page):
        await page.get_by_label("Character via instruct template").check()
        await chat.choose("#character", "Assistant")
        await chat.write("echo: To the assistant")
        before = list(left)
    await expect(chat.sent).to_have_text(["echo: To the assistant"])
    assert not set(before) & set(sending)
    await expect(chat.replies).to_have_count(2)
    await expect(chat.replies.first).to_have_text("How can I help you today?")
    await expect(chat.box).to_have_value("")
    await chat.speak_with("Example")
    await chat.speak_with_nobody()


async def test_message_that_was_cancelled_before_it_began_is_sent_again(chat: ChatPage) -> None:
    page = chat.page
    await chat.speak_with("Example")
    await expect(chat.replies.first).to_contain_text("I'm Chiharu.")
    sending = await page.evaluate(_EVENTS_OF, ["box", "submit"])

    is_asked = asyncio.Event()

    async def swallow(route: Route) -> None:
        if set(_event(route.request)) & set(sending) and not is_asked.is_set():
            await route.fulfill(json={"event_id": "0" * 32})
            is_asked.set()
        else:
            await route.continue_()

    await page.route(_EVENTS, swallow)
    await chat.write("echo: Not lost")
    await is_asked.wait()
    await chat.choose("#character", "Assistant")
    await expect(chat.sent.filter(has_text="Not lost")).to_have_count(1)
    await expect(chat.box).to_have_value("")
    await page.unroute_all(behavior="wait")
    await chat.until_done()
    await chat.speak_with("Example")
    await chat.speak_with_nobody()


@pytest.mark.extended
@pytest.mark.model
async def test_load_setting_survives_the_choice_of_its_model(browser: Browser, real: Site) -> None:
    async with visiting(browser, real.url) as page:
        chat = ChatPage(page)
        await chat.go_to("Model")
        await expect(page.locator("#model-status")).to_contain_text(SMOLLM2)
        context = page.locator("#model-ctx-size input")
        await chat.choose("#model-menu", SMOLLM2)
        await expect(page.locator("#model-estimate")).to_contain_text("Needs about")
        async with _late(page):
            await chat.choose("#model-menu", QWEN)
            await context.fill("1024")
            await context.press("Tab")
            await page.click("#load-model")
        await expect(page.locator("#model-status")).to_contain_text(f"{QWEN} is loaded (llama.cpp, 1,024 tokens")
        await expect(context).to_have_value("1024")
        await chat.choose("#model-menu", SMOLLM2)
        await expect(context).not_to_have_value("1024")
        await page.click("#load-model")
        await expect(page.locator("#model-status")).to_contain_text(f"{SMOLLM2} is loaded")
