"""Starting the server: flags and variables, ports and addresses, the key it makes up, HTTPS."""

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

import httpx
import psutil
import pytest
import trustme

from tests.live.client import CHAT, endless, expect_right_answer, rest_of, streaming
from tests.live.server import LiveServer, live_server, start, starting_server
from tests.model_files import QWEN

pytestmark = [pytest.mark.live, pytest.mark.model]


async def refused(folder: Path, *flags: object, variables: Mapping[str, str] | None = None) -> str:
    """What a server says that cannot start with these flags."""
    server = start(folder, *flags, variables=variables)
    try:
        assert await server.exit_code() == 2, server.log
        await server.until_gone()
        assert "Traceback" not in server.log
        return server.log
    finally:
        server.kill()


async def test_a_busy_port_is_an_error_that_names_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} is in use" in await refused(tmp_path, "--api-port", port)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--paralel", 4), "--parallel"),
        (("--ctx-size", "many"), "--ctx-size"),
        (("--model", "SmolLM2-135M-Instruct.Q4_2.gguf"), "SmolLM2-135M-Instruct.Q4_1.gguf"),
        (("--ssl-certfile", __file__), "--ssl-keyfile"),
        (("--ssl-certfile", __file__, "--ssl-keyfile", __file__), "PEM"),
    ],
    ids=["unknown flag", "bad value", "unknown model", "half of HTTPS", "no certificate"],
)
async def test_what_cannot_be_used_is_said(tmp_path: Path, flags: tuple[object, ...], said: str) -> None:
    assert said in await refused(tmp_path, *flags)


async def test_the_port_of_the_environment_wins(tmp_path: Path) -> None:
    port = free_port()
    variables = {"OPENEDAI_PORT": str(port)}
    async with live_server(tmp_path, "--api-port", free_port(), variables=variables) as server, server.client() as http:
        assert server.url == f"http://127.0.0.1:{port}"
        await expect_right_answer(http, 5)


async def test_listening_without_a_key_makes_one_up(tmp_path: Path) -> None:
    async with live_server(tmp_path, "--listen") as server:
        assert server.url.startswith("http://0.0.0.0:")
        (key,) = re.findall(r"(sk-\S+)", server.log)
        async with server.client(headers={"Authorization": f"Bearer {key}"}) as http:
            await expect_right_answer(http, 6)
            assert (await http.get("/v1/internal/model/list")).status_code == 200
        async with server.client() as stranger:
            assert (await stranger.post(CHAT, json=endless(1))).status_code == 401
            assert (await stranger.get("/v1/internal/model/list")).status_code == 401


async def test_by_default_only_this_machine_is_served(tmp_path: Path) -> None:
    async with starting_server(tmp_path, "--loader", "scripted") as server:
        connections = psutil.Process(server.process.pid).net_connections("inet")
        addresses = {where.laddr.ip for where in connections if where.status == "LISTEN"}
        assert addresses == {"127.0.0.1"}
        async with server.client(headers={"Host": "evil.example"}) as http:
            assert (await http.get("/v1/models")).status_code == 400


async def test_ipv6_is_served_beside_ipv4_on_the_same_port(tmp_path: Path) -> None:
    """On a machine without IPv6 the same flag is an error that says what is missing."""
    if not has_ipv6():
        assert "::1" in await refused(tmp_path, "--api-enable-ipv6")
        return
    async with live_server(tmp_path, "--api-enable-ipv6") as server:
        assert server.urls == [f"http://127.0.0.1:{server.port}", f"http://[::1]:{server.port}"]
        async with httpx.AsyncClient(base_url=server.urls[1], timeout=60, trust_env=False) as http:
            await expect_right_answer(http, 8)


async def test_https_with_a_certificate_of_one_s_own(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with live_server(tmp_path, "--ssl-certfile", certificate, "--ssl-keyfile", key) as server:
        assert server.url.startswith("https://")
        async with server.client(trust=trust) as http:
            await expect_right_answer(http, 9)
            async with streaming(http, endless(5)) as events:
                assert (await rest_of(events))[-1] == "[DONE]"


async def test_while_the_first_model_loads_health_says_so_and_requests_wait(tmp_path: Path) -> None:
    async with starting_server(tmp_path, "--model", QWEN) as server, server.client() as http:
        health = await http.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "loading model")
        answers = await asyncio.gather(*(expect_right_answer(http, number) for number in (11, 12)))
        assert {answer["model"] for answer in answers} == {QWEN}


async def test_flags_are_read_from_the_file_in_the_user_data_folder(tmp_path: Path) -> None:
    (tmp_path / "CMD_FLAGS.txt").write_text("# kept flags\n--api-key 'from-the-file'\n")
    async with starting_server(tmp_path, "--loader", "scripted") as server:
        assert await status_of_models(server) == 401
        assert await status_of_models(server, "from-the-file") == 200


async def status_of_models(server: LiveServer, key: str = "") -> int:
    async with server.client(headers={"api-key": key}) as http:
        return (await http.get("/v1/models")).status_code


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
