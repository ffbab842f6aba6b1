"""Pictures for a folder that Transformers reads them with, through each API: the tokens of its own processor, or a 400."""

import base64
import io
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio
from PIL import Image

from tests.api.picture_parts import BLUE, MESSAGES, RED, RESPONSES, asked, image, png, refused, url, words
from tests.api.serving import CHAT, TEXT, RawCall, Served, calling, chunks_of, served
from tests.backends.transformers.picture_folders import QWEN2_VL, seeing_folder

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIXED: Final = {"temperature": 0, "max_tokens": 6, "ignore_eos": True}
# What its processor makes of a picture of 20 × 10 pixels: the cells, with the tokens for begin and end around them.
CELLS: Final = 6
CONTROLS: Final = 2
MOST_CELLS: Final = 30


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seeing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """The model runs in this process."""
    folder = tmp_path_factory.mktemp("data")
    seeing_folder(folder / "models" / "seeing", QWEN2_VL)
    settings: dict[str, Any] = {"loader": None, "torch_threads": 1, "cpu": True, "ctx_size": 1024, "self_test": False}
    async with served(folder, **settings) as api:
        loaded = await api.post("/v1/internal/model/load", {"model_name": "seeing"})
        assert loaded.status_code == 200, loaded.text
        yield api


async def whole(api: Served, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = await api.post(path, {**body, **FIXED})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def text_of(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["message"]["content"])


async def test_a_prompt_is_the_processors(seeing: Served) -> None:
    info = (await seeing.http.get("/v1/internal/model/info")).json()
    assert info["modalities"] == ["text", "image"]
    with_picture = (await whole(seeing, CHAT, asked(words("What is "), image(RED), words("?"))))["usage"]
    without = (await whole(seeing, CHAT, asked(words("What is "), words("?"))))["usage"]
    assert with_picture["prompt_tokens_details"]["image_tokens"] == CELLS
    assert with_picture["prompt_tokens"] == without["prompt_tokens"] + CELLS + CONTROLS


async def test_every_api_shows_the_same_picture(seeing: Served) -> None:
    """The same greedy reply by every way, and another one about another picture."""
    chat, other = [text_of(await whole(seeing, CHAT, asked(image(each), words("What?")))) for each in (RED, BLUE)]
    assert chat != other
    source = {"type": "base64", "media_type": "image/png", "data": png(RED)}
    body = asked({"type": "image", "source": source}, words("What?"))
    assert (await whole(seeing, MESSAGES, {"model": "seeing", **body}))["content"][0]["text"] == chat
    parts = [{"type": "input_image", "image_url": url(RED)}, {"type": "input_text", "text": "What?"}]
    body = {"input": [{"role": "user", "content": parts}], "max_output_tokens": 16}
    assert (await whole(seeing, RESPONSES, body))["output"][-1]["content"][0]["text"][:4] == chat[:4]
    prompts = [{"prompt_string": "It is <__media__>!", "multimodal_data": [png(each)]} for each in (RED, BLUE)]
    raw = [(await whole(seeing, TEXT, {"prompt": prompt}))["choices"][0]["text"] for prompt in prompts]
    marked = await whole(seeing, TEXT, asked(words("It is <__media__>!"), image(RED)))
    assert marked["choices"][0]["text"] == raw[0] != raw[1]


async def test_choices_streams_and_logprobs(seeing: Served) -> None:
    body = asked(image(RED), words("What?"))
    told = await whole(seeing, CHAT, {**body, "n": 2, "logprobs": True, "top_logprobs": 2})
    first, second = told["choices"]
    assert first["message"]["content"] == second["message"]["content"]
    assert len(first["logprobs"]["content"]) == len(second["logprobs"]["content"]) == FIXED["max_tokens"]
    stream = await seeing.post(CHAT, {**body, **FIXED, "stream": True, "stream_options": {"include_usage": True}})
    assert chunks_of(stream.text)[-1]["usage"]["prompt_tokens_details"]["image_tokens"] == CELLS
    scored = {"prompt": {"prompt_string": "a <__media__>", "multimodal_data": [png(RED)]}, "echo": True, "logprobs": 1}
    error = await refused(seeing, TEXT, scored)
    assert error["param"] == "echo"
    assert "cannot be scored" in error["message"]


async def test_many_large_and_moving_pictures(seeing: Served) -> None:
    usage = (await whole(seeing, CHAT, asked(*[image(RED), image(BLUE)] * 10, words("?"))))["usage"]
    assert usage["prompt_tokens_details"]["image_tokens"] == 20 * CELLS
    many = await seeing.post(CHAT, {**asked(*[image(RED)] * 150, words("?")), **FIXED})
    assert many.status_code == 400
    assert many.json()["error"]["code"] == "context_length_exceeded"
    frames, content = [Image.new("RGB", (20, 10), each) for each in (RED, BLUE)], io.BytesIO()
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:])
    gif = {"type": "image_url", "image_url": {"url": base64.b64encode(content.getvalue()).decode()}}
    first, moving = [text_of(await whole(seeing, CHAT, asked(each, words("?")))) for each in (image(RED), gif)]
    assert first == moving
    large = {"type": "image_url", "image_url": {"url": url(RED, (2400, 2000))}}
    usage = (await whole(seeing, CHAT, asked(large, words("?"))))["usage"]
    # As many as its processor allows.
    assert usage["prompt_tokens_details"]["image_tokens"] == MOST_CELLS


async def test_a_caller_who_hangs_up_while_a_picture_is_seen(seeing: Served) -> None:
    body = {**asked(*[image(f"#0000{at:02x}") for at in range(40)], words("?")), "stream": True, "ignore_eos": True}
    call = RawCall(seeing.app, CHAT, json.dumps(body).encode())
    async with calling(call) as running:
        call.hang_up()
        await running
    assert text_of(await whole(seeing, CHAT, asked(image(RED), words("What?"))))
