"""Keys in every header that clients use, and what each key may do."""

from collections.abc import AsyncIterator

import httpx
import openai
import pytest
import pytest_asyncio
from openai import OpenAI

from tests.live.client import endless, error_of, expect_right_answer, finish_of, rest_of, says, streaming, until_text
from tests.live.server import LiveServer, live_server

pytestmark = [pytest.mark.live, pytest.mark.model]

USER, ADMIN = "user-key-1", "admin-key-2"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    folder = tmp_path_factory.mktemp("server")
    async with live_server(folder, "--api-key", USER, "--admin-key", ADMIN) as running:
        yield running


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {USER}"},
        {"Authorization": f"Token {USER}"},
        {"x-api-key": USER},
        {"api-key": USER},
        {"Authorization": f"Bearer {ADMIN}"},
    ],
    ids=["openai", "litellm", "anthropic", "azure", "admin"],
)
async def test_every_client_s_header_opens(server: LiveServer, headers: dict[str, str]) -> None:
    async with server.client(headers=headers) as http:
        await expect_right_answer(http, 4411)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": USER}, {"x-api-key": "wrong"}, {"api-key": ""}],
    ids=["none", "wrong", "no scheme", "wrong x-api-key", "empty"],
)
async def test_without_the_key_there_is_no_answer(server: LiveServer, headers: dict[str, str]) -> None:
    async with server.client(headers=headers) as http:
        response = await http.post("/v1/chat/completions", json=says("Hello"))
        assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_api_key")
        assert (await http.get("/v1/models")).status_code == 401
        assert (await http.get("/docs")).status_code == 401
        assert (await http.get("/health")).status_code == 200


def test_openai_client_with_a_wrong_key_raises_authentication_error(server: LiveServer) -> None:
    client = OpenAI(base_url=f"{server.url}/v1", api_key="wrong")
    with pytest.raises(openai.AuthenticationError):
        client.models.list()


async def test_models_are_managed_with_the_admin_key_only(server: LiveServer) -> None:
    async with as_holder_of(server, USER) as user, as_holder_of(server, ADMIN) as admin:
        assert (await user.get("/v1/internal/model/list")).status_code == 401
        assert (await user.post("/v1/internal/model/unload")).status_code == 401
        assert (await admin.get("/v1/internal/model/list")).status_code == 200


async def test_stopping_ends_the_caller_s_replies_only(server: LiveServer) -> None:
    async with (
        as_holder_of(server, USER) as user,
        as_holder_of(server, ADMIN) as admin,
        streaming(user, endless()) as mine,
        streaming(admin, endless(100)) as theirs,
    ):
        await until_text(mine)
        await until_text(theirs)
        async with server.client() as stranger:
            assert (await stranger.post("/v1/internal/stop-generation")).status_code == 401
        assert (await user.post("/v1/internal/stop-generation")).status_code == 200
        stopped, finished = await rest_of(mine), await rest_of(theirs)
    assert finish_of(stopped) == ["stop"]
    assert finish_of(finished) == ["length"]
    assert not any(error_of(event) for event in (*stopped, *finished))


def as_holder_of(server: LiveServer, key: str) -> httpx.AsyncClient:
    return server.client(headers={"Authorization": f"Bearer {key}"})
