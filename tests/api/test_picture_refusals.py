"""Pictures that cannot be read, or not by this model, are refused at their place, in our words."""

import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.picture_parts import MESSAGES, RED, RESPONSES, asked, image, png, refused, url, words
from tests.api.serving import CHAT, TEXT, Served, served


@pytest.fixture
async def blind(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, scripted_text_only=True) as serving:
        yield serving


async def test_what_is_no_sound_is_refused(api: Served, blind: Served) -> None:
    part = {"type": "input_audio", "input_audio": {"data": png(RED), "format": "wav"}}
    error = await refused(api, CHAT, asked(words("listen"), part))
    assert error["param"] == "messages[0].content[1].input_audio"
    error = await refused(blind, CHAT, asked(words("listen"), part))
    assert error["code"] == "audio_not_supported"


async def test_ffmpeg_is_never_started(api: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other programs hand to one that they find in PATH is refused here."""
    canary, trace = tmp_path / "bin" / "ffmpeg", tmp_path / "started"
    canary.parent.mkdir()
    canary.write_text(f"#!/bin/sh\ntouch {trace}\n", "utf-8")
    canary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{canary.parent}:{os.environ['PATH']}")
    for content in (b"\0\0\0\x18ftypmp42" + bytes(50), b"\x1aE\xdf\xa3" + bytes(50), b"RIFF\0\0\0\0AVI " + bytes(50)):
        part = {"type": "image_url", "image_url": {"url": base64.b64encode(content).decode()}}
        await refused(api, CHAT, asked(part))
    assert not trace.exists()


BROKEN = f"data:image/png;base64,{base64.b64encode(base64.b64decode(png(RED))[:-30]).decode()}"


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ({"type": "image_url", "image_url": {"url": BROKEN}}, "invalid_image"),
        ({"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}}, "invalid_image"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,*"}}, "invalid_base64"),
        ({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}, "invalid_image_url"),
        ({"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/a.png"}}, "invalid_image_url"),
        ({"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}, "invalid_image_url"),
        ({"type": "image_url", "image_url": {}}, None),
        ({"type": "image_url"}, None),
        ({"type": "image_url", "image_url": 5}, None),
        ({"type": "image_url", "image_url": {"url": ["a"]}}, None),
        ({"type": "video_url", "video_url": {"url": "data:,"}}, "not_supported"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "not_supported"),
        ({"type": "file", "file": {"file_data": "AAAA", "filename": "a.pdf"}}, "invalid_file"),
        ({"type": "hologram"}, None),
    ],
    ids=range(14),
)
async def test_what_cannot_be_read_is_refused_at_its_place(api: Served, part: dict[str, Any], code: str | None) -> None:
    error = await refused(api, CHAT, asked(words("look"), part))
    assert error["code"] == code or code is None
    assert error["param"].startswith("messages[0].content[1]")
    assert error["type"] == "invalid_request_error"
    assert "0x" not in error["message"]
    assert "passwd" not in error["message"]


SHOWN: dict[str, Any] = {"type": "input_image", "image_url": BROKEN}
BLOCK: dict[str, Any] = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": BROKEN.partition(",")[2]},
}
RESULT: dict[str, Any] = {"type": "tool_result", "tool_use_id": "t", "content": [words("a"), BLOCK]}
CALL: dict[str, Any] = {"type": "tool_use", "id": "t", "name": "f", "input": {}}


@pytest.mark.parametrize(
    ("items", "place"),
    [
        ([{"role": "user", "content": [{"type": "input_text", "text": "a"}, SHOWN]}], "[0].content[1].image_url"),
        (
            [
                {"role": "user", "content": "look"},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": [SHOWN]},
            ],
            "[2].output[0].image_url",
        ),
        (
            [
                {"type": "computer_call", "call_id": "c", "action": {"type": "screenshot"}},
                {"type": "computer_call_output", "call_id": "c", "output": {**SHOWN, "type": "computer_screenshot"}},
            ],
            "[1].output.image_url",
        ),
    ],
    ids=["message", "function", "computer"],
)
@pytest.mark.parametrize("streams", [False, True])
async def test_responses_name_the_place(api: Served, items: list[dict[str, Any]], place: str, streams: bool) -> None:
    error = await refused(api, RESPONSES, {"model": "m", "input": items, "stream": streams})
    assert (error["param"], error["code"]) == (f"input{place}", "invalid_image")
    assert error["message"].startswith(f"input{place} ")


async def test_responses_name_the_input_for_what_was_stored_before(api: Served) -> None:
    """Where it stood in an earlier request says nothing of this one."""
    conversation = (await api.post("/v1/conversations", {"items": [{"role": "user", "content": [SHOWN]}]})).json()
    error = await refused(api, RESPONSES, {"model": "m", "input": "a", "conversation": conversation["id"]})
    assert (error["param"], error["code"]) == ("input", "invalid_image")


@pytest.mark.parametrize(
    ("turns", "place"),
    [
        ([{"role": "user", "content": [words("a"), BLOCK]}], "messages[0].content[1].source.data"),
        (
            [
                {"role": "user", "content": "look"},
                {"role": "assistant", "content": [CALL]},
                {"role": "user", "content": [RESULT]},
            ],
            "messages[2].content[0].content[1].source.data",
        ),
    ],
    ids=["turn", "tool"],
)
@pytest.mark.parametrize("streams", [False, True])
async def test_anthropics_errors_name_the_place(
    api: Served, turns: list[dict[str, Any]], place: str, streams: bool
) -> None:
    body = {"model": "m", "max_tokens": 5, "messages": turns, "stream": streams}
    assert (await refused(api, MESSAGES, body))["message"].startswith(f"{place} ")


async def test_a_model_that_cannot_see_says_what_it_lacks(blind: Served) -> None:
    image_block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png(RED)}}
    bodies: list[tuple[str, dict[str, Any]]] = [
        (CHAT, asked(words("look"), image(RED))),
        (TEXT, asked(words("look"), image(RED))),
        (MESSAGES, {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": [image_block]}]}),
        (
            RESPONSES,
            {"model": "m", "input": [{"role": "user", "content": [{"type": "input_image", "image_url": url(RED)}]}]},
        ),
    ]
    for path, body in bodies:
        response = await blind.post(path, body)
        assert response.status_code == 400, path
        assert "--mmproj" in response.json()["error"]["message"]
    error = await refused(blind, CHAT, bodies[0][1])
    assert error["code"] == "image_not_supported"
    assert error["param"] == "messages[0].content[1].image_url"


async def test_too_many_and_too_long(api: Served) -> None:
    error = await refused(api, CHAT, asked(*[image(RED)] * 257))
    assert "256" in error["message"]
