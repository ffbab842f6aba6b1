"""The API on a real port: addresses, certificates, limits of the wire, and an orderly end."""

import asyncio
import json
import shutil
import signal
import socket
import ssl
import sys
from pathlib import Path

import httpx2
import pytest

from modules.errors import SettingsError
from modules.serving import protocol
from modules.serving.sockets import listen, url_of
from tests.api.serving import CHAT, events_of, on_port, says, text_of

SERVER = Path(__file__).parents[2] / "server.py"
STALL = says("stall", stream=True)
HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"


def has_ipv6() -> bool:
    try:
        listen(["::1"], 0)[0].close()
    except SettingsError:
        return False
    return True


async def connected(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = httpx2.URL(url)
    return await asyncio.open_connection(address.host, address.port)


async def exchange(url: str, *parts: bytes) -> bytes:
    """What comes back until the server closes the connection."""
    reader, writer = await connected(url)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await reader.read()
    except (ConnectionResetError, BrokenPipeError):
        return b""
    finally:
        writer.close()


async def test_it_says_where_it_is_and_answers_there(tmp_path: Path) -> None:
    async with on_port(tmp_path) as (url, _, lines):
        assert url.startswith("http://127.0.0.1:")
        assert url.endswith("/v1")
        assert len(lines) == 1
        async with httpx2.AsyncClient() as http:
            answer = await http.post(f"{url}/chat/completions", json=says("echo: hi"))
        assert answer.json()["choices"][0]["message"]["content"] == "hi"
        assert "server" not in answer.headers


async def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"Port {port} is in use"):
            async with on_port(tmp_path, api_port=port):
                pass


def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(SettingsError, match=r"192\.0\.2\.1"):
        listen(["192.0.2.1"], 0)


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_all_addresses_share_the_port() -> None:
    sockets = listen(["127.0.0.1", "::1"], 0)
    try:
        first, second = (url_of(listener, is_secure=True) for listener in sockets)
    finally:
        for listener in sockets:
            listener.close()
    assert first.startswith("https://127.0.0.1:")
    assert second == first.replace("127.0.0.1", "[::1]")


async def test_who_can_be_reached_from_elsewhere_gets_a_key(tmp_path: Path) -> None:
    async with on_port(tmp_path, listen=True) as (url, _, lines):
        key = lines[0].split()[-1]
        local = url.replace("0.0.0.0", "127.0.0.1")
        async with httpx2.AsyncClient() as http:
            assert (await http.get(f"{local}/models")).status_code == 401
            assert (await http.get(f"{local}/models", headers={"api-key": key})).status_code == 200


async def test_a_key_of_the_operator_is_not_printed(tmp_path: Path) -> None:
    async with on_port(tmp_path, listen=True, api_key="my-own-key") as (_, __, lines):
        assert "my-own-key" not in "".join(lines)


async def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("nothing")
    with pytest.raises(SettingsError, match="certificate"):
        async with on_port(tmp_path, ssl_keyfile=tmp_path / "x.pem", ssl_certfile=tmp_path / "x.pem"):
            pass


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
async def test_it_is_served_over_https_with_a_certificate(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout {key} -out {certificate}"
    maker = await asyncio.create_subprocess_exec(*command.split(), stderr=asyncio.subprocess.DEVNULL)
    assert await maker.wait() == 0
    trust = ssl.create_default_context(cafile=certificate)
    trust.check_hostname = False
    async with on_port(tmp_path, ssl_keyfile=key, ssl_certfile=certificate) as (url, _, __):
        assert url.startswith("https://127.0.0.1:")
        async with httpx2.AsyncClient(verify=trust) as http:
            assert (await http.get(f"{url}/models")).status_code == 200


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
async def test_it_is_served_on_ipv6_for_who_asks(tmp_path: Path) -> None:
    async with on_port(tmp_path, api_enable_ipv6=True) as (url, _, lines):
        urls = [line.split()[-1] for line in lines]
        assert urls == [url, url.replace("127.0.0.1", "[::1]")]
        async with httpx2.AsyncClient() as http:
            assert [(await http.get(f"{each}/models")).status_code for each in urls] == [200, 200]


async def test_cancelling_ends_open_streams_in_order(tmp_path: Path) -> None:
    async with on_port(tmp_path) as (url, serving, _):
        async with httpx2.AsyncClient() as http, http.stream("POST", f"{url}/chat/completions", json=STALL) as answer:
            text = ""
            async for part in answer.aiter_text():
                text += part
                if "error" not in text and text_of(text) == "waiting":
                    serving.cancel()
        assert json.loads(events_of(text)[-1])["error"]["code"] == "server_shutting_down"
        async with asyncio.timeout(3):
            await asyncio.wait([serving])


async def test_hanging_up_frees_the_place(tmp_path: Path) -> None:
    async with on_port(tmp_path, parallel=1) as (url, _, __), httpx2.AsyncClient(timeout=10) as http:
        async with http.stream("POST", f"{url}/chat/completions", json=STALL) as answer:
            await anext(answer.aiter_bytes())
        free = await http.post(f"{url}/chat/completions", json=says("echo: free"))
        assert free.json()["choices"][0]["message"]["content"] == "free"


async def test_a_head_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async with on_port(tmp_path) as (url, _, __):
        one_long = [b"X: ", *[b"x" * 1024] * 1000]
        many = [b"X-%d: %s\r\n" % (number, b"x" * 1024) for number in range(1000)]
        for head in (one_long, many):
            assert b"200 OK" not in await exchange(url, HEAD, *head, b"\r\n\r\n")
        assert b"200 OK" in await exchange(url, HEAD + b"Connection: close\r\nX: " + b"x" * 8192 + b"\r\n\r\n")


async def test_a_head_that_does_not_arrive_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_SECONDS", 0.05)
    async with on_port(tmp_path) as (url, _, __), asyncio.timeout(5):
        assert await exchange(url) == b""
        assert await exchange(url, HEAD) == b""


async def test_the_path_is_what_was_asked_for_not_what_the_host_header_says(tmp_path: Path) -> None:
    async with on_port(tmp_path, api_key="k") as (url, _, __):
        for head in (
            b"GET http://localhost/health/../v1/models HTTP/1.1\r\nHost: localhost\r\n",
            b"GET /v1/models HTTP/1.1\r\nHost: localhost/health?\r\n",
            b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n",
        ):
            status = (await exchange(url, head + b"Connection: close\r\n\r\n")).split()[1]
            assert status in {b"400", b"401"}


async def test_a_stranger_with_a_large_body_is_answered_before_it(tmp_path: Path) -> None:
    async with on_port(tmp_path, api_key="k") as (url, _, __), asyncio.timeout(5):
        reader, writer = await connected(url)
        writer.write(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000000\r\n\r\n".encode())
        assert b"401" in await reader.readline()
        await reader.read()
        writer.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM there")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_program_in_order(tmp_path: Path, number: signal.Signals) -> None:
    flags = ["--api", "--nowebui", "--loader", "scripted", "--api-port", "0", "--user-data-dir", str(tmp_path)]
    program = await asyncio.create_subprocess_exec(
        sys.executable, str(SERVER), *flags, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert program.stdout is not None
    url = (await program.stdout.readline()).decode().split()[-1]
    text = ""
    async with httpx2.AsyncClient() as http, http.stream("POST", f"{url}/chat/completions", json=STALL) as answer:
        async for part in answer.aiter_text():
            text += part
            if "error" not in text and text_of(text) == "waiting":
                program.send_signal(number)
    assert json.loads(events_of(text)[-1])["error"]["code"] == "server_shutting_down"
    async with asyncio.timeout(10):
        _, log = await program.communicate()
    assert program.returncode == 0, log.decode()
    assert b"Traceback" not in log


async def test_a_client_of_http_1_0_gets_its_stream_without_chunks(tmp_path: Path) -> None:
    """As nginx asks where nobody told it otherwise."""
    async with on_port(tmp_path) as (url, _, _):
        for stream, more in ((True, b""), (False, b""), (True, b"Connection: keep-alive\r\n")):
            body = json.dumps(says("count 3", stream=stream)).encode()
            head = b"POST /v1/chat/completions HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n" + more
            answer = await exchange(url, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            sent, _, said = answer.partition(b"\r\n\r\n")
            assert b" 200 " in sent
            assert b"transfer-encoding" not in sent.lower()
            assert b"connection: close" in sent.lower()
            if stream:
                assert text_of(said.decode()) == "1 2 3"
                assert events_of(said.decode())[-1].strip() == "[DONE]"
                assert said.endswith(b"data: [DONE]\n\n")
            else:
                assert json.loads(said)["choices"][0]["message"]["content"] == "1 2 3"
                assert b"content-length" in sent.lower()
        failed = await exchange(url, b"GET /v1/nothing HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert b" 404 " in failed.partition(b"\r\n")[0]
