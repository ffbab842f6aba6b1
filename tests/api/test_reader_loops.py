"""Loops as people write them with `requests` and sseclient-py: every event is parsed, and its text is read."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.api.serving import on_port

CHAT_LOOP = """
import json, requests, sseclient

reply = requests.post("{url}/chat/completions", json={body}, stream=True)
for event in sseclient.SSEClient(reply).events():
    print(json.loads(event.data)["choices"][0]["delta"]["content"], end="")
"""
TEXT_LOOP = """
import json, requests, sseclient

reply = requests.post("{url}/completions", json={body}, stream=True)
for event in sseclient.SSEClient(reply).events():
    print(json.loads(event.data)["choices"][0]["text"], end="")
"""


@pytest.mark.parametrize(
    ("loop", "body"),
    [
        (CHAT_LOOP, {"messages": [{"role": "user", "content": "echo: Grüße 👋"}], "stream": True}),
        (TEXT_LOOP, {"prompt": "echo: Grüße 👋", "max_tokens": 512, "top_k": 20, "stream": True}),
    ],
)
async def test_the_loop_runs_to_its_end(tmp_path: Path, loop: str, body: dict[str, object]) -> None:
    async with on_port(tmp_path) as (url, _, __):
        program = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            loop.format(url=url, body=repr(body)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PYTHONIOENCODING": "utf-8", "PATH": ""},
        )
        said, errors = await program.communicate()
    assert (program.returncode, said.decode()) == (0, "Grüße 👋"), errors.decode()
