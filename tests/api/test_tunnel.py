"""The tunnel's program, played by a script: its address is found, its output read, its end noticed."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from extensions.openai import tunnel
from extensions.openai.tunnel import TunnelFailed, open_tunnel
from tests.api.serving import on_port

if sys.platform == "win32":
    pytest.skip("the scripts are shell scripts", allow_module_level=True)


def program(folder: Path, script: str) -> str:
    path = folder / "cloudflared"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return str(path)


async def test_the_address_is_found_among_other_lines(tmp_path: Path) -> None:
    script = 'echo "starting $*" >&2; echo "|  https://some-words.trycloudflare.com  |" >&2; exec sleep 60'
    async with open_tunnel(program(tmp_path, script), 5000, None) as public:
        assert public == "https://some-words.trycloudflare.com/v1"


async def test_a_talkative_program_is_listened_to(tmp_path: Path) -> None:
    """More than a pipe holds; whoever does not read it stops the program."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    script = f'echo "https://a-b.trycloudflare.com" >&2; seq 100000 >&2; echo done > {pipe}; exec sleep 60'
    async with open_tunnel(program(tmp_path, script), 5000, None):
        assert await asyncio.to_thread(pipe.read_text) == "done\n"


async def test_a_named_tunnel_is_run_by_its_id(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    script = f'echo "$*" > {pipe}; exec sleep 60'
    async with open_tunnel(program(tmp_path, script), 5001, "my-tunnel") as public:
        assert public == "my-tunnel"
        arguments = await asyncio.to_thread(pipe.read_text)
    assert arguments == "tunnel --no-autoupdate run --url http://127.0.0.1:5001 my-tunnel\n"


async def test_a_program_that_ends_opens_nothing(tmp_path: Path) -> None:
    with pytest.raises(TunnelFailed, match="ended"):
        async with open_tunnel(program(tmp_path, "echo no network >&2"), 5000, None):
            pass


async def test_an_address_that_does_not_come_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnel, "URL_TIMEOUT_SECONDS", 0.05)
    with pytest.raises(TunnelFailed, match="no address"):
        async with open_tunnel(program(tmp_path, "exec sleep 60"), 5000, None):
            pass


async def test_without_a_tunnel_the_api_is_served_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    async with on_port(tmp_path, waits_for="no public address", public_api=True) as (url, _, __):
        assert url.startswith("http://127.0.0.1:")
