"""What must never stand in the log: words, keys, images. Looked for after everything that could put it there."""

from pathlib import Path

import httpx
import pytest

from tests.live.client import CHAT, TEXT, endless, error_of, rest_of, says, streaming, until_text
from tests.live.server import LiveServer, live_server

pytestmark = [pytest.mark.live, pytest.mark.model]

USER, ADMIN, WRONG = "user-key-s3cret", "admin-key-s3cret", "wrong-key-s3cret"
WORDS, IMAGE = "xylophone-canary", "iVBORw0KGgoCANARY"
SECRETS = (USER, ADMIN, WRONG, WORDS, IMAGE)

PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}}
TOOL = {"type": "function", "function": {"name": WORDS, "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("flags", "variables"),
    [
        pytest.param((), {}, id="default", marks=pytest.mark.extended),
        pytest.param(("--verbose",), {}, id="verbose", marks=pytest.mark.extended),
        # Says all that the others say.
        pytest.param(("--verbose",), {"OPENEDAI_DEBUG": "1"}, id="debug"),
    ],
)
async def test_no_words_no_keys_no_images(tmp_path: Path, flags: tuple[str, ...], variables: dict[str, str]) -> None:
    keys = ("--api-key", USER, "--admin-key", ADMIN)
    async with live_server(tmp_path, *keys, *flags, variables=variables) as server:
        async with server.client(headers={"Authorization": f"Bearer {USER}"}) as http:
            await talk(http)
            await fail(http)
            await crash(server, http)
        await knock(server)
        assert "model process" in server.log
        # A line of the log, not a name out of a module or a test.
        assert not [secret for secret in SECRETS if secret in server.log], server.log


async def talk(http: httpx.AsyncClient) -> None:
    await http.post(CHAT, json=says(f"Repeat: {WORDS}", max_tokens=12, stop=[WORDS]))
    await http.post(TEXT, json={"prompt": f"{WORDS} {WORDS}", "max_tokens": 12, "echo": True})
    await http.post("/v1/internal/encode", json={"text": WORDS})
    await http.post("/v1/internal/logits", json={"prompt": WORDS})
    async with streaming(http, endless()) as events:
        await until_text(events)


async def fail(http: httpx.AsyncClient) -> None:
    await http.post(CHAT, json={"messages": [{"role": "user", "content": [PICTURE, {"type": "text", "text": WORDS}]}]})
    await http.post(CHAT, json=says("Hello", tools=[TOOL], max_tokens=4))
    await http.post(CHAT, json=says(WORDS, response_format={"type": "json_schema", "json_schema": {"name": WORDS}}))
    await http.post(CHAT, json=says("Hello", temperature=WORDS))
    await http.post(CHAT, json=says(f"{WORDS} " * 3000))
    await http.post(CHAT, json=says(WORDS, chat_template=WORDS, max_tokens=4))
    await http.post(CHAT, content=f'{{"messages": "{WORDS}'.encode())
    await http.post(TEXT, json={"prompt": [WORDS, 5]})
    await http.post(TEXT, json={"prompt": WORDS, WORDS: WORDS, "max_tokens": 4})
    await http.get("/v1/models/nothing", params={"q": WORDS})
    await http.get("/nothing", params={"key": USER, "prompt": WORDS})
    await http.post("/v1/internal/model/load", json={"model_name": WORDS}, headers={"x-api-key": ADMIN})


async def crash(server: LiveServer, http: httpx.AsyncClient) -> None:
    async with streaming(http, endless() | says(f"Repeat: {WORDS}", max_tokens=2000, ignore_eos=True)) as events:
        await until_text(events)
        server.model_process().kill()
        assert error_of((await rest_of(events))[-1])


async def knock(server: LiveServer) -> None:
    for headers in ({"Authorization": f"Bearer {WRONG}"}, {"Authorization": WRONG}, {"x-api-key": WRONG}):
        async with server.client(headers=headers) as http:
            assert (await http.post(CHAT, json=says(WORDS))).status_code == 401
            assert (await http.get("/v1/models", params={"api_key": WRONG})).status_code == 401
