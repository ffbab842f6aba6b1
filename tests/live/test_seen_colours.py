"""A real model with a projector beside it says the colours of pictures, in all API shapes."""

import base64
import io
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
from PIL import Image

from tests.live.server import live_server
from tests.model_files import SMOLLM2, model_path
from tests.projectors import COLOURS, write_colour_projector

pytestmark = [pytest.mark.live, pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

# The projector says the colour as the model's own word; the choice keeps a small model from saying anything else.
CHOICE: Final = {"temperature": 0, "guided_regex": f"It is ({'|'.join(COLOURS)})"}
QUESTION: Final = "What colour is this?"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """The projector is found by itself."""
    folder = tmp_path_factory.mktemp("seeing")
    (folder / "models").mkdir()
    (folder / "models" / SMOLLM2).symlink_to(model_path(SMOLLM2))
    write_colour_projector(folder / "models" / f"mmproj-{SMOLLM2}", model_path(SMOLLM2))
    flags = ("--model-dir", folder / "models", "--model", SMOLLM2, "--ctx-size", 1024)
    async with live_server(folder, *flags) as running:
        await running.until_healthy()
        async with running.client() as client:
            yield client


def png(colour: tuple[int, int, int], *, dot: bool = False) -> str:
    content, picture = io.BytesIO(), Image.new("RGB", (50, 40), colour)
    if dot:
        picture.putpixel((3, 3), (colour[0] ^ 1, *colour[1:]))
    picture.save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def chat(data: str) -> dict[str, Any]:
    parts = [{"type": "text", "text": QUESTION}, {"type": "image_url", "image_url": {"url": f"data:;base64,{data}"}}]
    return {"messages": [{"role": "user", "content": parts}], "max_tokens": 8, **CHOICE}


def bodies(data: str) -> dict[str, dict[str, Any]]:
    url = f"data:image/png;base64,{data}"
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    asked = [{"type": "input_text", "text": QUESTION}, {"type": "input_image", "image_url": url}]
    raw = f"<|im_start|>user\n{QUESTION}<__media__><|im_end|>\n<|im_start|>assistant\n"
    return {
        "/v1/chat/completions": chat(data),
        "/v1/completions": {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": raw}, {"type": "image_url", "image_url": url}]}
            ],
            "max_tokens": 8,
            **CHOICE,
        },
        "/v1/responses": {
            "model": "m",
            "input": [{"role": "user", "content": asked}],
            "max_output_tokens": 8,
            **CHOICE,
        },
        "/v1/messages": {
            "model": "m",
            "messages": [{"role": "user", "content": [{"type": "text", "text": QUESTION}, block]}],
            "max_tokens": 8,
            **CHOICE,
        },
    }


@pytest.mark.parametrize("colour", COLOURS)
async def test_six_colours_in_all_shapes(http: httpx.AsyncClient, colour: str) -> None:
    for path, body in bodies(png(COLOURS[colour])).items():
        answer = await http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        assert f"It is {colour}" in answer.text, path


async def test_a_second_turn_finds_the_picture_in_the_cache(http: httpx.AsyncClient) -> None:
    body = chat(png((250, 5, 5)))
    first = (await http.post("/v1/chat/completions", json=body)).json()
    turns = [*body["messages"], first["choices"][0]["message"], {"role": "user", "content": "Again?"}]
    second = (await http.post("/v1/chat/completions", json=body | {"messages": turns})).json()
    usage = second["usage"]
    assert usage["prompt_tokens_details"]["image_tokens"] == first["usage"]["prompt_tokens_details"]["image_tokens"] > 0
    assert usage["prompt_tokens_details"]["cached_tokens"] >= first["usage"]["prompt_tokens"] - 1


async def test_pictures_that_differ_in_one_pixel_share_nothing(http: httpx.AsyncClient) -> None:
    seen = chat(png((5, 250, 5)))
    other = chat(png((5, 250, 5), dot=True))
    await http.post("/v1/chat/completions", json=seen)
    first, second = [(await http.post("/v1/chat/completions", json=other)).json()["usage"] for _ in range(2)]
    cached = [usage["prompt_tokens_details"]["cached_tokens"] for usage in (first, second)]
    assert cached[1] >= cached[0] + first["prompt_tokens_details"]["image_tokens"]
