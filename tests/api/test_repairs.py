"""What was done with a conversation for its template is said in a header, whole and streamed, by every chat API."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from extensions.openai.common.answers import REPAIRS_HEADER
from tests.api.serving import CHAT, Served, served
from tests.chat.attachment_files import pdf
from tests.prompt.strict_templates import STRICT

TWO = [{"role": "user", "content": "one"}, {"role": "user", "content": "count 3"}]
MIDDLE = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "ok"},
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "count 3"},
]
CLAUDE_CODE = {
    "model": "m",
    "max_tokens": 64,
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "high"},
    "system": [{"type": "text", "text": "You are a coding agent."}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "count 3"}]},
        {"role": "system", "content": "The following skills are available: none."},
    ],
}
PAPER = base64.b64encode(pdf("Words")).decode()
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[Served]:
    template = tmp_path / "strict.jinja"
    template.write_text(STRICT["combined"], "utf-8")
    async with served(tmp_path, chat_template_file=template) as api:
        yield api


def body(messages: list[dict[str, Any]], template: str, **more: Any) -> dict[str, Any]:
    return {"messages": messages, "instruction_template_str": STRICT[template], **more}


@pytest.mark.parametrize("streams", [False, True])
async def test_repairs_are_named(api: Served, streams: bool) -> None:
    response = await api.post(CHAT, body(MIDDLE, "combined", stream=streams))
    assert response.status_code == 200
    assert response.headers[REPAIRS_HEADER] == "system-as-user, turns-joined"


@pytest.mark.parametrize("streams", [False, True])
async def test_what_needs_no_repair_has_no_header(api: Served, streams: bool) -> None:
    response = await api.post(CHAT, body(MIDDLE, "takes_everything", stream=streams))
    assert response.status_code == 200
    assert REPAIRS_HEADER not in response.headers
    assert REPAIRS_HEADER not in (await api.post("/v1/completions", {"prompt": "count 3", "stream": streams})).headers


async def test_the_prompts_text_comes_with_its_repairs(api: Served) -> None:
    route = "/v1/internal/chat-prompt"
    assert (await api.post(route, body(TWO, "strict_alternate"))).json() == {
        "prompt": "<|im_start|>user\none\n\ncount 3<|im_end|>\n<|im_start|>assistant\n",
        "repairs": ["turns-joined"],
    }
    assert "repairs" not in (await api.post(route, body(TWO, "takes_everything"))).json()


@pytest.mark.parametrize("streams", [False, True])
async def test_claude_codes_first_turn(strict: Served, streams: bool) -> None:
    response = await strict.post("/v1/messages", CLAUDE_CODE | {"stream": streams})
    assert response.status_code == 200
    assert response.headers[REPAIRS_HEADER] == "system-joined"


@pytest.mark.parametrize("streams", [False, True])
async def test_responses(strict: Served, streams: bool) -> None:
    response = await strict.post("/v1/responses", {"model": "m", "input": TWO, "stream": streams})
    assert response.status_code == 200
    assert response.headers[REPAIRS_HEADER] == "turns-joined"


@pytest.fixture
async def blind(tmp_path: Path) -> AsyncIterator[Served]:
    """A model that reads text only."""
    async with served(tmp_path, scripted_text_only=True) as api:
        yield api


async def test_a_picture_in_an_earlier_turn(blind: Served) -> None:
    looked = {"role": "user", "content": [{"type": "text", "text": "look"}, PICTURE]}
    later = [looked, {"role": "assistant", "content": "ok"}, {"role": "user", "content": "count 3"}]
    response = await blind.post(CHAT, {"messages": later})
    assert response.json()["choices"][0]["message"]["content"] == "1 2 3"
    assert response.headers[REPAIRS_HEADER] == "pictures-left-out"
    assert (await blind.post(CHAT, {"messages": [looked]})).status_code == 400


@pytest.mark.parametrize("streams", [False, True])
async def test_a_picture_in_an_earlier_turn_of_a_message(blind: Served, streams: bool) -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/x.png"}}
    pdf = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PAPER}}
    shown = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "seen"}, image]}
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "look"}, image, pdf]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [shown]},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": "count 3"},
    ]
    body = {"model": "m", "max_tokens": 20, "stream": streams}
    response = await blind.post("/v1/messages", body | {"messages": turns})
    assert response.status_code == 200
    assert response.headers[REPAIRS_HEADER].startswith("pictures-left-out")
    for last in (turns[:1], turns[:3]):
        assert (await blind.post("/v1/messages", body | {"messages": last})).status_code == 400


@pytest.mark.parametrize("streams", [False, True])
async def test_a_picture_in_an_earlier_item_of_a_response(blind: Served, streams: bool) -> None:
    looked = {
        "role": "user",
        "content": [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "data:"}],
    }
    body = {"model": "m", "stream": streams}
    response = await blind.post("/v1/responses", body | {"input": [looked, {"role": "user", "content": "count 3"}]})
    assert response.status_code == 200
    assert response.headers[REPAIRS_HEADER] == "pictures-left-out"
    assert (await blind.post("/v1/responses", body | {"input": [looked]})).status_code == 400
