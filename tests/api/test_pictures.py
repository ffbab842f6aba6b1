"""Pictures in all the shapes that clients of all APIs send, seen by the scripted model, which says what it sees."""

import base64
import io
import wave
from pathlib import Path
from typing import Any

import httpx2
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from PIL import Image

from tests.api.picture_parts import BLUE, MESSAGES, RED, RESPONSES, asked, image, png, refused, said, seen, url, words
from tests.api.serving import BASE_URL, CHAT, TEXT, Served, chunks_of, served, text_of
from tests.chat.attachment_files import pdf


@pytest.mark.parametrize(
    "parts",
    [
        [words("echo: "), image(RED)],
        [words("echo: "), image(RED, detail="high")],
        [words("echo: "), {"type": "image_url", "image_url": url(RED), "prompt_cache_breakpoint": True}],
        [words("echo: "), {"type": "image_url", "image_url": png(RED)}],
        [words("echo: "), {"type": "image", "image": url(RED)}],
        [words("echo: "), {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png(RED)}}],
        [words("echo: "), {"type": "input_image", "image_url": url(RED)}],
        ["echo: ", image(RED)],
        [words("echo: "), {"type": "file", "file": {"file_data": url(RED), "filename": "a.png"}}],
    ],
    ids=range(9),
)
async def test_chat_parts(api: Served, parts: list[object]) -> None:
    assert seen(RED) in await said(api, CHAT, asked(*parts))


async def test_parts_keep_their_order(api: Served) -> None:
    text = await said(api, CHAT, asked(words("echo: one"), image(RED), words("two"), image(BLUE), words("three")))
    places = [text.index(each) for each in ("one", seen(RED), "two", seen(BLUE), "three")]
    assert places == sorted(places)


async def test_sillytaverns_picture_beside_the_content(api: Served) -> None:
    body = {
        "messages": [
            {"role": "user", "content": "echo: this"},
            {"role": "user", "content": [], "image_url": url(RED)},
        ]
    }
    assert seen(RED) in await said(api, CHAT, body)


async def test_low_detail_is_a_small_picture(api: Served) -> None:
    part = {"type": "image_url", "image_url": {"url": url(RED, (1024, 256)), "detail": "low"}}
    assert seen(RED, (512, 128)) in await said(api, CHAT, asked(words("echo: "), part))


async def test_a_literal_marker_is_text_unless_each_picture_has_one(api: Served) -> None:
    assert "a <__media__> b" in await said(api, CHAT, asked(words("echo: a <__media__> b")))
    one = await said(api, CHAT, asked(image(RED), words("echo: <__media__> and <__media__>")))
    assert one.count("<__media__>") == 2
    both = await said(api, CHAT, asked(words("echo: x <__media__> y <__media__> z"), image(RED), image(BLUE)))
    assert "<__media__>" not in both
    places = [both.index(each) for each in ("x", seen(RED), "y", seen(BLUE), "z")]
    assert places == sorted(places)


async def test_pictures_of_earlier_turns_are_seen_again(api: Served) -> None:
    first = {"role": "user", "content": [image(RED), words("what?")]}
    turns = [first, {"role": "assistant", "content": "red"}, {"role": "user", "content": "count 1"}]
    plain = [{**first, "content": "what?"}, *turns[1:]]
    counts = [(await api.post(CHAT, {"messages": each})).json()["usage"] for each in (turns, plain)]
    assert counts[0]["prompt_tokens_details"]["image_tokens"] > 0
    assert (
        counts[0]["prompt_tokens"] > counts[1]["prompt_tokens"] + counts[0]["prompt_tokens_details"]["image_tokens"] - 2
    )
    assert counts[1]["prompt_tokens_details"]["image_tokens"] == 0


async def test_a_tools_picture(api: Served) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    body = {
        "messages": [
            {"role": "user", "content": "echo"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": [words("seen:"), image(RED)]},
            {"role": "user", "content": "count 2"},
        ]
    }
    usage = (await api.post(CHAT, body)).json()["usage"]
    assert usage["prompt_tokens_details"]["image_tokens"] > 0


async def test_streams_see_too_and_count(api: Served) -> None:
    body = asked(words("echo: "), image(RED)) | {"stream": True, "stream_options": {"include_usage": True}}
    response = await api.post(CHAT, body)
    assert seen(RED) in text_of(response.text)
    assert chunks_of(response.text)[-1]["usage"]["prompt_tokens_details"]["image_tokens"] > 0


async def test_the_documents_completion_with_markers(api: Served) -> None:
    text = "echo: About image <__media__> and image <__media__>, what I can say is that the first one"
    reply = await said(api, TEXT, asked(words(text), image(RED), image(BLUE)))
    assert f"About image {seen(RED)} and image {seen(BLUE)}, what" in reply


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("echo: a b", None),
        ("echo: a <__media__> b", f"{seen(BLUE)}echo: a {seen(RED)} b"),
        ("echo: a <__media__> b <__media__>", f"echo: a {seen(RED)} b {seen(BLUE)}"),
    ],
)
async def test_completions_with_two_pictures_and_fewer_markers(api: Served, text: str, expected: str | None) -> None:
    body = asked(words(text), image(RED), image(BLUE)) | {"echo": True, "max_tokens": 1}
    response = await api.post(TEXT, body)
    assert response.status_code == 200, response.text
    marked = expected or "<__media__><__media__>echo: a b"
    for each in (seen(RED), seen(BLUE)):
        marked = marked.replace(each, "<__media__>")
    assert response.json()["choices"][0]["text"].startswith(marked)


async def test_more_markers_than_pictures_are_counted(api: Served) -> None:
    error = await refused(api, TEXT, asked(words("<__media__> <__media__> <__media__>"), image(RED)))
    assert "3 markers" in error["message"]
    assert "1 pictures" in error["message"]


async def test_llama_cpps_raw_prompt(api: Served) -> None:
    prompt = {"prompt_string": "echo: it is <__media__>!", "multimodal_data": [png(RED)]}
    assert f"it is {seen(RED)}!" in await said(api, TEXT, {"prompt": prompt, "max_tokens": 500})
    assert f"it is {seen(RED)}!" in await said(api, TEXT, {"prompt": [prompt], "max_tokens": 500})


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "input_text", "text": "echo: "}, {"type": "input_image", "image_url": url(RED), "detail": "auto"}],
        [{"type": "input_text", "text": "echo: "}, {"type": "input_file", "filename": "a.png", "file_data": url(RED)}],
    ],
)
async def test_responses(api: Served, content: list[dict[str, Any]]) -> None:
    body = {"model": "m", "input": [{"role": "user", "content": content}]}
    assert seen(RED) in await said(api, RESPONSES, body)
    usage = (await api.post(RESPONSES, body)).json()["usage"]
    plain = {"model": "m", "input": [{"role": "user", "content": [content[0]]}]}
    without = (await api.post(RESPONSES, plain)).json()["usage"]
    pictures = usage["input_tokens_details"]["image_tokens"]
    assert usage["input_tokens"] >= without["input_tokens"] + pictures > without["input_tokens"]
    assert without["input_tokens_details"].keys() == {"cached_tokens", "cache_write_tokens"}


async def test_a_stored_response_keeps_its_picture(api: Served) -> None:
    content = [{"type": "input_text", "text": "look"}, {"type": "input_image", "image_url": url(RED)}]
    first = (await api.post(RESPONSES, {"model": "m", "input": [{"role": "user", "content": content}]})).json()
    items = (await api.http.get(f"{RESPONSES}/{first['id']}/input_items")).json()["data"]
    assert items[0]["content"][1] == {"type": "input_image", "image_url": url(RED), "detail": "auto"}
    later = {"model": "m", "input": "count 1", "previous_response_id": first["id"]}
    counted = [
        (await api.post(RESPONSES, body)).json()["usage"]["input_tokens"] for body in (later, {**later, "input": ""})
    ]
    assert counted[0] > 0


async def test_a_function_output_with_a_picture(api: Served) -> None:
    output = [{"type": "input_text", "text": "a shot"}, {"type": "input_image", "image_url": url(RED)}]
    items: list[dict[str, Any]] = [
        {"role": "user", "content": "look"},
        {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
    ]
    body = {"model": "m"}
    shown = {"type": "function_call_output", "call_id": "c", "output": output}
    plain = {**shown, "output": "a shot"}
    tokens = [
        (await api.post(f"{RESPONSES}/input_tokens", body | {"input": [*items, each]})).json()["input_tokens"]
        for each in (shown, plain)
    ]
    assert tokens[0] > tokens[1]
    assert (await api.post(RESPONSES, body | {"input": [*items, shown]})).status_code == 200


@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg"])
async def test_anthropics_blocks(api: Served, media_type: str) -> None:
    block = {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": png(RED)}}
    body = {"model": "m", "max_tokens": 500, "messages": [{"role": "user", "content": [words("echo: "), block]}]}
    assert seen(RED) in await said(api, MESSAGES, body)


async def test_anthropics_tool_results_and_counts(api: Served) -> None:
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png(RED)}}
    turns: list[dict[str, Any]] = [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [words("a shot"), block]}]},
    ]
    body = {"model": "m", "messages": turns}
    counted = (await api.post(f"{MESSAGES}/count_tokens", body)).json()["input_tokens"]
    message = (await api.post(MESSAGES, body | {"max_tokens": 5})).json()
    usage = message["usage"]
    assert usage["input_tokens"] + usage["cache_read_input_tokens"] == counted
    assert not {"image_tokens", "input_tokens_details"} & usage.keys()
    turns[2]["content"][0]["content"] = [words("a shot")]
    assert counted > (await api.post(f"{MESSAGES}/count_tokens", body)).json()["input_tokens"]


async def test_documents_are_read(api: Served) -> None:
    data = base64.b64encode(pdf("Words of a page")).decode()
    source = {"type": "base64", "media_type": "application/pdf", "data": data}
    block = {"type": "document", "title": "a.pdf", "source": source}
    body = {"model": "m", "max_tokens": 500, "messages": [{"role": "user", "content": [words("echo: "), block]}]}
    assert "Words of a page" in await said(api, MESSAGES, body)
    part = {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"}}
    assert "Words of a page" in await said(api, CHAT, asked(words("echo: "), part))
    text = {"type": "file", "file": {"filename": "a.txt", "file_data": base64.b64encode(b"some words").decode()}}
    assert "some words" in await said(api, CHAT, asked(words("echo: "), text))


def wave_file(seconds: float, rate: int = 8000) -> str:
    content = io.BytesIO()
    with wave.open(content, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(bytes(int(seconds * rate) * 2))
    return base64.b64encode(content.getvalue()).decode()


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": wave_file(1.5), "format": "wav"}},
        {"type": "audio_url", "audio_url": {"url": f"data:audio/wav;base64,{wave_file(1.5)}"}},
    ],
    ids=["input_audio", "audio_url"],
)
async def test_sounds_where_the_model_hears(api: Served, part: dict[str, Any]) -> None:
    body = asked(words("echo: "), part)
    assert "[audio 1.50 s]" in await said(api, CHAT, body)
    assert (await api.post(CHAT, body)).json()["usage"]["prompt_tokens_details"]["audio_tokens"] > 0
    raw = {"prompt": {"prompt_string": "echo: <__media__>", "multimodal_data": [wave_file(1.5)]}}
    assert "[audio 1.50 s]" in await said(api, TEXT, raw | {"max_tokens": 100})


async def test_responses_count_sounds(api: Served) -> None:
    part = {"type": "input_audio", "input_audio": {"data": wave_file(1.5), "format": "wav"}}
    content = [{"type": "input_text", "text": "echo: "}, part]
    body = {"model": "m", "input": [{"role": "user", "content": content}]}
    assert "[audio 1.50 s]" in await said(api, RESPONSES, body)
    assert (await api.post(RESPONSES, body)).json()["usage"]["input_tokens_details"]["audio_tokens"] > 0


async def test_count_and_tokenize_agree_with_the_reply(api: Served) -> None:
    body = asked(words("count 1"), image(RED))
    used = (await api.post(CHAT, body)).json()["usage"]
    tokens = (await api.post("/tokenize", body)).json()
    assert tokens["count"] == used["prompt_tokens"]
    assert tokens["tokens"].count(-1) == used["prompt_tokens_details"]["image_tokens"]
    shown = (await api.post("/v1/internal/chat-prompt", body)).json()["prompt"]
    assert "<__media__>" in shown


async def test_the_official_openai_client(client: AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(
        model="m",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "echo: "},
                    {"type": "image_url", "image_url": {"url": url(RED), "detail": "high"}},
                ],
            }
        ],
    )
    assert seen(RED) in str(reply.choices[0].message.content)
    assert reply.usage is not None
    assert reply.usage.prompt_tokens_details is not None
    response = await client.responses.create(
        model="m",
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "echo: "},
                    {"type": "input_image", "image_url": url(RED), "detail": "auto"},
                ],
            }
        ],
    )
    assert seen(RED) in response.output_text


async def test_the_official_anthropic_client(api: Served) -> None:
    transport = httpx2.ASGITransport(api.app)
    http = httpx2.AsyncClient(transport=transport)
    async with AsyncAnthropic(base_url=BASE_URL, api_key="any", http_client=http, max_retries=0) as claude:
        message = await claude.messages.create(
            model="m",
            max_tokens=200,
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "echo: "},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png(RED)}},
                    ],
                }
            ],
        )
    (block,) = message.content
    assert block.type == "text"
    assert seen(RED) in block.text


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "CMYK", "RGBA", "EXIF"])
async def test_the_same_picture_in_any_format_is_the_same_to_the_model(api: Served, form: str) -> None:
    picture, content, options = Image.new("RGB", (20, 10), "white"), io.BytesIO(), dict[str, Any]()
    if form == "EXIF":
        exif = Image.Exif()
        exif[0x0112] = 6
        picture, options = picture.transpose(Image.Transpose.ROTATE_90), {"exif": exif}
    converted = picture.convert(form) if form in {"CMYK", "RGBA"} else picture
    container = {"CMYK": "JPEG", "EXIF": "JPEG", "RGBA": "PNG"}.get(form, form)
    converted.save(content, container, **options)
    data = f"data:application/octet-stream;base64,{base64.b64encode(content.getvalue()).decode()}"
    part = {"type": "image_url", "image_url": {"url": data}}
    assert seen("#ffffff") in await said(api, CHAT, asked(words("echo: "), part))


async def test_truncation_counts_pictures(tmp_path: Path) -> None:
    async with served(tmp_path, ctx_size=1024) as api:
        turns: list[dict[str, Any]] = []
        for number in range(30):
            shown = {"type": "image_url", "image_url": {"url": url(RED, (400, 400 + number))}}
            turns += [
                {"role": "user", "content": [shown, words("what?")]},
                {"role": "assistant", "content": "red"},
            ]
        turns.append({"role": "user", "content": [words("echo: "), image(BLUE)]})
        whole = await api.post(CHAT, {"messages": turns, "max_tokens": 100})
        assert whole.json()["error"]["code"] == "context_length_exceeded"
        cut = await api.post(CHAT, {"messages": turns, "max_tokens": 100, "truncation": "auto"})
        assert cut.status_code == 200, cut.text
        assert seen(BLUE) in cut.json()["choices"][0]["message"]["content"]
