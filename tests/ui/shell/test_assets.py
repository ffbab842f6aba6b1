"""The page's own scripts: packed only for who is far away, and asked for once."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from gradio.routes import BUILD_PATH_LIB
from starlette.responses import PlainTextResponse

from modules.ui.shell.assets import AssetDelivery
from modules.ui.shell.document import PageParts
from tests.ui.served import ServedPage, served_page

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASSETS = Path(str(BUILD_PATH_LIB))
ZIPPED = {"accept-encoding": "gzip"}
(PLAYER,) = ASSETS.glob("hls-*.js")
(VIDEO,) = (path.read_text(encoding="utf-8") for path in ASSETS.glob("Video-*.js"))
FAR = {**ZIPPED, "x-forwarded-for": "203.0.113.7"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedPage]:
    async with served_page(tmp_path_factory.mktemp("user_data")) as served:
        yield served


async def first_script(page: ServedPage) -> str:
    """The address of the script that the page begins with."""
    named = re.search(r"\bindex-[\w-]+\.js", (await page.http.get("/")).text)
    assert named is not None
    return f"/assets/{named[0]}"


@pytest.mark.parametrize(("headers", "encoding"), [(ZIPPED, None), (FAR, "gzip")], ids=["near", "far"])
async def test_only_what_travels_is_packed(page: ServedPage, headers: dict[str, str], encoding: str | None) -> None:
    answer = await page.http.get(await first_script(page), headers=headers)
    assert answer.headers.get("content-encoding") == encoding
    assert "javascript" in answer.headers["content-type"]
    assert len(answer.text) > 10_000


@pytest.mark.parametrize("headers", [ZIPPED, FAR], ids=["near", "far"])
async def test_a_script_is_kept_and_the_page_is_not(page: ServedPage, headers: dict[str, str]) -> None:
    script = await page.http.get(await first_script(page), headers=headers)
    assert "immutable" in script.headers["cache-control"]
    for path in ("/", "/config", "/assets/nothing.js", "/assets/"):
        answer = await page.http.get(path, headers=headers)
        assert "immutable" not in answer.headers.get("cache-control", "")


@pytest.mark.parametrize("path", ["../index.html", "%2e%2e/index.html", "/etc/passwd", "..%2f..%2f__init__.py"])
async def test_only_assets_are_assets(page: ServedPage, path: str) -> None:
    assert (await page.http.get(f"/assets/{path}")).status_code in {400, 403, 404, 405}


@pytest.mark.parametrize(("headers", "encoding"), [(ZIPPED, None), (FAR, "gzip")], ids=["near", "far"])
async def test_style_sheets_come_as_one(page: ServedPage, headers: dict[str, str], encoding: str | None) -> None:
    document = (await page.http.get("/", headers=headers)).text
    (together,) = set(re.findall(r'<link rel="stylesheet" href="\./(assets/together-\w+\.css)">', document))
    sheet = await page.http.get(f"/{together}", headers=headers)
    assert sheet.headers["content-type"].startswith("text/css")
    assert sheet.headers.get("content-encoding") == encoding
    assert "immutable" in sheet.headers["cache-control"]
    stood_for = re.findall(r'<link rel="stylesheet" disabled href="\./assets/([\w-]+\.css)">', document)
    assert len(stood_for) > 30
    for name in stood_for:
        assert (ASSETS / name).read_text(encoding="utf-8") in sheet.text
    assert (await page.http.get("/assets/together-0123456789abcdef.css")).status_code == 404


async def test_scripts_come_as_one(page: ServedPage) -> None:
    document = (await page.http.get("/")).text
    assert '<script type="module"' not in document
    (name,) = set(re.findall(r"scripts-\w+\.js", document))
    modules = json.loads(re.findall(r"of (\[\[.*?\]\])\)", document)[0])
    assert [each for each, _ in modules][:2] == ["index-DphvyggB.js", "src-DcSdoR3U.js"]
    bundle = await page.http.get(f"/assets/{name}", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in bundle.headers
    assert "javascript" in bundle.headers["content-type"]
    assert "immutable" in bundle.headers["cache-control"]
    assert len(bundle.content) == sum(length for _, length in modules)
    packed = await page.http.get(f"/assets/{name}", headers=ZIPPED)
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == bundle.content


@pytest.mark.parametrize(("headers", "encoding"), [(ZIPPED, None), (FAR, "gzip")], ids=["near", "far"])
async def test_what_the_page_is_made_of_comes_beside_it(
    page: ServedPage, headers: dict[str, str], encoding: str | None
) -> None:
    answer = await page.http.get("/", headers=headers)
    assert "window.gradio_config =" not in answer.text
    assert len(answer.content) == int(answer.headers["content-length"]) < 20_000
    config = answer.text.index(path := config_of(answer.text))
    assert config < answer.text.index("window.gradioAssets")
    script = await page.http.get(path, headers=headers)
    assert "javascript" in script.headers["content-type"]
    assert script.headers.get("content-encoding") == encoding
    assert answer.headers["cache-control"] == "no-store"
    assert "immutable" in script.headers["cache-control"]
    assert script.text.index("window.gradio_config = {") < script.text.index("class Unwatched")
    assert '"elem_id":"past-chats"' in script.text
    from_elsewhere = {
        **headers,
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "no-cors",
        "sec-fetch-dest": "script",
    }
    assert (await page.http.get(path, headers=from_elsewhere)).status_code == 403


async def test_what_was_made_for_one_visitor_is_made_again_when_it_is_not_the_same(page: ServedPage) -> None:
    async def config(**headers: str) -> str:
        document = (await page.http.get("/", headers=headers)).text
        return document + (await page.http.get(config_of(document))).text

    first = await config()
    assert await config() == first
    elsewhere = await config(**{"x-forwarded-host": "models.example", "x-forwarded-proto": "https"})
    assert '"root":"https://models.example"' in elsewhere
    assert f'"root":"{page.url}"' in await config()
    presets = page.folder / "presets"
    presets.mkdir(exist_ok=True)
    (presets / "Brand new.yaml").write_text("temperature: 0.25\n", encoding="utf-8")
    assert "Brand new" not in first
    assert "Brand new" in await config()
    assert (await page.http.get("/assets/config-0.js")).status_code == 404


async def test_what_changes_comes_with_the_document(page: ServedPage) -> None:
    document = (await page.http.get("/")).text
    presets = page.folder / "presets"
    presets.mkdir(exist_ok=True)
    (presets / "One <script>.yaml").write_text("temperature: 0.25\n", encoding="utf-8")
    changed = (await page.http.get("/")).text
    assert changed != document
    # What a browser has is as good as new.
    assert config_of(changed) == config_of(document)
    assert "One \\u003cscript>" in changed
    (told,) = re.findall(r"window\.gradioChanges = (.*?);</script>", changed)
    script = (await page.http.get(config_of(changed))).text
    config = json.loads(script.removeprefix("window.gradio_config = ").split(";\n{")[0])
    assert "One <script>" not in json.dumps(config)
    for place, props in json.loads(told)["components"]:
        config["components"][place]["props"] |= props
    assert "One <script>" in json.dumps(config)


async def test_another_page_is_another_file() -> None:
    parts = PageParts()
    entry: dict[str, Any] = {"id": 1, "type": "textbox", "props": {"value": "a", "visible": True}}
    page: dict[str, Any] = {"app_id": 1, "root": "/", "components": [entry]}
    base, changes = parts.divided(page)
    assert (base, changes) == ({"root": "/", "components": [entry]}, {"components": [], "app_id": 1})
    same = {**page, "app_id": 2, "root": "/x", "components": [{**entry, "props": {**entry["props"], "new": False}}]}
    assert parts.divided(same) == (base, {"app_id": 2, "root": "/x", "components": [[0, {"new": False}]]})
    for other in (
        {**entry, "type": "button"},
        {**entry, "props": {"value": "a"}},
        {**entry, "props": {**entry["props"], "value": "long " * 10_000}},
    ):
        assert PageParts(base).divided({**page, "components": [other]})[0]["components"] == [other]
    assert PageParts(base).divided({**page, "components": []})[0]["components"] == []
    assert PageParts(base).divided({**page, "more": 1})[0] == {"root": "/", "components": [entry], "more": 1}


async def test_a_document_that_is_sent_again_names_what_is_still_there(page: ServedPage) -> None:
    document = (await page.http.get("/")).text
    for number in range(20):
        assert (await page.http.get("/", params={"__theme": f"{number}"})).status_code == 200
    assert (await page.http.get("/")).text == document
    assert (await page.http.get(config_of(document))).status_code == 200


async def test_a_page_below_a_path_is_made_for_that_path(tmp_path: Path) -> None:
    async with served_page(tmp_path, subpath="/models") as page:
        script = await page.http.get(config_of((await page.http.get("/")).text))
        assert f'"root":"{page.url}/models"' in script.text


async def test_schemas_that_nobody_asks_for_are_not_sent(page: ServedPage) -> None:
    components = (await page.http.get("/config")).json()["components"]
    assert not {"api_info", "example_inputs"} & {name for each in components for name in each}


async def test_pages_with_a_password_keep_within_what_they_are_made_of(tmp_path: Path) -> None:
    async with served_page(tmp_path, gradio_auth="me:secret") as page:
        closed = (await page.http.get("/")).text
        assert '"auth_required":true' in closed
        await page.http.post("/login", data={"username": "me", "password": "secret"})
        opened = (await page.http.get("/")).text
        assert '"elem_id":"past-chats"' in opened
        assert "/assets/config-" not in opened + closed
        page.http.cookies.clear()
        assert '"auth_required":true' in (await page.http.get("/")).text


@pytest.mark.parametrize("headers", [ZIPPED, FAR], ids=["near", "far"])
async def test_a_page_without_streams_comes_without_what_plays_them(page: ServedPage, headers: dict[str, str]) -> None:
    answer = await page.http.get(f"/assets/{PLAYER.name}", headers=headers)
    assert len(answer.text) < 500
    assert answer.headers["cache-control"] == "no-store"
    imported = re.search(rf'import\{{([^}}]*)\}}from"\./{PLAYER.name}"', VIDEO)
    assert imported is not None
    for name in imported[1].split(","):
        assert f"None_ as {name.split()[0]}" in answer.text


async def test_a_page_with_streams_gets_what_plays_them() -> None:
    delivery = AssetDelivery(PlainTextResponse("nothing", 404), has_streams=True)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(delivery), base_url="http://localhost") as http:
        answer = await http.get(f"/assets/{PLAYER.name}")
    assert answer.content == PLAYER.read_bytes()
    assert "immutable" in answer.headers["cache-control"]


def config_of(document: str) -> str:
    """The address of what the page is made of."""
    named = re.search(r'<script defer src="\.(/assets/config-\w+\.js)"></script>', document)
    assert named is not None
    return named[1]
