"""The Images tab: pictures made, cancelled, made again, changed under a mask, deleted."""

import io
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, FilePayload, Locator, Page, expect

from modules.media.images.gallery import ImageGallery
from modules.media.images.metadata import settings_of
from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site, scripted_site
from tests.browser.visits import visiting

pytestmark = [pytest.mark.browser, pytest.mark.extended, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with scripted_site(tmp_path_factory.mktemp("images")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def tab(browser: Browser, site: Site) -> AsyncIterator[Page]:
    async with visiting(browser, site.url) as page:
        await ChatPage(page).go_to("Images")
        yield page


def field(page: Page, name: str) -> Locator:
    return page.locator(f"#{name} textarea, #{name} input").first


async def draw(page: Page, prompt: str, **numbers: str) -> None:
    await field(page, "image-prompt").fill(prompt)
    for name, value in numbers.items():
        await field(page, f"image-{name}").fill(value)
    await page.click("#draw")


def newest(site: Site) -> bytes:
    gallery = ImageGallery(site.data / "image_outputs")
    return gallery.path_of(gallery.page(0, 1).names[0]).read_bytes()


def count(site: Site) -> int:
    return len(ImageGallery(site.data / "image_outputs").page(0, 100).names)


async def test_a_picture_is_made_with_previews_and_kept(tab: Page, site: Site) -> None:
    await draw(tab, "slow 100: an orange tree", count="2", steps="6", width="128", height="64", seed="41")
    await expect(tab.locator(".drawing progress")).to_be_visible()
    await expect(tab.locator(".drawing img")).to_have_attribute("src", re.compile("^data:image/png"))
    await expect(tab.locator("#image-results img")).to_have_count(2)
    await expect(tab.locator("#image-progress")).to_contain_text("2 pictures in")
    settings = settings_of(newest(site))
    assert (settings["image_seed"], settings["image_steps"], settings["image_width"]) == (42, 6, 128)


async def test_a_drawing_is_cancelled_and_the_next_one_works(tab: Page, site: Site) -> None:
    before = count(site)
    await draw(tab, "stall")
    await expect(tab.locator("#image-progress")).to_contain_text("Step 1 of 8")
    await tab.click("#stop-drawing")
    await expect(tab.locator("#image-progress")).to_contain_text("Stopped after 0 pictures.")
    await draw(tab, "a blue tree")
    await expect(tab.locator("#image-results img")).to_have_count(1)
    assert count(site) == before + 1


async def test_settings_of_an_earlier_picture_make_it_again(tab: Page, site: Site) -> None:
    await draw(tab, "a green tree", width="64", height="64", cfg="3")
    await expect(tab.locator("#image-results img")).to_have_count(1)
    first = newest(site)
    await tab.get_by_role("tab", name="Gallery", exact=True).click()
    await tab.locator("#image-gallery img").first.click()
    await expect(tab.locator("#image-settings")).to_contain_text("a green tree")
    await tab.click("#reuse-image")
    await expect(field(tab, "image-prompt")).to_have_value("a green tree")
    await expect(field(tab, "image-seed")).to_have_value(str(settings_of(first)["image_seed"]))
    before = count(site)
    await tab.click("#draw")
    await site.server.until(lambda: count(site) == before + 1)
    assert Image.open(io.BytesIO(newest(site))).tobytes() == Image.open(io.BytesIO(first)).tobytes()


async def test_deleting_asks_first(tab: Page, site: Site) -> None:
    await draw(tab, "a red tree", width="64", height="64")
    await expect(tab.locator("#image-results img")).to_have_count(1)
    before = count(site)
    await tab.get_by_role("tab", name="Gallery", exact=True).click()
    await tab.locator("#image-gallery img").first.click()
    await tab.click("#delete-image")
    await tab.click("#confirm-delete-image")
    await site.server.until(lambda: count(site) == before - 1)
    await expect(tab.locator("#reuse-image")).to_be_hidden()


async def test_what_is_painted_over_is_drawn_anew(tab: Page, site: Site) -> None:
    source = Image.new("RGB", (256, 256), (100, 100, 100))
    file = io.BytesIO()
    source.save(file, "PNG")
    await tab.get_by_text("Change a picture").click()
    chosen: FilePayload = {"name": "grey.png", "mimeType": "image/png", "buffer": file.getvalue()}
    canvas = tab.locator("#image-editor canvas").first
    await expect(canvas).to_be_visible()
    await expect(tab.locator("#image-editor")).to_contain_text("Upload an image")
    await tab.locator("#image-editor input[type=file]").set_input_files(chosen)
    await expect(tab.locator("#image-editor")).not_to_contain_text("Upload an image")
    await tab.locator("#image-editor").get_by_role("button", name="Brush").first.click()
    box = await canvas.bounding_box()
    assert box is not None
    await tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await tab.mouse.down()
    await tab.mouse.move(box["x"] + box["width"] / 2 + 15, box["y"] + box["height"] / 2, steps=5)
    await tab.mouse.up()
    before = count(site)
    await draw(tab, "red")
    await site.server.until(lambda: count(site) == before + 1)
    made = Image.open(io.BytesIO(newest(site))).convert("RGB")
    assert made.size == (256, 256)
    assert made.getpixel((0, 0)) == made.getpixel((255, 255)) == (100, 100, 100)
    assert made.getpixel((128, 128)) != (100, 100, 100)


async def test_the_chat_model_rewrites_the_prompt(tab: Page) -> None:
    await field(tab, "image-prompt").fill("echo: a tree in the evening sun")
    await tab.click("#rewrite-prompt")
    await expect(field(tab, "image-prompt")).to_have_value("a tree in the evening sun")
