"""The bytes of pictures: data URLs as clients write them, and addresses, of which only public ones are ever reached."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from modules.addresses import is_public
from modules.errors import BadRequest
from modules.media.pictures import fetching
from modules.media.pictures.data_urls import MAX_BYTES, bytes_in, is_remote
from modules.media.pictures.fetching import RemoteBytes

CONTENT = bytes(range(256)) * 3 + b"\xfb\xff"
BASE64 = base64.b64encode(CONTENT).decode()


@pytest.mark.parametrize(
    "source",
    [
        f"data:image/png;base64,{BASE64}",
        f"data:;base64,{BASE64}",
        f"DATA:image/png;charset=utf-8;name=a.png;BASE64,{BASE64}",
        f"data:image/png;base64,{BASE64.rstrip('=')}",
        f"data:image/png;base64,{base64.urlsafe_b64encode(CONTENT).decode()}",
        "data:image/png;base64,\r\n" + "\r\n".join(BASE64[at : at + 76] for at in range(0, len(BASE64), 76)),
        f"  data:image/png;base64, {BASE64} ",
        f"data:image/png;base64,{BASE64.replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}",
        "data:image/png," + "".join(f"%{byte:02x}" for byte in CONTENT),
        BASE64,
    ],
    ids=range(10),
)
def test_data_urls_are_read_as_clients_write_them(source: str) -> None:
    assert not is_remote(source)
    assert bytes_in(source, param="url") == CONTENT


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("data:image/png;base64,%%%", "invalid_base64"),
        ("data:image/png;base64,abcde", "invalid_base64"),
        ("data:image/png;base64,", "invalid_base64"),
        ("data:image/png;base64", "invalid_base64"),
        ("a picture of a cat!", "invalid_base64"),
        ("", "invalid_base64"),
        ("file:///etc/passwd", "invalid_image_url"),
        ("/etc/passwd.png", "invalid_base64"),
        ("ftp://example.org/a.png", "invalid_image_url"),
        ("gopher://example.org/", "invalid_image_url"),
        ("data:image/png;base64," + "A" * (MAX_BYTES * 4 // 3 + 8), "image_too_large"),
        ("data:image/png;base64,A" + " " * (MAX_BYTES * 2) + "A", "image_too_large"),
    ],
    ids=range(12),
)
def test_other_texts_are_refused(source: str, code: str) -> None:
    with pytest.raises(BadRequest) as refused:
        bytes_in(source, param="messages[0].content[1].image_url")
    assert (refused.value.code, refused.value.param) == (code, "messages[0].content[1].image_url")
    assert "passwd" not in refused.value.message


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "127.1.2.3",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
        ),
        *("224.0.0.1", "239.1.1.1", "255.255.255.255", "192.0.0.1", "198.18.0.1", "240.0.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "fd00:ec2::254"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::ffff:a9fe:a9fe"),
        *("64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::8.8.8.8", "2002:7f00:1::", "2002:a00:1::1"),
        *("2001:db8::1", "2001::1"),
    ],
)
def test_private_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["140.82.112.3", "8.8.8.8", "2606:4700::6810:85e5", "64:ff9b::808:808"])
def test_public_addresses_are(address: str) -> None:
    assert is_public(address)


Handler = Callable[[str, list[str]], Awaitable[bytes] | bytes]


@dataclass
class Host:
    """An HTTP server on loopback: what it was asked, and how often it was connected to."""

    port: int = 0
    connections: int = 0
    requests: list[list[str]] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@asynccontextmanager
async def listening(answers: dict[str, bytes]) -> AsyncIterator[Host]:
    """Sends `answers` by path, as they are; nothing at all for a path that is not among them."""
    host = Host()
    handlers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host.connections += 1
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        host.requests.append(head)
        path = head[0].split()[1]
        if path in answers:
            writer.write(answers[path])
        else:
            await reader.read()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()
        if handlers:
            await asyncio.wait(handlers)


def answer(content: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content


def redirect(to: str) -> bytes:
    return answer(b"", "302 Found", f"Location: {to}", "Set-Cookie: a=b")


async def refusal(remote: RemoteBytes, url: str) -> str:
    with pytest.raises(BadRequest) as refused:
        await remote.get(url, param="the picture")
    assert refused.value.code == "invalid_image_url"
    assert refused.value.param == "the picture"
    return refused.value.message


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]", "127.1", "2130706433", "0x7f000001", "0177.0.0.1"),
        *("[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "127.0.0.1.", "LOCALHOST", "①②⑦.0.0.1"),
        *("user@127.0.0.1", "github.com@127.0.0.1", "a\\@127.0.0.1", "127.0.0.1#@github.com", "169.254.169.254"),
    ],
)
async def test_no_form_of_a_private_address_is_connected_to(host: str) -> None:
    async with listening({"/": answer(CONTENT)}) as here:
        assert "answers with" not in await refusal(RemoteBytes(), here.url(host=host))
        assert here.connections == 0


async def test_a_name_whose_second_answer_is_private_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["127.0.0.1", "8.8.8.8", "127.0.0.1"])

    async def resolved(_host: object, port: object, **_options: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved)
    async with listening({"/": answer(CONTENT)}) as here:
        assert "not public" in await refusal(RemoteBytes(), here.url(host="rebind.example"))
        assert here.connections == 0


async def test_a_redirect_to_a_private_address_is_not_followed() -> None:
    async with listening({}) as inside:
        answers = {"/": redirect(inside.url(host="localhost")), "/file": redirect("file:///etc/passwd")}
        async with listening(answers) as outside:
            remote = RemoteBytes(hosts=("127.0.0.1",))
            assert "not public" in await refusal(remote, outside.url())
            assert "http" in await refusal(remote, outside.url("/file"))
            assert inside.connections == 0


async def test_allowed_hosts_are_fetched_from_with_nothing_of_ours_but_the_request() -> None:
    async with listening({"/a": redirect("/b"), "/b": redirect("/c"), "/c": answer(CONTENT)}) as host:
        assert await RemoteBytes(hosts=("127.0.0.1",)).get(host.url("/a"), param="it") == CONTENT
        heads = [{line.partition(":")[0].lower() for line in request[1:] if line} for request in host.requests]
        assert heads == [{"host", "user-agent", "accept", "accept-encoding", "connection"}] * 3
        assert "Accept-Encoding: identity" in host.requests[0]


async def test_bounds_on_redirects_sizes_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_BYTES", 1000)
    monkeypatch.setattr(fetching, "SECONDS", 0.2)
    answers = {
        "/loop": redirect("/loop"),
        "/large": answer(b"x" * 1001),
        "/unsaid": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000,
        "/missing": answer(b"", "404 Not Found"),
        "/garbage": b"hello\r\n\r\n",
    }
    async with listening(answers) as host:
        remote = RemoteBytes(hosts=("127.0.0.1",))
        assert "redirects more than 3 times" in await refusal(remote, host.url("/loop"))
        assert host.connections == 4
        assert "MiB" in await refusal(remote, host.url("/large"))
        assert "MiB" in await refusal(remote, host.url("/unsaid"))
        assert "status 404" in await refusal(remote, host.url("/missing"))
        assert "no answer" in await refusal(remote, host.url("/garbage"))
        assert "did not arrive" in await refusal(remote, host.url("/hang"))


async def test_the_same_address_is_fetched_once_in_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening({"/": answer(CONTENT), "/other": answer(CONTENT)}) as host:
        remote = RemoteBytes(hosts=("127.0.0.1",))
        assert [await remote.get(host.url(), param="it") for _ in range(3)] == [CONTENT] * 3
        assert host.connections == 1
        monkeypatch.setattr(fetching, "_KEPT_BYTES", len(CONTENT))
        await remote.get(host.url("/other"), param="it")
        await remote.get(host.url(), param="it")
        assert host.connections == 3
        monkeypatch.setattr(fetching, "_KEPT_SECONDS", -1)
        for expected in (4, 5):
            await remote.get(host.url("/other"), param="it")
            assert host.connections == expected


async def test_no_remote_media_fetches_nothing() -> None:
    async with listening({"/": answer(CONTENT)}) as host:
        remote = RemoteBytes(is_allowed=False, hosts=("127.0.0.1",))
        assert "--no-remote-media" in await refusal(remote, host.url())
        assert host.connections == 0
